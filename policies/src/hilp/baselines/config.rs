//! Sizes and constants.

use serde::{Deserialize, Serialize};

use crate::hilp::goal_conditioned::SkillConfig;
use crate::hilp::observations::ObservationShape;

/// How the policy learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Goal-conditioned behaviour cloning.
    #[default]
    BehaviourCloning,
    /// Goal-conditioned implicit Q-learning.
    ImplicitQ,
}

/// Sizes of the networks and constants of the losses; the defaults are those of HILP's skills.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaselineConfig {
    /// How the policy learns.
    pub method: Method,
    /// Observations, which must be states.
    pub observation: ObservationShape,
    /// Numbers per action.
    pub action_dim: usize,
    /// Hidden layers of values and critics.
    pub value_hidden: Vec<usize>,
    /// Hidden layers of the actor.
    pub actor_hidden: Vec<usize>,
    /// Learning rate of Adam.
    pub learning_rate: f32,
    /// Discount γ.
    pub discount: f32,
    /// Share τ of the new weights in the targets, per update.
    pub target_rate: f32,
    /// Expectile κ of the value.
    pub expectile: f32,
    /// Factor β of the advantage in the actor's weights: greater is sharper.
    pub temperature: f32,
}

impl Default for BaselineConfig {
    fn default() -> Self {
        let skills = SkillConfig::default();
        Self {
            method: Method::default(),
            observation: skills.observation,
            action_dim: skills.action_dim,
            value_hidden: skills.value_hidden,
            actor_hidden: skills.actor_hidden,
            learning_rate: skills.learning_rate,
            discount: skills.skill_discount,
            target_rate: skills.target_rate,
            expectile: skills.skill_expectile,
            temperature: skills.skill_temperature,
        }
    }
}

impl BaselineConfig {
    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        if matches!(self.observation, ObservationShape::Image { .. }) {
            return Some("the baselines of HILP learn from states, not from images".into());
        }
        self.skills().problem()
    }

    /// The same with goals as skills.
    pub fn skills(&self) -> SkillConfig {
        SkillConfig {
            observation: self.observation,
            action_dim: self.action_dim,
            skill_dim: self.observation.len(),
            value_hidden: self.value_hidden.clone(),
            actor_hidden: self.actor_hidden.clone(),
            learning_rate: self.learning_rate,
            target_rate: self.target_rate,
            skill_discount: self.discount,
            skill_expectile: self.expectile,
            skill_temperature: self.temperature,
            ..SkillConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_as_wide_as_states_and_images_are_refused() {
        let config = BaselineConfig::default();
        assert_eq!(config.problem(), None);
        assert_eq!(config.skills().skill_dim, config.observation.len());
        let image = ObservationShape::Image {
            height: 8,
            width: 8,
            channels: 3,
        };
        let seeing = BaselineConfig {
            observation: image,
            ..config
        };
        assert!(seeing.problem().is_some());
    }
}
