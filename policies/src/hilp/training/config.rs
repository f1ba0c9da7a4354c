//! Settings of a run.

use serde::{Deserialize, Serialize};

use crate::hilp::goal_conditioned::goals::GoalMix;
use crate::hilp::play::PlayData;
use crate::hilp::variant::VariantConfig;

/// Settings of a run; what belongs to the losses is part of [`VariantConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlayTraining {
    /// Updates.
    pub steps: u64,
    /// Transitions per update.
    pub batch: usize,
    /// Goals of the representation.
    pub goals: GoalMix,
    /// Discount of successor features (zero-shot variant).
    pub successor_discount: f32,
    /// Whether the learning rate falls to nothing over the run, along half a cosine. Not for the
    /// zero-shot variant.
    pub cosine: bool,
    /// Seed of everything random.
    pub seed: u64,
    /// Updates between checkpoints.
    pub checkpoint_every: u64,
    /// Updates between reports of progress.
    pub report_every: u64,
}

impl Default for PlayTraining {
    fn default() -> Self {
        Self {
            steps: 20_000,
            batch: 256,
            goals: GoalMix::default(),
            successor_discount: 0.98,
            cosine: false,
            seed: 0,
            checkpoint_every: 1000,
            report_every: 100,
        }
    }
}

impl PlayTraining {
    /// Share of the learning rate that is left for an update.
    pub fn learning_rate_left(&self, step: u64) -> f32 {
        if !self.cosine {
            return 1.0;
        }
        let done = step as f32 / self.steps.max(1) as f32;
        0.5 * (1.0 + (std::f32::consts::PI * done.min(1.0)).cos())
    }

    /// What is wrong for training a variant on data, if anything.
    pub fn problem(&self, variant: &VariantConfig, data: &PlayData) -> Option<String> {
        if let Some(problem) = variant.problem() {
            return Some(problem);
        }
        if self.steps == 0 || self.batch == 0 {
            return Some("steps and batch must be positive".into());
        }
        if self.checkpoint_every == 0 || self.report_every == 0 {
            return Some("checkpoint_every and report_every must be positive".into());
        }
        let mix = &self.goals;
        let shares = [mix.random, mix.trajectory, mix.current];
        let sum = shares.iter().sum::<f64>();
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) || (sum - 1.0).abs() > 1e-6 {
            return Some("goals: random, trajectory and current must be shares of one".into());
        }
        if !(0.0..1.0).contains(&mix.discount) || !(0.0..1.0).contains(&self.successor_discount) {
            return Some("goals.discount and successor_discount must lie in [0, 1)".into());
        }
        if data.len() < 2 {
            return Some("there is no play to learn from".into());
        }
        if data.shape() != variant.observation() || data.action_dim() != variant.action_dim() {
            return Some(format!(
                "the network takes {:?} and {} numbers per action, the play has {:?} and {}",
                variant.observation(),
                variant.action_dim(),
                data.shape(),
                data.action_dim()
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_falls_if_it_is_told_to() {
        let falling = PlayTraining {
            cosine: true,
            steps: 100,
            ..PlayTraining::default()
        };
        let left = [0, 50, 100, 200].map(|step| falling.learning_rate_left(step));
        for (left, want) in left.into_iter().zip([1.0, 0.5, 0.0, 0.0]) {
            assert!((left - want).abs() < 1e-6, "{left}");
        }
        assert_eq!(PlayTraining::default().learning_rate_left(50), 1.0);
    }
}
