//! Networks that act, on rows of numbers in main memory: many worlds side by side.

use burn::tensor::{Device, Tensor, TensorData};

use super::planning::Midpoints;
use super::variant::{Acting, VariantConfig};
use super::{Observations, statistics::host};

/// Acts on states that are vectors. All rows are row-major, one after the other.
#[derive(Clone, Debug)]
pub struct StatePilot {
    acting: Acting,
    config: VariantConfig,
    device: Device,
}

impl StatePilot {
    /// Networks on `device` whose observations are vectors.
    pub fn new(acting: Acting, config: &VariantConfig, device: Device) -> Self {
        Self {
            acting,
            config: config.clone(),
            device,
        }
    }

    /// φ of each state.
    pub fn phi(&self, states: &[f32]) -> Vec<f32> {
        let width = self.config.observation().len();
        if states.len() < width {
            return Vec::new();
        }
        let states = Observations::states(states, width, &self.device);
        host(self.acting.phi(states))
    }

    /// The skill that earns rewards of some states; all zeros if they single out nothing.
    pub fn skill_of_rewards(&self, states: &[f32], rewards: &[f32]) -> Vec<f32> {
        let width = self.config.observation().len();
        let states = Observations::states(states, width, &self.device);
        let phi = self.acting.phi(states);
        self.config.skill_of_rewards(phi, rewards)
    }

    /// The action of each state on the way to φ of a goal of its own: straight, or by the midpoint
    /// on that way that is nearest to it.
    pub fn act(&self, states: &[f32], goals: &[f32], midpoints: Option<&Midpoints>) -> Vec<f32> {
        let (phi, width) = (self.phi(states), self.config.phi_dim());
        let ways = phi.chunks_exact(width).zip(goals.chunks_exact(width));
        let skills = ways.flat_map(|(here, goal)| {
            let near = midpoints.and_then(|midpoints| midpoints.plan(here, goal).pop());
            let near = near.map(|midpoint| midpoint.phi);
            self.config.skill(here, near.as_deref().unwrap_or(goal))
        });
        self.act_along(states, skills.collect())
    }

    /// The action of each state under a skill of its own.
    pub fn act_along(&self, states: &[f32], skills: Vec<f32>) -> Vec<f32> {
        let (width, skill) = (self.config.observation().len(), self.config.skill_dim());
        let rows = skills.len() / skill.max(1);
        if rows == 0 || states.len() < rows * width || skills.len() != rows * skill {
            return Vec::new();
        }
        let skills = Tensor::from_data(TensorData::new(skills, [rows, skill]), &self.device);
        let states = Observations::states(&states[..rows * width], width, &self.device);
        host(self.acting.act(states, skills))
    }
}
