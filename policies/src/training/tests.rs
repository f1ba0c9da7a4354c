//! A small run from beginning to end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;

use super::average::AverageConfig;
use super::trainer::{Outcome, POLICY_FOLDER, TrainProgress, Trainer};
use super::trajectory::{CameraTrack, Trajectory};
use super::{DemoDataset, LearningRate, TrainConfig};
use crate::checkpoint::PolicyPackage;
use crate::error::PolicyError;
use crate::language::SentenceEncoder;
use crate::mdt::MdtConfig;
use crate::mdt::config::TABLETOP_PROPRIOCEPTION;
use crate::nn::{Pooling, ResNetConfig, Stem};

/// Vectors from the letters of a sentence.
pub struct Letters(pub usize);

impl SentenceEncoder for Letters {
    fn dim(&self) -> usize {
        self.0
    }
    fn name(&self) -> &str {
        "letters"
    }
    fn encode(&self, text: &str) -> Result<Vec<f32>, PolicyError> {
        let mut vector = vec![0.0; self.0];
        for byte in text.bytes() {
            vector[byte as usize % self.0] += 0.25;
        }
        Ok(vector)
    }
}

/// A network that trains in milliseconds.
pub fn tiny() -> MdtConfig {
    let mut config = MdtConfig::tabletop();
    for camera in [&mut config.static_camera, &mut config.gripper_camera] {
        camera.size = 24;
        camera.encoder = ResNetConfig {
            stem: Stem {
                channels: 8,
                kernel: 3,
                stride: 2,
                max_pool: false,
            },
            widths: vec![16],
            blocks: vec![1],
            strides: vec![2],
            pooling: Pooling::SpatialSoftmax { keypoints: 4 },
            goal_film: true,
        };
    }
    let d = &mut config.denoiser;
    (d.width, d.heads, d.encoder_layers, d.decoder_layers) = (16, 2, 1, 1);
    (d.observation_dim, d.goal_dim) = (16, 8);
    let foresight = config.foresight.as_mut().unwrap();
    (foresight.resolution, foresight.width, foresight.layers) = (16, 16, 1);
    config.inverse_dynamics = Some(16);
    config
}

/// A bright square moves as the actions say; the instruction names the direction.
pub fn demonstrations(count: usize, size: usize) -> Vec<Trajectory> {
    const STEPS: usize = 12;
    (0..count)
        .map(|index| {
            let right = index % 2 == 0;
            let speed = if right { 1.0 } else { -1.0 };
            let mut frames = Vec::new();
            let mut actions = Vec::new();
            for step in 0..STEPS {
                let column = (size as f32 / 2.0 + speed * step as f32 * 0.5) as usize;
                let row = 4 + index % (size - 8);
                for pixel in 0..size * size {
                    let near =
                        (pixel % size).abs_diff(column) < 2 && (pixel / size).abs_diff(row) < 2;
                    frames.extend([if near { 255 } else { 20 }; 3]);
                }
                actions.extend([speed, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
            }
            let track = |name: &str| CameraTrack {
                name: name.into(),
                size,
                frames: frames.clone(),
            };
            Trajectory {
                task: "push".into(),
                instruction: if right {
                    "push it to the right"
                } else {
                    "to the left, push"
                }
                .into(),
                cameras: vec![track("front"), track("wrist")],
                proprioception: vec![0.5; STEPS * TABLETOP_PROPRIOCEPTION],
                actions,
                action_dim: 7,
            }
        })
        .collect()
}

pub fn settings(steps: u64) -> TrainConfig {
    TrainConfig {
        steps,
        batch: 8,
        noise_draws: 2,
        learning_rate: LearningRate::Constant { rate: 3e-3 },
        average: AverageConfig {
            max: 0.9,
            ..AverageConfig::default()
        },
        augment: super::augment::AugmentConfig {
            shift: 1,
            jitter: 0.1,
        },
        checkpoint_every: 7,
        report_every: 10,
        validate_every: 50,
        ..TrainConfig::default()
    }
}

#[test]
fn the_loss_falls() {
    let folder = tempfile::tempdir().unwrap();
    let data = DemoDataset::new(demonstrations(6, 24));
    let held_out = DemoDataset::new(demonstrations(2, 24));
    let device = Device::flex();
    let mut trainer = Trainer::open(
        folder.path(),
        settings(100),
        tiny(),
        &data,
        Some(&held_out),
        &Letters(8),
        &device,
    )
    .unwrap();
    let mut reports: Vec<TrainProgress> = Vec::new();
    let stop = AtomicBool::new(false);
    let outcome = trainer
        .run(&stop, &mut |report| reports.push(report.clone()))
        .unwrap();
    assert_eq!(outcome, Outcome::Finished);
    let (first, last) = (&reports[0], reports.last().unwrap());
    assert!(
        last.losses.action < 0.5 * first.losses.action,
        "{first:?} {last:?}"
    );
    assert!(last.losses.foresight < first.losses.foresight);
    assert!(last.losses.inverse_dynamics < first.losses.inverse_dynamics);
    assert!(last.losses.alignment < first.losses.alignment);
    assert!(last.validation.unwrap() < 0.5);
    assert!(last.validation_shown.unwrap() < 0.5);
    let lines = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), reports.len());
}

#[test]
fn a_stopped_run_goes_on_as_if_it_had_not_been() {
    let data = DemoDataset::new(demonstrations(3, 24));
    let device = Device::flex();
    let run = |folder: &std::path::Path, stop_after: Option<u64>| {
        let mut trainer = Trainer::open(
            folder,
            settings(24),
            tiny(),
            &data,
            None,
            &Letters(8),
            &device,
        )
        .unwrap();
        let stop = AtomicBool::new(false);
        let mut seen = |report: &TrainProgress| {
            if stop_after.is_some_and(|step| report.step >= step) {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let outcome = trainer.run(&stop, &mut seen).unwrap();
        (outcome, trainer)
    };
    let whole = tempfile::tempdir().unwrap();
    let (_, whole) = run(whole.path(), None);
    let folder = tempfile::tempdir().unwrap();
    let (outcome, stopped) = run(folder.path(), Some(10));
    assert_eq!((outcome, stopped.step()), (Outcome::Stopped, 10));
    let (outcome, resumed) = run(folder.path(), None);
    assert_eq!((outcome, resumed.step()), (Outcome::Finished, 24));
    let card = crate::checkpoint::Card::default;
    assert_eq!(
        whole.package(card()).weights,
        resumed.package(card()).weights
    );
}

#[test]
fn checkpoints_leave_a_policy() {
    let folder = tempfile::tempdir().unwrap();
    let data = DemoDataset::new(demonstrations(10, 24));
    let train = TrainConfig {
        labelled_share: 0.25,
        ..settings(7)
    };
    let mut trainer = Trainer::open(
        folder.path(),
        train,
        tiny(),
        &data,
        None,
        &Letters(8),
        &Device::flex(),
    )
    .unwrap();
    assert_eq!(trainer.labelled(), 2);
    trainer.describe(crate::checkpoint::Card {
        training: "a test".into(),
        ..Default::default()
    });
    trainer.run(&AtomicBool::new(false), &mut |_| {}).unwrap();
    let package = PolicyPackage::load(&folder.path().join(POLICY_FOLDER)).unwrap();
    assert_eq!(package.card.training, "a test; 7 of 7 steps");
    assert_eq!(package.weights, trainer.package(Default::default()).weights);
}

#[test]
fn settings_that_do_not_fit_the_network_are_refused() {
    let data = DemoDataset::new(demonstrations(2, 24));
    let open = |train: TrainConfig, network: MdtConfig| {
        let folder = tempfile::tempdir().unwrap();
        let device = Device::flex();
        Trainer::open(
            folder.path(),
            train,
            network,
            &data,
            None,
            &Letters(8),
            &device,
        )
        .map(|_| ())
    };
    for told_share in [0.0, 1.0, -0.5, f32::NAN] {
        let one_kind = TrainConfig {
            told_share,
            ..settings(1)
        };
        assert!(open(one_kind, tiny()).is_err(), "{told_share}");
    }
    let told = MdtConfig {
        goal_encoder: None,
        alignment: None,
        ..tiny()
    };
    assert!(open(settings(1), told.clone()).is_ok());
    let few = TrainConfig {
        labelled_share: 0.5,
        ..settings(1)
    };
    assert!(open(few, told).is_err());
    let aimless = MdtConfig {
        goal_encoder: None,
        ..tiny()
    };
    assert!(open(settings(1), aimless).is_err());
}
