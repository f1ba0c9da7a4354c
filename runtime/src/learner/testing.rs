//! A model small enough to know what it must learn, and a world for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cerebellum_messages::{Goal, Observation};
use cerebellum_policies::error::LearnError;
use cerebellum_policies::online::{
    EvaluationReport, ExperienceBatch, ObjectiveId, ObjectiveSpec, OnlineModel, StepReport,
};
use cerebellum_policies::policy::Weights;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::config::{GenerationsConfig, LearnerConfig, UpdateConfig};
use super::gate::GateConfig;
use super::record::Record;
use super::replay::ReplayConfig;
use super::rollback::RollbackConfig;
use crate::inference::testing::{goal, observation, weights};

/// Predicts the joint's velocity from its position: `v = gain x`. Acts by `gain x / 4`.
pub(super) struct LinearModel {
    gain: f32,
    /// Step length.
    pub(super) rate: f32,
    /// Steps after which the gain becomes NaN.
    pub(super) diverges_after: u64,
    /// Steps after which a step panics.
    pub(super) panics_after: u64,
    /// Time that a step or an evaluation takes.
    pub(super) delay: Duration,
    /// Largest lookahead asked for.
    pub(super) lookahead: u32,
    steps: u64,
}

impl LinearModel {
    pub(super) fn new(gain: f32) -> Self {
        Self {
            gain,
            rate: 0.02,
            diverges_after: u64::MAX,
            panics_after: u64::MAX,
            delay: Duration::ZERO,
            lookahead: 3,
            steps: 0,
        }
    }
}

fn joint(observation: &Observation) -> (f32, f32) {
    let joints = &observation.joints;
    (joints.position[0] as f32, joints.velocity[0] as f32)
}

/// Gain of weights, which must be those of this model.
pub(super) fn gain_of(weights: &Weights) -> f32 {
    weights.tensors["gain"].values[0]
}

impl OnlineModel for LinearModel {
    fn objectives(&self) -> Vec<ObjectiveSpec> {
        [("present", 0), ("future", self.lookahead)]
            .map(|(name, lookahead)| ObjectiveSpec {
                id: ObjectiveId(name.to_owned()),
                lookahead,
                about: String::new(),
            })
            .to_vec()
    }

    fn step(
        &mut self,
        batch: &ExperienceBatch,
        objective: &ObjectiveId,
    ) -> Result<StepReport, LearnError> {
        self.steps += 1;
        assert!(self.steps <= self.panics_after, "told to panic");
        std::thread::sleep(self.delay);
        // Noise from the batch's seed: runs are equal only if seeds are.
        let mut rng = ChaCha8Rng::seed_from_u64(batch.seed);
        let (mut loss, mut gradient) = (0.0, 0.0);
        let count = batch.moments.len() as f32;
        for moment in &batch.moments {
            let anchor = if objective.0 == "future" {
                &moment.future
            } else {
                &moment.observation
            };
            let (x, v) = joint(anchor);
            let error = self.gain * x - v + rng.random_range(-0.01..0.01);
            loss += error * error / count;
            gradient += 2.0 * error * x / count;
        }
        self.gain -= self.rate * gradient;
        if self.steps > self.diverges_after {
            self.gain = f32::NAN;
        }
        Ok(StepReport {
            loss,
            grad_norm: gradient.abs(),
            elapsed: Duration::ZERO,
        })
    }

    fn evaluate(
        &self,
        weights: &Weights,
        batch: &ExperienceBatch,
        objective: &ObjectiveId,
    ) -> Result<EvaluationReport, LearnError> {
        std::thread::sleep(self.delay);
        let gain = gain_of(weights);
        let (losses, actions) = batch
            .moments
            .iter()
            .map(|moment| {
                let anchor = if objective.0 == "future" {
                    &moment.future
                } else {
                    &moment.observation
                };
                let (x, v) = joint(anchor);
                ((gain * x - v).powi(2), vec![gain * x / 4.0; 14])
            })
            .unzip();
        Ok(EvaluationReport { losses, actions })
    }

    fn snapshot(&self) -> Weights {
        weights(0, self.gain)
    }

    fn restore(&mut self, weights: &Weights) -> Result<(), LearnError> {
        self.gain = gain_of(weights);
        Ok(())
    }
}

/// Ticks per episode of [`record`].
pub(super) const EPISODE: u64 = 60;

/// One tick of a world in which `v = truth x` plus noise.
pub(super) fn record(tick: u64, truth: f64) -> Record {
    let mut seen = observation(tick);
    let mut rng = ChaCha8Rng::seed_from_u64(tick);
    let x = (tick as f64 * 0.7).sin();
    seen.joints.position = vec![x];
    seen.joints.velocity = vec![truth * x + rng.random_range(-0.05..0.05)];
    let episode = tick / EPISODE;
    let goal: Goal = goal(episode);
    Record {
        observation: Arc::new(seen),
        action: vec![tick as f32; 7].into(),
        goal: Arc::new(goal),
        episode,
    }
}

/// Settings for worlds of a few hundred ticks.
pub(super) fn config(folder: Option<&Path>) -> LearnerConfig {
    LearnerConfig {
        replay: ReplayConfig {
            held_back_ticks: 60,
            ..ReplayConfig::default()
        },
        update: UpdateConfig {
            batch: 8,
            per_candidate: 10,
            window: 4,
            first_windows: 20,
            ..UpdateConfig::default()
        },
        gate: GateConfig {
            windows: 24,
            blocks: 6,
            fresh_ticks: 20,
            probes: 6,
            ..GateConfig::default()
        },
        rollback: RollbackConfig {
            checks: 1,
            check_ticks: 40,
            rest_ticks: 40,
            ..RollbackConfig::default()
        },
        generations: GenerationsConfig {
            folder: folder.map(Path::to_owned),
            ..GenerationsConfig::default()
        },
        ..LearnerConfig::default()
    }
}
