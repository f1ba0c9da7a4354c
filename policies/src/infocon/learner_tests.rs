#![allow(clippy::unwrap_used)]

use burn::tensor::{Device, Tensor, TensorData};

use super::cotpc::loss::{CotBatch, key_state_targets};
use super::cotpc::{CotLearner, CotLearnerConfig, Cotpc, CotpcConfig};
use super::learner::{ADAM, DiscoveryLearner, LearnerConfig, RateSchedule};
use super::objective::{Mode, ObjectiveConfig};
use super::{DiscoveryBatch, InfoCon, InfoConConfig, InfoConError, Windows};
use crate::checkpoint::collect;

const STEPS: usize = 9;
const ROWS: usize = 4;
const CONSTANT: RateSchedule = RateSchedule::MultiStep {
    milestones: Vec::new(),
    gamma: 1.0,
};

fn config() -> InfoConConfig {
    InfoConConfig {
        width: 16,
        heads: 2,
        context: STEPS,
        hidden: 16,
        key_layers: 1,
        reconstruction_layers: 1,
        future_layers: 1,
        concepts: 4,
        key_dim: 8,
        parameter_dim: 8,
        ..InfoConConfig::published(2, 1, 20)
    }
}

/// Rows go up, stay and come down again, each at its own speed.
fn motion() -> (Vec<f32>, Vec<f32>) {
    let action = |row: usize, step: usize| {
        let direction = [1.0, 0.0, -1.0][step * 3 / STEPS];
        direction * (1.0 + 0.2 * row as f32)
    };
    let (mut states, mut actions) = (Vec::new(), Vec::new());
    for row in 0..ROWS {
        let mut height = 0.0;
        for step in 0..STEPS {
            states.extend([height, row as f32 * 0.1]);
            actions.push(action(row, step));
            height += 0.3 * action(row, step);
        }
    }
    (states, actions)
}

fn windows(device: &Device) -> Windows {
    let (states, actions) = motion();
    let tensor = |values: Vec<f32>, width| -> Tensor<3> {
        Tensor::from_data(TensorData::new(values, [ROWS, STEPS, width]), device)
    };
    let actions = Some(tensor(actions, 1));
    Windows::new(tensor(states, 2), actions, vec![0; ROWS], &config()).unwrap()
}

fn batch(device: &Device) -> DiscoveryBatch {
    let times = (0..ROWS * STEPS).map(|index| (index % STEPS) as f32 / STEPS as f32);
    DiscoveryBatch {
        windows: windows(device),
        times: times.collect(),
        lengths: vec![STEPS, STEPS, STEPS, STEPS - 2],
        draws: None,
    }
}

fn learner(mode: Mode, device: &Device) -> DiscoveryLearner {
    let settings = LearnerConfig {
        objective: ObjectiveConfig {
            mode,
            mask_worst: mode == Mode::Goal,
            ..ObjectiveConfig::PUBLISHED
        },
        learning_rate: 5e-3,
        schedule: CONSTANT,
        adam: ADAM,
        steps: 100,
        first_step: 0,
    };
    DiscoveryLearner::new(InfoCon::new(&config(), device).unwrap(), settings)
}

fn number(tensor: Tensor<1>) -> f32 {
    crate::host::values(tensor)[0]
}

#[test]
fn discovery_learns_in_both_modes() -> Result<(), InfoConError> {
    let device = Device::flex().autodiff();
    let batch = batch(&device);
    for mode in [Mode::Reconstruction, Mode::Goal] {
        let mut learner = learner(mode, &device);
        let loss = |step: super::learner::LearnerStep| match step.discovery.goal {
            Some(goal) => number(goal.action_loss),
            None => number(step.discovery.reconstruction_loss),
        };
        let first = loss(learner.step(&batch)?);
        let mut last = first;
        for _ in 0..120 {
            last = loss(learner.step(&batch)?);
        }
        assert!(last < 0.5 * first, "{mode:?}: {first} to {last}");
        for tensor in collect(&learner.finished(), 0).tensors.values() {
            assert!(tensor.values.iter().all(|value| value.is_finite()));
        }
    }
    Ok(())
}

#[test]
fn a_loss_that_is_not_finite_leaves_the_model_alone() {
    let device = Device::flex().autodiff();
    let mut learner = learner(Mode::Goal, &device);
    let before = collect(learner.model(), 0);
    let mut batch = batch(&device);
    let states = batch.windows.states() * f32::NAN;
    let actions = batch.windows.actions().cloned();
    batch.windows = Windows::new(states, actions, vec![0; ROWS], &config()).unwrap();
    assert!(learner.step(&batch).is_err());
    assert_eq!(collect(learner.model(), 0), before);
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let device = Device::flex().autodiff();
    let mut learner = learner(Mode::Goal, &device);
    let good = batch(&device);
    let mut bad = good.clone();
    bad.times.pop();
    assert!(learner.step(&bad).is_err(), "times");
    let mut bad = good.clone();
    bad.lengths[0] = STEPS + 1;
    assert!(learner.step(&bad).is_err(), "lengths");
    let mut bad = good.clone();
    bad.draws = Some(vec![0.5]);
    assert!(learner.step(&bad).is_err(), "draws");
    let mut drawn = good.clone();
    drawn.draws = Some(vec![0.5; ROWS * STEPS]);
    assert!(learner.step(&drawn).is_ok());
    let mut bad = good;
    bad.windows = Windows::new(bad.windows.states(), None, vec![0; ROWS], &config()).unwrap();
    assert!(learner.step(&bad).is_err(), "actions");
}

#[test]
fn the_policy_learns_actions_and_key_states() -> Result<(), InfoConError> {
    let device = Device::flex().autodiff();
    let config = CotpcConfig {
        width: 16,
        heads: 2,
        layers: 2,
        hidden: 16,
        context: STEPS,
        key_states: 2,
        key_state_hidden: 16,
        ..CotpcConfig::published(2, 1, 20)
    };
    let (states, _) = motion();
    let targets = states.chunks_exact(2 * STEPS).map(|states| {
        // The top, and a concept that does not occur.
        key_state_targets(states, 2, &[Some(STEPS / 3), None])
    });
    let targets = targets.collect::<Vec<_>>();
    let (key_states, key_mask) = CotBatch::stack_targets(&targets, 2, &device)?;
    let batch = CotBatch {
        windows: windows(&device),
        lengths: vec![STEPS; ROWS],
        key_states,
        key_mask,
        horizon: vec![0, 4, 8, 16],
    };
    let settings = CotLearnerConfig {
        key_state_weight: 0.1,
        learning_rate: 5e-3,
        schedule: CONSTANT,
        adam: ADAM,
    };
    let mut learner = CotLearner::new(Cotpc::new(&config, &device)?, settings);
    let first = learner.step(&batch)?.losses;
    for _ in 0..120 {
        learner.step(&batch)?;
    }
    let last = learner.step(&batch)?.losses;
    assert!(number(last.actions) < 0.2 * number(first.actions));
    assert!(number(last.key_states) < 0.5 * number(first.key_states));
    Ok(())
}
