//! Networks that act, on rows of numbers in main memory: many worlds side by side.

use burn::tensor::{Device, Tensor, TensorData};

use super::planning::Midpoints;
use super::skills::towards;
use super::variant::{Acting, VariantConfig};
use super::{Observations, statistics::host};

/// Acts on states that are vectors. All rows are row-major, one after the other.
#[derive(Clone, Debug)]
pub struct StatePilot {
    acting: Acting,
    width: usize,
    phi: usize,
    length: f32,
    device: Device,
}

impl StatePilot {
    /// Networks on `device` whose observations are vectors.
    pub fn new(acting: Acting, config: &VariantConfig, device: Device) -> Self {
        Self {
            acting,
            width: config.observation().len(),
            phi: config.phi_dim(),
            length: config.skill_length(),
            device,
        }
    }

    /// φ of each state.
    pub fn phi(&self, states: &[f32]) -> Vec<f32> {
        if states.len() < self.width {
            return Vec::new();
        }
        let states = Observations::states(states, self.width, &self.device);
        host(self.acting.phi(states))
    }

    /// The action of each state on the way to φ of a goal of its own: straight, or by the midpoint
    /// on that way that is nearest to it.
    pub fn act(&self, states: &[f32], goals: &[f32], midpoints: Option<&Midpoints>) -> Vec<f32> {
        let phi = self.phi(states);
        let ways = phi.chunks_exact(self.phi).zip(goals.chunks_exact(self.phi));
        let skills = ways.flat_map(|(here, goal)| {
            let near = midpoints.and_then(|midpoints| midpoints.plan(here, goal).pop());
            let near = near.map(|midpoint| midpoint.phi);
            towards(here, near.as_deref().unwrap_or(goal), self.length)
        });
        let skills = skills.collect::<Vec<_>>();
        let rows = skills.len() / self.phi.max(1);
        if rows == 0 {
            return Vec::new();
        }
        let skills = Tensor::from_data(TensorData::new(skills, [rows, self.phi]), &self.device);
        let states = Observations::states(&states[..rows * self.width], self.width, &self.device);
        host(self.acting.act(states, skills))
    }
}
