//! The two published variants and what they are compared with, behind one set of words.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::baselines::{self, BaselineConfig};
use super::goal_conditioned::networks as goal_conditioned;
use super::goal_conditioned::prompt::skill_of_rewards;
use super::skills::towards;
use super::zero_shot::agent as zero_shot;
use super::zero_shot::prompt::from_rewards;
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
    /// A policy that reads its goal, to compare with.
    Baseline(BaselineConfig),
}

impl VariantConfig {
    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::GoalConditioned(config) => config.problem(),
            Self::ZeroShot(config) => config.problem(),
            Self::Baseline(config) => config.problem(),
        }
    }

    /// What an observation is.
    pub const fn observation(&self) -> ObservationShape {
        match self {
            Self::GoalConditioned(config) => config.observation,
            Self::ZeroShot(config) => config.observation,
            Self::Baseline(config) => config.observation,
        }
    }

    /// Numbers per action.
    pub const fn action_dim(&self) -> usize {
        match self {
            Self::GoalConditioned(config) => config.action_dim,
            Self::ZeroShot(config) => config.action_dim,
            Self::Baseline(config) => config.action_dim,
        }
    }

    /// Numbers of φ.
    pub const fn phi_dim(&self) -> usize {
        match self {
            Self::GoalConditioned(config) => config.skill_dim,
            Self::ZeroShot(config) => config.phi_dim(),
            Self::Baseline(config) => config.observation.len(),
        }
    }

    /// Numbers of a skill.
    pub const fn skill_dim(&self) -> usize {
        match self {
            Self::GoalConditioned(config) => config.skill_dim,
            Self::ZeroShot(config) => config.z_dim,
            Self::Baseline(config) => config.observation.len(),
        }
    }

    /// The skill that moves from φ of here to φ of there: the direction, 1 long for the
    /// goal-conditioned and √width for the zero-shot variant, zeros where both are equal (which no
    /// skill that was trained with is). A baseline reads the goal itself.
    pub fn skill(&self, here: &[f32], there: &[f32]) -> Vec<f32> {
        match self {
            Self::GoalConditioned(_) => towards(here, there, 1.0),
            Self::ZeroShot(config) => towards(here, there, (config.z_dim as f32).sqrt()),
            Self::Baseline(_) => there.to_vec(),
        }
    }

    /// Whether a difference of φ is a skill, so that the policy can be sent to a goal. Skills that
    /// reward pairs of states ([`FeatureKind::Concat`]) are no such difference.
    pub const fn reaches_goals(&self) -> bool {
        match self {
            Self::GoalConditioned(_) | Self::Baseline(_) => true,
            Self::ZeroShot(config) => !matches!(config.features, FeatureKind::Concat),
        }
    }

    /// Whether skills can be told from rewards of single states: of the zero-shot variant if its
    /// successor features add up φ of the states that are reached.
    pub const fn takes_rewards(&self) -> bool {
        match self {
            Self::GoalConditioned(_) => true,
            Self::ZeroShot(config) => matches!(config.features, FeatureKind::State),
            Self::Baseline(_) => false,
        }
    }

    /// The skill that earns rewards of states, from φ of them, `[samples, φ]`; all zeros if the
    /// rewards single out nothing.
    pub fn skill_of_rewards(&self, phi: Tensor<2>, rewards: &[f32]) -> Vec<f32> {
        match self {
            Self::GoalConditioned(_) | Self::Baseline(_) => skill_of_rewards(phi, rewards),
            Self::ZeroShot(_) => from_rewards(phi, rewards).skill,
        }
    }
}

/// Networks that act: φ and the actor.
#[derive(Module, Debug)]
pub enum Acting {
    /// Of the goal-conditioned variant.
    GoalConditioned(goal_conditioned::Acting),
    /// Of the zero-shot variant.
    ZeroShot(zero_shot::Acting),
    /// Of a baseline.
    Baseline(baselines::Acting),
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
            VariantConfig::Baseline(config) => {
                Self::Baseline(baselines::Acting::new(config, device))
            }
        }
    }

    /// φ, `[batch, φ]`: of the first member, and for the zero-shot variant less the running mean,
    /// as its skills are told from rewards. Distances do not see the difference. Of a baseline the
    /// state itself.
    pub fn phi(&self, observations: Observations) -> Tensor<2> {
        match self {
            Self::GoalConditioned(networks) => networks.value.phi(observations),
            Self::ZeroShot(networks) => {
                let encoded = networks.encode(observations);
                networks.feature_learner.features(encoded)
            }
            Self::Baseline(_) => flat(observations),
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
            Self::Baseline(networks) => networks.act(observations, skills),
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
            Self::Baseline(_) => flat(observations).unsqueeze::<3>().repeat_dim(0, 2),
        }
    }
}

/// Rows of numbers.
fn flat(observations: Observations) -> Tensor<2> {
    match observations {
        Observations::States(states) => states,
        Observations::Images(images) => images.flatten(1, 3),
    }
}
