//! Learning from experience at its seam.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use burn::tensor::Device;

use super::fixtures::{goal, observation, package, shown_goal};
use super::online::{ALIGNMENT, FORESIGHT, INVERSE_DYNAMICS, MdtOnline, OnlineConfig};
use crate::error::LearnError;
use crate::online::{Experience, ExperienceBatch, ObjectiveId, OnlineModel as _};
use crate::training::tests::Letters;

fn learner() -> MdtOnline {
    let online = OnlineConfig {
        learning_rate: 3e-3,
        average_decay: 0.5,
        ..OnlineConfig::default()
    };
    MdtOnline::new(&package(), online, Arc::new(Letters(8)), &Device::flex()).unwrap()
}

fn batch() -> ExperienceBatch {
    let moments = (0..4)
        .map(|i| Experience {
            observation: observation(2 + 3 * i),
            future: observation(3 + 3 * i),
            actions: vec![0.25 * i as f32; 3 * 7],
            goal: goal(1, "push"),
        })
        .collect();
    ExperienceBatch { moments, seed: 5 }
}

fn objective(name: &str) -> ObjectiveId {
    ObjectiveId(name.into())
}

#[test]
fn all_objectives_learn() {
    for (name, lookahead) in [(FORESIGHT, 3), (ALIGNMENT, 31), (INVERSE_DYNAMICS, 3)] {
        let mut learner = learner();
        let specs = learner.objectives();
        assert!(
            specs
                .iter()
                .any(|spec| spec.id.0 == name && spec.lookahead == lookahead)
        );
        let start = learner.snapshot();
        let before = learner
            .evaluate(&start, &batch(), &objective(name))
            .unwrap();
        for _ in 0..30 {
            let report = learner.step(&batch(), &objective(name)).unwrap();
            assert!(report.loss.is_finite() && report.grad_norm > 0.0);
        }
        let after = learner
            .evaluate(&learner.snapshot(), &batch(), &objective(name))
            .unwrap();
        let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
        assert!(
            mean(&after.losses) < 0.9 * mean(&before.losses),
            "{name}: {before:?} {after:?}"
        );
        // Evaluation depends on the weights that it is given, not on what was learned meanwhile.
        let again = learner
            .evaluate(&start, &batch(), &objective(name))
            .unwrap();
        assert_eq!(before, again);
        assert_eq!(before.actions.len(), 4);
        assert_eq!(before.actions[0].len(), 70);
        for (key, tensor) in start.tensors.iter() {
            let moved = learner.snapshot().tensors[key] != *tensor;
            let may = OnlineConfig::default()
                .trained
                .iter()
                .any(|start| key.starts_with(start));
            assert!(may || !moved, "{key} is not to be trained");
        }
    }
}

#[test]
fn restoring_forgets() {
    let mut learner = learner();
    let start = learner.snapshot();
    let first = learner.step(&batch(), &objective(FORESIGHT)).unwrap();
    assert_ne!(learner.snapshot(), start);
    learner.restore(&start).unwrap();
    assert_eq!(learner.snapshot(), start);
    let repeated = learner.step(&batch(), &objective(FORESIGHT)).unwrap();
    assert_eq!(
        (first.loss, first.grad_norm),
        (repeated.loss, repeated.grad_norm)
    );
}

#[test]
fn unusable_batches_are_refused() {
    let mut learner = learner();
    let unknown = learner.step(&batch(), &objective("telepathy"));
    assert!(matches!(unknown, Err(LearnError::UnknownObjective { .. })));
    let empty = learner.step(&ExperienceBatch::default(), &objective(FORESIGHT));
    assert!(matches!(empty, Err(LearnError::Batch(_))));
    let mut short = batch();
    short.moments[2].actions.truncate(20);
    let refused = learner.step(&short, &objective(INVERSE_DYNAMICS));
    assert!(matches!(refused, Err(LearnError::Batch(_))));
    let before = learner.snapshot();
    let mut broken = batch();
    broken.moments[0].actions[0] = f32::NAN;
    let refused = learner.step(&broken, &objective(INVERSE_DYNAMICS));
    assert!(matches!(refused, Err(LearnError::NonFinite { .. })));
    assert_eq!(learner.snapshot(), before);
}

#[test]
fn only_told_goals_are_aligned() {
    let mut learner = learner();
    let mut batch = batch();
    batch.moments[1].goal = shown_goal(2, 5);
    let weights = learner.snapshot();
    let part = learner
        .evaluate(&weights, &batch, &objective(ALIGNMENT))
        .unwrap();
    assert_eq!(part.losses[1], 0.0);
    assert!(part.losses[0] > 0.0 && part.losses[3] > 0.0);
    // The mean over the batch is the mean over what was told.
    let mut told = batch.clone();
    told.moments.remove(1);
    let whole = learner
        .evaluate(&weights, &told, &objective(ALIGNMENT))
        .unwrap();
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    assert!((mean(&part.losses) - mean(&whole.losses)).abs() < 1e-5);

    for moment in &mut batch.moments {
        moment.goal = shown_goal(2, 5);
    }
    let silent = learner
        .evaluate(&weights, &batch, &objective(ALIGNMENT))
        .unwrap();
    assert_eq!(silent.losses, [0.0; 4]);
    let report = learner.step(&batch, &objective(ALIGNMENT)).unwrap();
    assert_eq!((report.loss, report.grad_norm), (0.0, 0.0));
}
