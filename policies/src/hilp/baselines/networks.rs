//! The networks of the baselines.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::config::{BaselineConfig, Method};
use crate::hilp::goal_conditioned::networks::{Actor, Trunk};
use crate::hilp::observations::Observations;

/// All networks.
#[derive(Module, Debug)]
pub struct Networks {
    /// Value and critics; behaviour cloning has none.
    pub critics: Option<Critics>,
    /// π(a | s, g).
    pub actor: Actor,
}

/// What implicit Q-learning needs beside the actor.
#[derive(Module, Debug)]
pub struct Critics {
    /// V(s, g), one member.
    pub value: Trunk,
    /// Q(s, g, a), two members.
    pub critic: Trunk,
    /// Slow copy of it.
    pub target_critic: Trunk,
}

impl Networks {
    /// Fresh networks. Check the configuration with [`BaselineConfig::problem`] first.
    pub fn new(config: &BaselineConfig, device: &Device) -> Self {
        let skills = config.skills();
        let goal = skills.skill_dim;
        let critics = (config.method == Method::ImplicitQ).then(|| {
            let critic = Trunk::new(&skills, 2, goal + skills.action_dim, Some(1), device);
            Critics {
                value: Trunk::new(&skills, 1, goal, Some(1), device),
                target_critic: critic.clone(),
                critic,
            }
        });
        Self {
            critics,
            actor: Actor::new(&skills, device),
        }
    }

    /// What acting needs of them.
    pub fn acting(&self) -> Acting {
        Acting {
            actor: self.actor.clone(),
        }
    }
}

/// What acting needs: the actor.
#[derive(Module, Debug)]
pub struct Acting {
    /// π(a | s, g).
    pub actor: Actor,
}

impl Acting {
    /// Fresh networks.
    pub fn new(config: &BaselineConfig, device: &Device) -> Self {
        Self {
            actor: Actor::new(&config.skills(), device),
        }
    }

    /// The most likely action on the way to `goals`, `[batch, state]`, cut to −1 … 1:
    /// `[batch, action]`.
    pub fn act(&self, observations: Observations, goals: Tensor<2>) -> Tensor<2> {
        let policy = self.actor.forward(observations, goals, 1.0);
        policy.mean.clamp(-1.0, 1.0)
    }
}
