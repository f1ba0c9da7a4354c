//! Prompting the skill policy with a goal (section 6.1 of the paper).

use burn::tensor::Tensor;

use super::networks::Acting;
use crate::hilp::observations::Observations;
use crate::hilp::skills::normalised;

/// The direction from φ(s) to φ(g), of length one: `[batch, skill_dim]`.
pub fn skill_towards(phi: Tensor<2>, goal: Tensor<2>) -> Tensor<2> {
    normalised(goal - phi, 1.0)
}

impl Acting {
    /// The most likely action under `skills`, `[batch, skill_dim]`, cut to −1 … 1:
    /// `[batch, action]`.
    pub fn act(&self, observations: Observations, skills: Tensor<2>) -> Tensor<2> {
        let policy = self.skill_actor.forward(observations, skills, 1.0);
        policy.mean.clamp(-1.0, 1.0)
    }

    /// The action that moves straight towards a goal's φ, `[batch, skill_dim]`.
    pub fn act_towards(&self, observations: Observations, goal: Tensor<2>) -> Tensor<2> {
        let phi = self.value.phi(observations.clone());
        self.act(observations, skill_towards(phi, goal))
    }
}
