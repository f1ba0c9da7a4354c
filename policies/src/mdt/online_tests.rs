//! Learning from experience at its seam.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use burn::tensor::Device;

use super::fixtures::{goal, observation, package};
use super::online::{FORESIGHT, INVERSE_DYNAMICS, MdtOnline, OnlineConfig};
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
fn both_objectives_learn() {
    for name in [FORESIGHT, INVERSE_DYNAMICS] {
        let mut learner = learner();
        let specs = learner.objectives();
        assert!(
            specs
                .iter()
                .any(|spec| spec.id.0 == name && spec.lookahead == 3)
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
