//! Prompting the skill policy with a goal (section 6.1 of the paper).

use burn::tensor::Tensor;

use super::networks::Acting;
use crate::hilp::observations::Observations;
use crate::hilp::skills::normalised;
use crate::hilp::statistics::host;
use crate::hilp::zero_shot::linear_algebra::least_squares;

/// The direction from φ(s) to φ(g), of length one: `[batch, skill_dim]`.
pub fn skill_towards(phi: Tensor<2>, goal: Tensor<2>) -> Tensor<2> {
    normalised(goal - phi, 1.0)
}

/// The skill, of length one, along which rewards of states grow: regression of the differences of
/// `rewards` between states on those of φ, `[samples, skill_dim]`, both taken from their means. What
/// is earned on the way from s to s′ under a skill z is ⟨φ(s′) − φ(s), z⟩, so the skill that pays
/// r(s′) − r(s) is the one that is looked for (equation 13 of the paper, with differences of φ). All
/// zeros if nothing is explained.
pub fn skill_of_rewards(phi: Tensor<2>, rewards: &[f32]) -> Vec<f32> {
    let [_, width] = phi.dims();
    let centred = host(phi.clone() - phi.mean_dim(0));
    let mean = rewards.iter().map(|&value| f64::from(value)).sum::<f64>();
    let mean = (mean / rewards.len().max(1) as f64) as f32;
    let rewards = rewards.iter().map(|reward| reward - mean);
    let weights = least_squares(&centred, width, &rewards.collect::<Vec<_>>());
    let length = weights.iter().map(|value| value * value).sum::<f64>();
    let factor = 1.0 / length.sqrt().max(1e-12);
    weights.iter().map(|w| (w * factor) as f32).collect()
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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::golden::close;

    #[test]
    fn rewards_may_begin_anywhere() {
        let phi = [[1.0, 0.0], [0.0, 1.0], [2.0, 1.0], [5.0, -1.0]];
        let rewards = phi.map(|[a, b]| 30.0 * a + 40.0 * b - 7.0);
        let phi = Tensor::from_floats(phi, &Device::flex());
        let skill = skill_of_rewards(phi.clone(), &rewards);
        close("skill", &skill, &[0.6, 0.8], 1e-5);
        assert_eq!(skill_of_rewards(phi, &[3.0; 4]), [0.0; 2]);
    }
}
