//! Sizes and constants.

use serde::{Deserialize, Serialize};

use crate::hilp::observations::ObservationShape;
use crate::nn::ImpalaConfig;

/// Sizes of the networks and constants of the losses. The defaults are the authors' for antmaze.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SkillConfig {
    /// Observations.
    pub observation: ObservationShape,
    /// Numbers per action.
    pub action_dim: usize,
    /// Numbers of φ and of a skill.
    pub skill_dim: usize,
    /// Hidden layers of φ, values and critics.
    pub value_hidden: Vec<usize>,
    /// Hidden layers of the actor.
    pub actor_hidden: Vec<usize>,
    /// Layer norms in φ, values and critics.
    pub layer_norm: bool,
    /// Image encoder, one per network; needed for images.
    pub encoder: Option<ImpalaConfig>,
    /// Learning rate of Adam.
    pub learning_rate: f32,
    /// Discount γ of the distance and of goals along trajectories.
    pub discount: f32,
    /// Share τ of the new weights in the targets, per update.
    pub target_rate: f32,
    /// Expectile κ of the distance.
    pub expectile: f32,
    /// Discount of the skills' returns.
    pub skill_discount: f32,
    /// Expectile of the skills' value.
    pub skill_expectile: f32,
    /// Factor β of the advantage in the actor's weights: greater is sharper.
    pub skill_temperature: f32,
}

impl Default for SkillConfig {
    fn default() -> Self {
        Self {
            observation: ObservationShape::State { width: 29 },
            action_dim: 8,
            skill_dim: 32,
            value_hidden: vec![512; 3],
            actor_hidden: vec![512; 3],
            layer_norm: true,
            encoder: None,
            learning_rate: 3e-4,
            discount: 0.99,
            target_rate: 0.005,
            expectile: 0.95,
            skill_discount: 0.99,
            skill_expectile: 0.9,
            skill_temperature: 10.0,
        }
    }
}

impl SkillConfig {
    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        let hidden = self.value_hidden.iter().chain(&self.actor_hidden);
        let sizes = match self.observation {
            ObservationShape::State { width } => vec![width],
            ObservationShape::Image {
                height,
                width,
                channels,
            } => vec![height, width, channels],
        };
        let mut sizes = sizes.iter().chain(hidden);
        if sizes.any(|&size| size == 0) || self.action_dim == 0 || self.skill_dim == 0 {
            return Some("a size of zero".into());
        }
        if self.actor_hidden.is_empty() {
            return Some("the actor needs a hidden layer".into());
        }
        let image = matches!(self.observation, ObservationShape::Image { .. });
        match &self.encoder {
            None if image => Some("images need an encoder".into()),
            Some(_) if !image => Some("an encoder needs images".into()),
            Some(encoder) => encoder.problem(),
            None => None,
        }
    }

    /// Numbers that a network's layers read: `extra` numbers beside the observation.
    pub(super) fn trunk_input(&self, extra: usize) -> usize {
        match (self.observation, &self.encoder) {
            (ObservationShape::State { width }, _) => width + extra,
            (ObservationShape::Image { height, width, .. }, Some(encoder)) => {
                encoder.features(height, width)
            }
            (ObservationShape::Image { .. }, None) => 0,
        }
    }

    /// Channels of an image with `extra` numbers as further channels; 0 for states.
    pub(super) const fn image_channels(&self, extra: usize) -> usize {
        match self.observation {
            ObservationShape::State { .. } => 0,
            ObservationShape::Image { channels, .. } => channels + extra,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_encoders_belong_together() {
        let state = SkillConfig::default();
        assert_eq!(state.problem(), None);
        let image = ObservationShape::Image {
            height: 64,
            width: 64,
            channels: 3,
        };
        let bare = SkillConfig {
            observation: image,
            ..state.clone()
        };
        assert!(bare.problem().is_some());
        let whole = SkillConfig {
            encoder: ImpalaConfig::named("impala_small"),
            ..bare
        };
        assert_eq!(whole.problem(), None);
        assert_eq!(whole.trunk_input(8), 2048);
        assert_eq!(whole.image_channels(8), 11);
        assert_eq!(state.trunk_input(8), 37);
        let empty = SkillConfig {
            actor_hidden: vec![],
            ..state
        };
        assert!(empty.problem().is_some());
    }
}
