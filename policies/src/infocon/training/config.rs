//! Settings of a whole training: pre-training, discovery, and the policy on what was found.

use serde::{Deserialize, Serialize};

use crate::infocon::cotpc::learner::CotLearnerConfig;
use crate::infocon::learner::{LearnerConfig, RateSchedule};
use crate::infocon::objective::{Mode, ObjectiveConfig};
use crate::training::run::RunSettings;

/// Settings of a training. Weights of losses and schedules are the authors'; steps and batches are
/// what a processor does in minutes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InfoConTraining {
    /// Steps of the pre-training that reconstructs states.
    pub reconstruction_steps: u64,
    /// Steps of the full objective.
    pub discovery_steps: u64,
    /// Steps of the policy.
    pub policy_steps: u64,
    /// Windows per step of discovery.
    pub discovery_batch: usize,
    /// Windows per step of the policy.
    pub policy_batch: usize,
    /// Greatest learning rate of discovery.
    pub discovery_rate: f64,
    /// Greatest learning rate of the policy.
    pub policy_rate: f64,
    /// Steps of warm-up, of each part.
    pub warm_up: u64,
    /// Weights of discovery's losses.
    pub objective: ObjectiveConfig,
    /// Weight of the policy's key-state loss.
    pub key_state_weight: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Steps between reports of progress.
    pub report_every: u64,
}

impl Default for InfoConTraining {
    fn default() -> Self {
        Self {
            reconstruction_steps: 300,
            discovery_steps: 3000,
            policy_steps: 4000,
            discovery_batch: 16,
            policy_batch: 32,
            discovery_rate: 1e-3,
            policy_rate: 1e-3,
            warm_up: 100,
            objective: ObjectiveConfig::PUBLISHED,
            key_state_weight: 0.1,
            seed: 1,
            checkpoint_every: 500,
            report_every: 50,
        }
    }
}

impl InfoConTraining {
    /// What is wrong with the settings, if anything.
    pub fn problem(&self) -> Option<String> {
        if self.discovery_steps == 0 || self.policy_steps == 0 {
            return Some("discovery_steps and policy_steps must be positive".into());
        }
        if self.discovery_batch == 0 || self.policy_batch == 0 {
            return Some("discovery_batch and policy_batch must be positive".into());
        }
        if self.checkpoint_every == 0 || self.report_every == 0 {
            return Some("checkpoint_every and report_every must be positive".into());
        }
        let rates = [self.discovery_rate, self.policy_rate];
        if rates.iter().any(|rate| !(rate.is_finite() && *rate > 0.0)) {
            return Some("discovery_rate and policy_rate must be positive".into());
        }
        None
    }

    /// The run of discovery, pre-training included.
    pub const fn discovery_run(&self) -> RunSettings {
        RunSettings {
            steps: self.reconstruction_steps + self.discovery_steps,
            batch: self.discovery_batch,
            seed: self.seed,
            checkpoint_every: self.checkpoint_every,
            report_every: self.report_every,
        }
    }

    /// The run of the policy.
    pub const fn policy_run(&self) -> RunSettings {
        RunSettings {
            steps: self.policy_steps,
            batch: self.policy_batch,
            seed: self.seed,
            checkpoint_every: self.checkpoint_every,
            report_every: self.report_every,
        }
    }

    /// Settings of one part of discovery.
    pub fn discovery(&self, mode: Mode) -> LearnerConfig {
        let steps = match mode {
            Mode::Reconstruction => self.reconstruction_steps,
            Mode::Goal => self.discovery_steps,
        };
        LearnerConfig {
            objective: ObjectiveConfig {
                mode,
                ..self.objective
            },
            learning_rate: self.discovery_rate,
            schedule: RateSchedule::WarmCosine {
                warm_up: self.warm_up,
                total: steps,
            },
            ..LearnerConfig::published(steps)
        }
    }

    /// Settings of the policy.
    pub fn policy(&self) -> CotLearnerConfig {
        CotLearnerConfig {
            key_state_weight: self.key_state_weight,
            learning_rate: self.policy_rate,
            schedule: RateSchedule::WarmCosine {
                warm_up: self.warm_up,
                total: self.policy_steps,
            },
            ..CotLearnerConfig::published(self.policy_steps)
        }
    }
}
