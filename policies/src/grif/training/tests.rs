//! A small training from beginning to end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::data::{Batcher, action_statistics};
use super::{GrifStage, GrifTraining};
use crate::checkpoint::Card;
use crate::grif::policy_tests::tiny;
use crate::grif::{GrifPolicyConfig, optimizer::OptimizerConfig};
use crate::mdt::Statistics;
use crate::mdt::config::TABLETOP_PROPRIOCEPTION;
use crate::training::run::{Run, RunProgress, RunSettings};
use crate::training::tests::{Letters, demonstrations};
use crate::training::{DemoDataset, Outcome};

fn training() -> GrifTraining {
    GrifTraining {
        labelled_share: 0.5,
        optimizer: OptimizerConfig {
            learning_rate: 3e-3,
            warm_up: 2,
            decay: 10_000,
            ..OptimizerConfig::policy()
        },
        ..GrifTraining::default()
    }
}

fn settings(steps: u64) -> RunSettings {
    RunSettings {
        steps,
        batch: 8,
        seed: 1,
        checkpoint_every: 5,
        report_every: 5,
    }
}

fn config(data: &DemoDataset) -> GrifPolicyConfig {
    GrifPolicyConfig {
        actions: action_statistics(data),
        ..tiny()
    }
}

fn stage<'a>(data: &'a DemoDataset) -> GrifStage<'a> {
    let device = Device::flex();
    GrifStage::new(data, config(data), training(), (8, 1), &Letters(8), &device).unwrap()
}

fn run(folder: &Path, data: &DemoDataset, stop_at: Option<u64>) -> (Outcome, Vec<RunProgress>) {
    let mut run = Run::open(folder, settings(20), stage(data)).unwrap();
    let stop = AtomicBool::new(false);
    let mut reports = Vec::new();
    let outcome = run.run(&stop, &mut |report| {
        reports.push(report.clone());
        if stop_at == Some(report.step) {
            stop.store(true, Ordering::Relaxed);
        }
    });
    (outcome.unwrap(), reports)
}

#[test]
fn the_loss_falls_and_a_stopped_run_goes_on() {
    let data = DemoDataset::new(demonstrations(10, 24));
    let whole = tempfile::tempdir().unwrap();
    let (outcome, reports) = run(whole.path(), &data, None);
    assert_eq!(outcome, Outcome::Finished);
    let errors = reports.iter().map(|report| report.numbers["image_mse"]);
    let errors = errors.collect::<Vec<_>>();
    assert!(errors[3] < errors[0], "{errors:?}");
    for name in ["language_mse", "alignment", "sentence_accuracy"] {
        assert!(reports[3].numbers.contains_key(name), "{name}");
    }
    let parts = tempfile::tempdir().unwrap();
    assert_eq!(run(parts.path(), &data, Some(10)).0, Outcome::Stopped);
    let (outcome, again) = run(parts.path(), &data, None);
    assert_eq!(outcome, Outcome::Finished);
    assert_eq!(again.last().unwrap().numbers, reports[3].numbers);
}

#[test]
fn sentences_are_those_of_labelled_demonstrations() {
    let data = DemoDataset::new(demonstrations(4, 24));
    let config = config(&data);
    let statistics = Statistics::identity(TABLETOP_PROPRIOCEPTION);
    let sentence = data.episodes()[0].instruction.clone();
    let sentences = [(sentence, vec![1.0; 8])].into_iter().collect();
    let train = training();
    let batcher = Batcher {
        data: &data,
        config: &config,
        statistics: &statistics,
        sentences: &sentences,
        train: &train,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    // Of the two that may keep their sentence, the second one's is not known.
    let moments = [0, data.episodes()[0].steps(), 1];
    let batch = batcher
        .batch(&moments, 2, &mut rng, &Device::flex())
        .unwrap();
    assert_eq!(batch.labelled, [true, false, false]);
    assert_eq!(batch.actions.dims(), [3, 14]);
    assert_eq!(batch.scene.now.bytes.dims(), [3, 24, 24, 6]);
    assert_eq!(batch.scene.first.bytes.dims(), [3, 24, 24, 3]);
    assert!(
        batcher
            .batch(&[9_999], 0, &mut rng, &Device::flex())
            .is_err()
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    let data = DemoDataset::new(demonstrations(2, 24));
    let other = DemoDataset::new(demonstrations(2, 32));
    let device = Device::flex();
    let open = |data: &DemoDataset, train: GrifTraining, letters: usize| {
        let language = Letters(letters);
        GrifStage::new(data, tiny(), train, (8, 1), &language, &device).map(|_| ())
    };
    assert!(open(&data, training(), 8).is_ok());
    assert!(open(&other, training(), 8).is_err());
    assert!(open(&data, training(), 9).is_err());
    let none = GrifTraining {
        labelled_share: 0.0,
        ..training()
    };
    assert!(open(&data, none, 8).is_err());
    assert!(open(&DemoDataset::default(), training(), 8).is_err());
}

#[test]
fn a_trained_policy_travels() {
    let data = DemoDataset::new(demonstrations(2, 24));
    let package = stage(&data).package(Card::default());
    assert_eq!(package.language, "letters");
    assert!(package.spec().goals.len() == 2);
}
