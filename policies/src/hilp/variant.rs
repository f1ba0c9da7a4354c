//! Either of the two published variants, behind one set of words.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::goal_conditioned::networks as goal_conditioned;
use super::zero_shot::agent as zero_shot;
use super::{ObservationShape, Observations};
use crate::hilp::goal_conditioned::SkillConfig;
use crate::hilp::zero_shot::{FeatureKind, ZeroShotConfig};

/// Sizes and constants of a variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "variant", rename_all = "snake_case")]
pub enum VariantConfig {
    /// Implicit Q-learning with advantage-weighted regression.
    GoalConditioned(SkillConfig),
    /// Successor features with a deterministic actor.
    ZeroShot(ZeroShotConfig),
}

impl VariantConfig {
    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::GoalConditioned(config) => config.problem(),
            Self::ZeroShot(config) => config.problem(),
        }
    }

    /// What an observation is.
    pub const fn observation(&self) -> ObservationShape {
        match self {
            Self::GoalConditioned(config) => config.observation,
            Self::ZeroShot(config) => config.observation,
        }
    }

    /// Numbers per action.
    pub const fn action_dim(&self) -> usize {
        match self {
            Self::GoalConditioned(config) => config.action_dim,
            Self::ZeroShot(config) => config.action_dim,
        }
    }

    /// Numbers of φ.
    pub const fn phi_dim(&self) -> usize {
        match self {
            Self::GoalConditioned(config) => config.skill_dim,
            Self::ZeroShot(config) => config.phi_dim(),
        }
    }

    /// Numbers of a skill.
    pub const fn skill_dim(&self) -> usize {
        match self {
            Self::GoalConditioned(config) => config.skill_dim,
            Self::ZeroShot(config) => config.z_dim,
        }
    }

    /// How long a skill is as a vector: 1 for the goal-conditioned and √width for the zero-shot
    /// variant.
    pub fn skill_length(&self) -> f32 {
        match self {
            Self::GoalConditioned(_) => 1.0,
            Self::ZeroShot(config) => (config.z_dim as f32).sqrt(),
        }
    }

    /// Whether a difference of φ is a skill, so that the policy can be sent to a goal. Skills that
    /// reward pairs of states ([`FeatureKind::Concat`]) are no such difference.
    pub const fn reaches_goals(&self) -> bool {
        match self {
            Self::GoalConditioned(_) => true,
            Self::ZeroShot(config) => !matches!(config.features, FeatureKind::Concat),
        }
    }

    /// Whether skills can be told from rewards of single states: the successor features of the
    /// zero-shot variant add up φ of the states that are reached.
    pub const fn takes_rewards(&self) -> bool {
        matches!(self, Self::ZeroShot(config) if matches!(config.features, FeatureKind::State))
    }
}

/// Networks that act: φ and the actor.
#[derive(Module, Debug)]
pub enum Acting {
    /// Of the goal-conditioned variant.
    GoalConditioned(goal_conditioned::Acting),
    /// Of the zero-shot variant.
    ZeroShot(zero_shot::Acting),
}

impl Acting {
    /// Fresh networks. Check the configuration with [`VariantConfig::problem`] first.
    pub fn new(config: &VariantConfig, device: &Device) -> Self {
        match config {
            VariantConfig::GoalConditioned(config) => {
                Self::GoalConditioned(goal_conditioned::Acting::new(config, device))
            }
            VariantConfig::ZeroShot(config) => {
                Self::ZeroShot(zero_shot::Acting::new(config, device))
            }
        }
    }

    /// φ, `[batch, φ]`: of the first member, and for the zero-shot variant less the running mean,
    /// as its skills are told from rewards. Distances do not see the difference.
    pub fn phi(&self, observations: Observations) -> Tensor<2> {
        match self {
            Self::GoalConditioned(networks) => networks.value.phi(observations),
            Self::ZeroShot(networks) => {
                let encoded = networks.encode(observations);
                networks.feature_learner.features(encoded)
            }
        }
    }

    /// The best action under `skills`, `[batch, skill]`, in −1 … 1: `[batch, action]`.
    pub fn act(&self, observations: Observations, skills: Tensor<2>) -> Tensor<2> {
        match self {
            Self::GoalConditioned(networks) => networks.act(observations, skills),
            Self::ZeroShot(networks) => {
                let encoded = networks.encode(observations);
                networks.actor.forward(encoded, skills)
            }
        }
    }

    /// φ of both members, `[2, batch, φ]`: what the distance is learned with.
    pub fn members(&self, observations: Observations) -> Tensor<3> {
        match self {
            Self::GoalConditioned(networks) => networks.value.forward(observations),
            Self::ZeroShot(networks) => {
                let encoded = networks.encode(observations);
                networks.feature_learner.both(encoded)
            }
        }
    }
}
