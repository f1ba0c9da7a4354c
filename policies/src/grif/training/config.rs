//! Settings of a training.

use serde::{Deserialize, Serialize};

use crate::grif::data::augment::{AugmentConfig, AugmentOp};
use crate::grif::data::goals::GoalConfig;
use crate::grif::optimizer::OptimizerConfig;

/// What the loss is fed with and how the weights follow it; steps, batch and seed belong to
/// [`crate::training::run::RunSettings`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrifTraining {
    /// Share of the demonstrations whose instruction may be used.
    pub labelled_share: f32,
    /// Share of a batch that is drawn from those.
    pub told_share: f32,
    /// Goals in hindsight.
    pub goals: GoalConfig,
    /// Change of images. Colours are left alone by default: instructions tell things apart by them.
    pub augment: AugmentConfig,
    /// Rates and decay.
    pub optimizer: OptimizerConfig,
}

impl Default for GrifTraining {
    fn default() -> Self {
        Self {
            labelled_share: 0.15,
            told_share: 0.5,
            goals: GoalConfig::default(),
            augment: AugmentConfig {
                order: vec![
                    AugmentOp::RandomResizedCrop,
                    AugmentOp::RandomBrightness,
                    AugmentOp::RandomContrast,
                ],
                ..AugmentConfig::default()
            },
            optimizer: OptimizerConfig {
                learning_rate: 1e-3,
                warm_up: 200,
                decay: 20_000,
                ..OptimizerConfig::policy()
            },
        }
    }
}

impl GrifTraining {
    /// What is wrong, if anything, for batches of so many samples.
    pub fn problem(&self, batch: usize) -> Option<String> {
        if !(self.labelled_share > 0.0 && self.labelled_share <= 1.0) {
            return Some("labelled_share must lie in (0, 1]".into());
        }
        if !(0.0..=1.0).contains(&self.told_share) || batch == 0 {
            return Some("told_share must lie in [0, 1], and batches must not be empty".into());
        }
        let shares = [
            self.goals.reached,
            self.goals.last,
            self.goals.keep_sentence,
        ];
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return Some("goals: reached, last and keep_sentence must lie in [0, 1]".into());
        }
        let rate = self.optimizer.learning_rate;
        (!(rate.is_finite() && rate > 0.0))
            .then(|| "optimizer.learning_rate must be positive".into())
    }

    /// Samples of a batch that are drawn from demonstrations with their instruction.
    pub fn told_rows(&self, batch: usize) -> usize {
        ((batch as f32 * self.told_share).round() as usize).min(batch)
    }
}
