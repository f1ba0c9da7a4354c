//! Runs: they learn, resume to the bit, and refuse what does not fit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;

use super::{PlayTrainer, PlayTraining};
use crate::hilp::ObservationShape;
use crate::hilp::goal_conditioned::SkillConfig;
use crate::hilp::play::{EpisodeRows, PlayData};
use crate::hilp::variant::VariantConfig;
use crate::hilp::zero_shot::ZeroShotConfig;
use crate::training::{Outcome, TrainError};

/// Walks on a line of ten places.
pub(crate) fn line() -> PlayData {
    let mut data = PlayData::new(ObservationShape::State { width: 1 }, 1);
    for start in 0..4u8 {
        let places = (0..7).map(|step| f32::from(start + step) / 10.0);
        let places = places.collect::<Vec<_>>();
        data.push(EpisodeRows::States(&places), &[0.5; 6]).unwrap();
    }
    data
}

pub(crate) fn variants() -> [VariantConfig; 2] {
    let observation = ObservationShape::State { width: 1 };
    [
        VariantConfig::GoalConditioned(SkillConfig {
            observation,
            action_dim: 1,
            skill_dim: 3,
            value_hidden: vec![8],
            actor_hidden: vec![8],
            ..SkillConfig::default()
        }),
        VariantConfig::ZeroShot(ZeroShotConfig {
            observation,
            action_dim: 1,
            z_dim: 3,
            hidden_dim: 8,
            feature_dim: 4,
            phi_hidden_dim: 8,
            ..ZeroShotConfig::default()
        }),
    ]
}

fn settings(steps: u64) -> PlayTraining {
    PlayTraining {
        steps,
        batch: 8,
        checkpoint_every: 3,
        report_every: 2,
        seed: 5,
        ..PlayTraining::default()
    }
}

fn run(folder: &Path, network: &VariantConfig, steps: u64) -> (Vec<f32>, Vec<u64>) {
    let data = line();
    let device = Device::flex();
    let train = settings(steps);
    let mut trainer = PlayTrainer::open(folder, train, network.clone(), &data, &device).unwrap();
    let mut reports = Vec::new();
    let stop = AtomicBool::new(false);
    let outcome = trainer
        .run(&stop, &mut |report| reports.push(report.step), &mut |_| {
            Ok(())
        })
        .unwrap();
    assert_eq!(outcome, Outcome::Finished);
    (trainer.pilot().phi(&[0.0, 0.3]), reports)
}

#[test]
fn a_resumed_run_gives_what_an_uninterrupted_one_does() {
    for network in variants() {
        let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (expected, reports) = run(whole.path(), &network, 7);
        assert_eq!(reports, [2, 4, 6, 7]);
        run(parts.path(), &network, 4);
        let (resumed, reports) = run(parts.path(), &network, 7);
        assert_eq!(reports, [6, 7]);
        assert_eq!(expected, resumed);
        let metrics = std::fs::read_to_string(parts.path().join("metrics.jsonl")).unwrap();
        assert_eq!(metrics.lines().count(), 4);
    }
}

#[test]
fn a_stopped_run_is_saved() {
    let [network, _] = variants();
    let folder = tempfile::tempdir().unwrap();
    let (data, device) = (line(), Device::flex());
    let path = folder.path();
    let mut trainer = PlayTrainer::open(path, settings(9), network, &data, &device).unwrap();
    let outcome = trainer.run(&AtomicBool::new(true), &mut |_| (), &mut |_| Ok(()));
    assert_eq!(outcome.unwrap(), Outcome::Stopped);
    assert!(path.join("state.safetensors").exists());
}

#[test]
fn other_runs_and_other_shapes_are_refused() {
    let [first, second] = variants();
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &first, 2);
    let (data, device) = (line(), Device::flex());
    let open = |train: PlayTraining, network: VariantConfig| {
        let opened = PlayTrainer::open(folder.path(), train, network, &data, &device);
        opened.err().unwrap()
    };
    let other = open(settings(2), second);
    assert!(matches!(
        other,
        TrainError::OtherRun {
            what: "network settings",
            ..
        }
    ));
    let seed = PlayTraining {
        seed: 6,
        ..settings(2)
    };
    let other = open(seed, first.clone());
    assert!(matches!(
        other,
        TrainError::OtherRun {
            what: "training settings",
            ..
        }
    ));
    let wide = VariantConfig::GoalConditioned(SkillConfig::default());
    assert!(matches!(open(settings(2), wide), TrainError::Settings(_)));
    let mut shares = settings(2);
    shares.goals.random = 0.9;
    assert!(matches!(open(shares, first), TrainError::Settings(_)));
}
