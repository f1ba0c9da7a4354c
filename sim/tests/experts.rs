//! The scripted experts achieve every task, within the robot's limits, with and without noise.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cerebellum_sim::{
    Demonstration, Disturbance, EpisodeConfig, Knob, Outcome, Shift, Split, Task, demonstrate,
};
use common::Rig;
use rayon::prelude::*;

fn run(split: Split, seeds: u64, shift: Shift, disturbance: Disturbance) -> Vec<Demonstration> {
    let all: Vec<(Task, u64)> = Task::ALL
        .into_iter()
        .flat_map(|task| (0..seeds).map(move |seed| (task, seed)))
        .collect();
    all.into_par_iter()
        .map(|(task, seed)| {
            let mut config = EpisodeConfig::new(task, split, seed).blind();
            config.shift = shift;
            demonstrate(&config, &disturbance).unwrap()
        })
        .collect()
}

fn lost(runs: &[Demonstration]) -> Vec<(Task, u64, Outcome)> {
    let lost = runs.iter().filter(|run| run.outcome != Outcome::Succeeded);
    lost.map(|run| (run.config.task, run.config.seed, run.outcome))
        .collect()
}

#[test]
fn every_task_is_achieved_in_every_split() {
    for split in Split::ALL {
        let runs = run(split, 3, Shift::NONE, Disturbance::NONE);
        let lost = lost(&runs);
        assert!(lost.len() <= 1, "{split}: {lost:?}");
    }
}

#[test]
fn experts_recover_from_noise() {
    let runs = run(Split::Train, 4, Shift::NONE, Disturbance::MILD);
    let lost = lost(&runs);
    assert!(lost.len() <= 2, "{lost:?}");
}

#[test]
fn experts_cope_with_shifted_physics() {
    for knob in [
        Knob::Mass,
        Knob::Friction,
        Knob::MotorGain,
        Knob::GripForce,
        Knob::ActionLatency,
    ] {
        let shift = Shift::NONE.with(knob, 2).unwrap();
        let runs = run(Split::Shift, 1, shift, Disturbance::NONE);
        let lost = lost(&runs);
        assert!(lost.len() <= 1, "{knob:?}: {lost:?}");
    }
}

#[test]
fn demonstrations_are_short_and_their_actions_in_range() {
    for run in run(Split::Eval, 1, Shift::NONE, Disturbance::MILD) {
        let ticks = run.steps.len() as u64;
        assert!(ticks > 5 && ticks <= run.config.task.time_limit());
        for step in &run.steps {
            assert!(step.action.iter().all(|value| value.abs() <= 1.0));
        }
    }
}

#[test]
fn experts_stay_within_the_limits_of_the_joints() {
    for task in Task::ALL {
        let mut rig = Rig::new(task, Split::Train, 5);
        let limits = rig.episode.robot().limits().to_vec();
        let period = 0.05;
        let (mut last, mut speed) = (*rig.episode.commanded(), [0.0; 8]);
        while !rig.episode.outcome().is_over() {
            rig.expert();
            let now = *rig.episode.commanded();
            for (index, limit) in limits.iter().enumerate() {
                let velocity = (now[index] - last[index]) / period;
                let acceleration = (velocity - speed[index]) / period;
                assert!(
                    velocity.abs() <= limit.velocity + 1e-9,
                    "{task} joint {index}"
                );
                assert!(
                    acceleration.abs() <= limit.acceleration + 1e-9,
                    "{task} joint {index}: {acceleration}"
                );
                speed[index] = velocity;
            }
            last = now;
        }
    }
}
