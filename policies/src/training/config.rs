//! Settings of a training run.

use serde::{Deserialize, Serialize};

use super::adamw::AdamWConfig;
use super::augment::AugmentConfig;
use super::average::AverageConfig;
use super::goal_frames::GoalFrames;
use super::schedule::{LearningRate, TriStage};
use crate::mdt::MdtConfig;

/// Settings of a run. The default suits [`crate::mdt::MdtConfig::tabletop`] on two CPU cores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Optimiser steps.
    pub steps: u64,
    /// Observations per step.
    pub batch: usize,
    /// Pieces of a batch whose gradients are computed side by side and added in order: the number
    /// of processor cores is a good choice. Part of the settings and not read from the machine, so
    /// that a run gives the same numbers everywhere.
    pub shards: usize,
    /// Noise levels per observation: the encoders are the dear part, so one encoding serves several.
    pub noise_draws: usize,
    /// Learning rate.
    pub learning_rate: LearningRate,
    /// Optimiser constants.
    pub adamw: AdamWConfig,
    /// Greatest norm of the gradient; `None` to leave it.
    pub clip: Option<f32>,
    /// Moving average of the weights, which is what is deployed.
    pub average: AverageConfig,
    /// Weight of masked generative foresight (beta in the paper).
    pub foresight_weight: f32,
    /// Weight of the contrastive alignment (alpha in the paper), if the network has it. As in the
    /// authors' code, half of it acts: only the told half of the batch is aligned.
    pub alignment_weight: f32,
    /// Share of the told rows that are aligned; the authors: all. Where the camera encoders see the
    /// goal, an aligned row costs a second encoding of its pictures.
    pub alignment_share: f32,
    /// Weight of inverse dynamics.
    pub inverse_dynamics_weight: f32,
    /// Share of the batch that the two auxiliary losses see.
    pub auxiliary_share: f32,
    /// Share of the demonstrations whose instruction may be used; the others are learned from with
    /// image goals only. Below 1 for networks with a goal encoder only.
    pub labelled_share: f32,
    /// Share of a batch whose goals are told, if the network takes image goals too; the authors:
    /// half. Less of it keeps a network from learning few instructions by heart.
    pub told_share: f32,
    /// Which later picture is shown as the goal.
    pub goal_frames: GoalFrames,
    /// Image augmentation.
    pub augment: AugmentConfig,
    /// Seed of everything random.
    pub seed: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Steps between reports of progress.
    pub report_every: u64,
    /// Steps between validations, if there is validation data.
    pub validate_every: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            steps: 20_000,
            batch: 64,
            shards: 2,
            noise_draws: 4,
            learning_rate: LearningRate::Cosine {
                peak: 1e-3,
                last: 1e-5,
                warm_up: 500,
            },
            adamw: AdamWConfig {
                beta_2: 0.95,
                weight_decay: 0.01,
                ..AdamWConfig::default()
            },
            clip: Some(1.0),
            average: AverageConfig {
                max: 0.999,
                ..AverageConfig::default()
            },
            foresight_weight: 0.1,
            alignment_weight: 0.1,
            inverse_dynamics_weight: 0.1,
            auxiliary_share: 0.25,
            labelled_share: 1.0,
            alignment_share: 1.0,
            told_share: 0.5,
            goal_frames: GoalFrames::default(),
            augment: AugmentConfig::default(),
            seed: 0,
            checkpoint_every: 500,
            report_every: 10,
            validate_every: 500,
        }
    }
}

impl TrainConfig {
    /// The authors' settings for one GPU's share of a batch.
    pub fn paper() -> Self {
        Self {
            steps: 40_000,
            batch: 128,
            shards: 1,
            noise_draws: 1,
            learning_rate: LearningRate::TriStage {
                peak: 1e-4,
                total: 50_000,
                shape: TriStage::default(),
            },
            adamw: AdamWConfig::default(),
            clip: None,
            average: AverageConfig::default(),
            foresight_weight: 1.0,
            alignment_weight: 1.0,
            inverse_dynamics_weight: 0.0,
            auxiliary_share: 1.0,
            goal_frames: GoalFrames::PAPER,
            augment: AugmentConfig {
                shift: 10,
                jitter: 0.0,
            },
            ..Self::default()
        }
    }

    /// What is wrong for training a network, if anything.
    pub fn problem(&self, network: &MdtConfig) -> Option<String> {
        if self.batch == 0 || self.noise_draws == 0 || self.steps == 0 {
            return Some("steps, batch and noise_draws must be positive".into());
        }
        if self.shards == 0 || !self.batch.is_multiple_of(self.shards) {
            return Some("batch must be a multiple of shards".into());
        }
        if self.checkpoint_every == 0 || self.report_every == 0 || self.validate_every == 0 {
            return Some(
                "checkpoint_every, report_every and validate_every must be positive".into(),
            );
        }
        if !(0.0..=1.0).contains(&self.auxiliary_share) {
            return Some("auxiliary_share must lie in [0, 1]".into());
        }
        if !(0.0..=1.0).contains(&self.alignment_share) {
            return Some("alignment_share must lie in [0, 1]".into());
        }
        if !(0.0..1.0).contains(&self.augment.jitter) {
            return Some("augment.jitter must lie in [0, 1)".into());
        }
        if !(self.labelled_share > 0.0 && self.labelled_share <= 1.0) {
            return Some("labelled_share must lie in (0, 1]".into());
        }
        match network.goal_encoder {
            Some(_) if !self.both_goals() => Some(format!(
                "told_share {} leaves no told or no shown goal in a batch of {} in {} shards",
                self.told_share, self.batch, self.shards
            )),
            Some(_) => self.goal_frames.problem(),
            None if self.labelled_share < 1.0 => {
                Some("labelled_share below 1 needs a network with a goal_encoder".into())
            }
            None => None,
        }
    }

    fn both_goals(&self) -> bool {
        let told = self.told_rows();
        self.told_share.is_finite() && told > 0 && told < self.batch
    }

    /// Rows of a batch with told goals, equally many in each shard, if there are shown ones too.
    pub fn told_rows(&self) -> usize {
        let shard = (self.batch / self.shards.max(1)) as f32;
        self.shards * (shard * self.told_share).round() as usize
    }

    /// Rows that are aligned of `told` told ones.
    pub fn aligned_rows(&self, told: usize) -> usize {
        if self.alignment_weight == 0.0 {
            return 0;
        }
        (told as f32 * self.alignment_share).round() as usize
    }

    /// Rows of a shard that the auxiliary losses see.
    pub fn auxiliary_rows(&self) -> usize {
        if self.foresight_weight == 0.0 && self.inverse_dynamics_weight == 0.0 {
            return 0;
        }
        ((self.batch / self.shards) as f32 * self.auxiliary_share).round() as usize
    }
}
