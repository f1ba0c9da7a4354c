use std::sync::atomic::AtomicBool;

use burn::tensor::Device;

use super::*;
use crate::infocon::cotpc::CotpcConfig;
use crate::infocon::{InfoConConfig, InfoConError};
use crate::training::{Outcome, TrainError};

fn demos() -> Result<Demos, InfoConError> {
    let episode = |long: usize| Episode {
        states: (0..=long)
            .flat_map(|t| [t as f32, -(t as f32) * 0.5])
            .collect(),
        actions: (0..long).map(|t| if t < 4 { 1.0 } else { -1.0 }).collect(),
        phases: (0..long).map(|t| if t < 4 { 2 } else { 5 }).collect(),
    };
    Demos::new(vec![episode(8), episode(9)], 2, 1, 0, None)
}

fn config() -> InfoConConfig {
    InfoConConfig {
        width: 8,
        heads: 2,
        hidden: 4,
        context: 5,
        key_layers: 1,
        reconstruction_layers: 1,
        future_layers: 1,
        key_dim: 4,
        parameter_dim: 4,
        concepts: 3,
        ..InfoConConfig::published(2, 1, 10)
    }
}

fn train() -> InfoConTraining {
    InfoConTraining {
        reconstruction_steps: 3,
        discovery_steps: 5,
        policy_steps: 6,
        discovery_batch: 2,
        policy_batch: 2,
        warm_up: 2,
        checkpoint_every: 2,
        report_every: 1,
        ..InfoConTraining::default()
    }
}

#[test]
fn true_parts_count_up_and_end_where_they_end() -> Result<(), InfoConError> {
    let demos = demos()?;
    assert_eq!(demos.phases(), [2, 5]);
    assert_eq!(demos.true_labels()[0], [0, 0, 0, 0, 1, 1, 1, 1]);
    let targets = demos.targets(&demos.true_labels(), 2);
    let states = &demos.episodes()[0].states;
    assert_eq!(targets[0].0[..2], states[6..8], "the state of step 3");
    assert_eq!(targets[0].0[2..], states[16..18], "the last state");
    assert_eq!(targets[0].1, [1.0, 1.0]);
    Ok(())
}

#[test]
fn actions_come_later_by_the_delay() -> Result<(), InfoConError> {
    let episode = Episode {
        states: vec![0.0; 4],
        actions: vec![1.0, 2.0, 3.0],
        phases: Vec::new(),
    };
    let demos = Demos::new(vec![episode], 1, 1, 1, None)?;
    assert_eq!(demos.episodes()[0].actions, [2.0, 3.0, 3.0]);
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() {
    let episode = |states: usize, actions: usize, phases: usize| Episode {
        states: vec![0.0; states],
        actions: vec![0.0; actions],
        phases: vec![0; phases],
    };
    for bad in [
        episode(4, 2, 2),
        episode(6, 2, 1),
        episode(2, 0, 0),
        Episode {
            states: vec![f32::NAN; 4],
            ..episode(4, 1, 1)
        },
    ] {
        assert!(Demos::new(vec![bad], 2, 1, 0, None).is_err());
    }
    assert!(Demos::new(Vec::new(), 2, 1, 0, None).is_err());
    assert!(Demos::new(vec![episode(6, 2, 0)], 2, 1, 0, None).is_ok());
}

/// A run that is stopped, in pre-training or later, ends where an uninterrupted one does.
#[test]
fn a_resumed_run_is_the_same_run() -> Result<(), TrainError> {
    let device = Device::flex();
    let demos = demos().map_err(|error| TrainError::Settings(error.to_string()))?;
    let folder = std::env::temp_dir().join(format!("cerebellum-infocon-{}", std::process::id()));
    let open = |name: &str| {
        let stage = DiscoveryStage::new(&demos, config(), train(), &device)
            .map_err(|error| TrainError::Settings(error.to_string()))?;
        Run::open(&folder.join(name), train().discovery_run(), stage)
    };
    let go = AtomicBool::new(false);
    let mut whole = open("whole")?;
    assert_eq!(whole.run(&go, &mut |_| {})?, Outcome::Finished);
    for at in [2, 3, 6] {
        let name = format!("stopped-{at}");
        let stop = AtomicBool::new(false);
        let mut first = open(&name)?;
        let outcome = first.run(&stop, &mut |report| {
            stop.store(report.step == at, std::sync::atomic::Ordering::Relaxed);
        })?;
        assert_eq!((outcome, first.step()), (Outcome::Stopped, at));
        let mut second = open(&name)?;
        assert_eq!(second.step(), at);
        assert_eq!(second.run(&go, &mut |_| {})?, Outcome::Finished);
        assert_eq!(second.stage().weights(), whole.stage().weights(), "{at}");
    }
    let policy = CotpcConfig {
        width: 8,
        heads: 2,
        layers: 1,
        hidden: 4,
        context: 5,
        key_states: 2,
        key_state_hidden: 4,
        ..CotpcConfig::published(2, 1, 10)
    };
    for key_states in [2, 0] {
        let policy = CotpcConfig {
            key_states,
            ..policy.clone()
        };
        let targets = match key_states {
            0 => Vec::new(),
            _ => demos.targets(&demos.true_labels(), 2),
        };
        let stage = PolicyStage::new(&demos, targets, policy, train(), &device)
            .map_err(|error| TrainError::Settings(error.to_string()))?;
        let name = folder.join(format!("policy-{key_states}"));
        let mut run = Run::open(&name, train().policy_run(), stage)?;
        assert_eq!(run.run(&go, &mut |_| {})?, Outcome::Finished);
    }
    std::fs::remove_dir_all(&folder).ok();
    Ok(())
}
