//! Sizes and constants.

use serde::{Deserialize, Serialize};

use crate::hilp::ObservationShape;

/// What successor features add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    /// φ(s′).
    #[default]
    State,
    /// φ(s′) − φ(s).
    Diff,
    /// φ(s) and φ(s′) side by side, each half as wide.
    Concat,
}

/// Sizes of the networks and constants of the losses. The defaults are the authors'.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZeroShotConfig {
    /// Observations; images are stacks of frames, and their rows equal their columns.
    pub observation: ObservationShape,
    /// Numbers per action.
    pub action_dim: usize,
    /// Numbers of a skill and of successor features.
    pub z_dim: usize,
    /// Hidden layers of actor and successor features.
    pub hidden_dim: usize,
    /// What actor and successor features make of each of their two inputs.
    pub feature_dim: usize,
    /// Hidden layers of φ.
    pub phi_hidden_dim: usize,
    /// A layer that joins the two inputs.
    pub add_trunk: bool,
    /// What successor features add up.
    pub features: FeatureKind,
    /// Whether the critics learn values (products with z) instead of whole vectors.
    pub q_loss: bool,
    /// Discount of the distance.
    pub distance_discount: f32,
    /// Expectile of the distance.
    pub distance_expectile: f32,
    /// Learning rate of Adam.
    pub learning_rate: f32,
    /// Factor of the learning rate for φ.
    pub feature_rate_factor: f32,
    /// Share of the new weights in the slow successor features, per update.
    pub target_rate: f32,
    /// Share of the new weights in the slow φ, per update.
    pub phi_target_rate: f32,
    /// Share of the new mean of φ, per update.
    pub mean_rate: f32,
    /// Standard deviation of the actor's noise.
    pub noise: f32,
    /// Bound of that noise.
    pub noise_clip: f32,
    /// Share of skills that are made of states of the batch.
    pub mix_ratio: f32,
}

impl Default for ZeroShotConfig {
    fn default() -> Self {
        Self {
            observation: ObservationShape::State { width: 24 },
            action_dim: 6,
            z_dim: 50,
            hidden_dim: 1024,
            feature_dim: 512,
            phi_hidden_dim: 512,
            add_trunk: false,
            features: FeatureKind::State,
            q_loss: true,
            distance_discount: 0.98,
            distance_expectile: 0.5,
            learning_rate: 1e-4,
            feature_rate_factor: 5.0,
            target_rate: 0.01,
            phi_target_rate: 0.005,
            mean_rate: 0.005,
            noise: 0.2,
            noise_clip: 0.3,
            mix_ratio: 0.5,
        }
    }
}

impl ZeroShotConfig {
    /// Numbers of φ.
    pub const fn phi_dim(&self) -> usize {
        match self.features {
            FeatureKind::State | FeatureKind::Diff => self.z_dim,
            FeatureKind::Concat => self.z_dim / 2,
        }
    }

    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        let sizes = [
            self.action_dim,
            self.z_dim,
            self.hidden_dim,
            self.feature_dim,
            self.phi_hidden_dim,
            self.phi_dim(),
        ];
        if sizes.contains(&0) {
            return Some("a size of zero".into());
        }
        if self.features == FeatureKind::Concat && !self.z_dim.is_multiple_of(2) {
            return Some(format!(
                "a skill of {} numbers has no two halves",
                self.z_dim
            ));
        }
        match self.observation {
            ObservationShape::State { width: 0 } => Some("observations without numbers".into()),
            ObservationShape::Image { height, width, .. } if height != width || width < 7 => Some(
                format!("images of {height} x {width}: squares from 7 on are possible"),
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_squares() {
        let good = ZeroShotConfig::default();
        assert_eq!(good.problem(), None);
        let concat = ZeroShotConfig {
            features: FeatureKind::Concat,
            ..good.clone()
        };
        assert_eq!((concat.phi_dim(), concat.problem()), (25, None));
        let odd = ZeroShotConfig { z_dim: 7, ..concat };
        assert!(odd.problem().is_some());
        let flat = ZeroShotConfig {
            observation: ObservationShape::Image {
                height: 4,
                width: 64,
                channels: 9,
            },
            ..good
        };
        assert!(flat.problem().is_some());
    }
}
