//! The policy as a whole, at toy size.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::module::Module as _;
use burn::tensor::{Device, Tensor};

use super::alignment::AlignmentConfig;
use super::config::{GrifConfig, Modality};
use super::head::{HeadConfig, StdKind};
use super::improvements::{Extra, ImprovementConfig, Improvements};
use super::loss::{Batch, joint_loss};
use super::model::{Grif, Learning, Scene};
use super::optimizer::{Optimizer, OptimizerConfig};
use super::resnet::{Fusion, ResNetV1Config};
use super::task_encoder::{Picture, TaskEncoderConfig, TaskInput};
use crate::error::PolicyError;
use crate::golden::vec;
use crate::objectives::{IndividualTemperatureConfig, MultiView};
use crate::training::gradients::GradientSet;

const SIDE: usize = 16;

/// A device whose networks begin alike every time. Among the random beginnings of so small a network
/// one in twenty has a sentence whose representation is all zeros, which has no cosine.
fn seeded() -> Device {
    let device = Device::flex().autodiff();
    device.seed(1);
    device
}

fn network(fusion: Fusion) -> ResNetV1Config {
    ResNetV1Config {
        stages: vec![1, 1],
        filters: 4,
        fusion,
        ..ResNetV1Config::resnet34(SIDE)
    }
}

fn config() -> GrifConfig {
    let film = |task: usize| Fusion::Film {
        task,
        units: Some(6),
    };
    GrifConfig {
        encoder: network(film(8)),
        image_task: Some(TaskEncoderConfig::ResNet(network(Fusion::Image {
            channels: 3,
        }))),
        language_task: Some(TaskEncoderConfig::ResNet(network(film(5)))),
        share_encoders: false,
        head: HeadConfig {
            hidden: vec![12, 12],
            actions: 2,
            std: StdKind::Fixed(vec![1.0; 2]),
            tanh: false,
            dropout: 0.0,
        },
        early_fusion: true,
        early_fuse_initial: false,
        no_initial: false,
        proprioception: 0,
        alignment: AlignmentConfig::default(),
        freeze_unlabelled: false,
    }
}

fn images(rows: usize, seed: usize, device: &Device) -> Tensor<4> {
    let count = rows * SIDE * SIDE * 3;
    let bytes = (0..count).map(|i| ((i * (31 + 7 * seed) + seed * 17) % 251) as f32);
    let bytes = bytes.collect::<Vec<_>>();
    Tensor::<1>::from_floats(bytes.as_slice(), device).reshape([rows, SIDE, SIDE, 3])
}

fn picture(rows: usize, seed: usize, device: &Device) -> Picture {
    Picture {
        bytes: images(rows, seed, device),
        normal: None,
    }
}

fn scene(rows: usize, seed: usize, device: &Device) -> Scene {
    Scene {
        now: picture(rows, seed, device),
        first: picture(rows, seed + 1, device),
        proprioception: None,
    }
}

fn batch(labelled: [bool; 3], device: &Device) -> Batch {
    let sentences = [
        [0.1, 0.2, 0.3, 0.4, 0.5],
        [0.5, -0.4, 0.3, 0.2, 0.1],
        [-0.9, 0.3, 0.0, 0.1, 0.7],
    ];
    Batch {
        scene: scene(3, 1, device),
        goals: Some(TaskInput::Image(images(3, 5, device))),
        sentences: Some(TaskInput::Vector(Tensor::from_floats(sentences, device))),
        labelled: labelled.to_vec(),
        actions: Tensor::from_floats([[0.5, -1.0], [1.0, 0.0], [-0.5, 0.2]], device),
        action_weights: vec![1.0; 3],
        blocked: None,
    }
}

#[test]
fn the_published_configuration_is_consistent() {
    let paper = GrifConfig::paper();
    assert_eq!(paper.problem(), None);
    assert_eq!(paper.encoder.output(), 512);
    assert_eq!(config().problem(), None);
    let mut wrong = config();
    wrong.encoder = network(Fusion::None);
    assert!(wrong.problem().is_some());
    let mut wrong = config();
    (wrong.image_task, wrong.language_task) = (None, None);
    assert!(wrong.problem().is_some());
}

#[test]
fn both_kinds_of_task_give_actions() {
    let device = Device::flex();
    let policy = Grif::new(&config(), &device);
    let batch = batch([true; 3], &device);
    for (modality, task) in [
        (Modality::Image, &batch.goals),
        (Modality::Language, &batch.sentences),
    ] {
        let task = policy
            .task(&batch.scene, task.as_ref().unwrap(), modality)
            .unwrap();
        let output = policy
            .act(&batch.scene, task, 1.0, Learning::default())
            .unwrap();
        assert_eq!(output.actions.mode().dims(), [3, 2]);
        assert!(vec(output.actions.mode()).iter().all(|v| v.is_finite()));
    }
}

#[test]
fn strange_tasks_are_refused() {
    let device = Device::flex();
    let mut config = config();
    config.language_task = None;
    let policy = Grif::new(&config, &device);
    let batch = batch([true; 3], &device);
    let tasks = [
        (Modality::Language, batch.sentences.clone().unwrap()),
        (Modality::Image, TaskInput::Tokens(vec![vec![1]; 3])),
        (
            Modality::Image,
            TaskInput::Image(Tensor::zeros([3, 8, 8, 3], &device)),
        ),
        (
            Modality::Image,
            TaskInput::Vector(Tensor::zeros([3, 5], &device)),
        ),
    ];
    for (modality, task) in tasks {
        let result = policy.task(&batch.scene, &task, modality);
        assert!(
            matches!(result, Err(PolicyError::InputShape { .. })),
            "{task:?}"
        );
    }
}

#[test]
fn a_batch_without_sentences_or_actions_destroys_nothing() {
    let device = seeded();
    let policy = Grif::new(&config(), &device);
    let loss = joint_loss(&policy, &batch([false; 3], &device), None).unwrap();
    assert_eq!(loss.branches.len(), 1);
    assert!(loss.alignment.is_none() && vec(loss.total)[0].is_finite());
    let mut videos = batch([true; 3], &device);
    videos.action_weights = vec![0.0; 3];
    let loss = joint_loss(&policy, &videos, None).unwrap();
    assert!(loss.branches.is_empty() && loss.alignment.is_some());
    assert!(vec(loss.total)[0].is_finite());
}

#[test]
fn unlabelled_samples_can_be_kept_from_teaching_the_encoder() {
    let device = seeded();
    let mut config = config();
    config.freeze_unlabelled = true;
    config.language_task = None;
    let policy = Grif::new(&config, &device);
    let mut batch = batch([false; 3], &device);
    batch.sentences = None;
    let loss = joint_loss(&policy, &batch, None).unwrap();
    let set = GradientSet::take(&policy, loss.total.backward(), |key| {
        key.starts_with("encoder.")
    });
    assert!(set.norm() < 1e-12);
}

#[test]
fn steps_bring_the_loss_down() {
    let device = seeded();
    let mut policy = Grif::new(&config(), &device);
    let batch = batch([true, true, false], &device);
    let mut optimizer = Optimizer::new(OptimizerConfig {
        learning_rate: 3e-3,
        warm_up: 1,
        decay: 1_000,
        ..OptimizerConfig::policy()
    });
    let mut losses = Vec::new();
    for _ in 0..15 {
        let loss = joint_loss(&policy, &batch, None).unwrap();
        losses.push(vec(loss.total.clone())[0]);
        let gradients = GradientSet::take(&policy, loss.total.backward(), |_| true);
        policy = optimizer.step(policy, gradients, Grif::is_pretrained);
    }
    assert!(losses[14] < losses[0], "{losses:?}");
    assert_eq!(losses[0], losses[1]);
}

#[test]
fn improvements_are_off_unless_asked_for() {
    let device = seeded();
    let policy = Grif::new(&config(), &device);
    let batch = batch([true, false, true], &device);
    let found = joint_loss(&policy, &batch, None).unwrap();
    let representations = found.representations.unwrap();
    let extra = Extra {
        samples: vec![4, 5, 6],
        hard: Some((batch.sentences.clone().unwrap(), vec![1, 1, 1])),
        views: vec![(
            scene(3, 9, &device),
            TaskInput::Image(images(3, 3, &device)),
        )],
    };
    let loss = |config: ImprovementConfig| {
        let mut improvements = Improvements::new(config);
        let labelled = &batch.labelled;
        let loss = improvements
            .loss(&policy, &representations, &batch.scene, labelled, &extra)
            .unwrap();
        (vec(loss)[0], improvements)
    };
    assert_eq!(loss(ImprovementConfig::default()).0, 0.0);
    let (value, memory) = loss(ImprovementConfig {
        individual_temperatures: Some((1.0, IndividualTemperatureConfig::default())),
        hard_negatives: Some((0.5, 0.1)),
        multi_view: Some((0.3, MultiView::default())),
    });
    assert!(value.is_finite() && value != 0.0);
    let known = memory
        .temperatures
        .images
        .keys()
        .copied()
        .collect::<Vec<_>>();
    assert_eq!(known, [4, 6]);
    assert!(policy.num_params() > 0);
}
