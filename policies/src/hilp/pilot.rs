//! Networks that act, on rows of numbers in main memory: many worlds side by side.

use burn::tensor::{Device, Tensor, TensorData};

use super::planning::Midpoints;
use super::variant::Acting;
use super::{Observations, statistics::host};

/// Acts on states that are vectors. All rows are row-major, one after the other.
#[derive(Clone, Debug)]
pub struct StatePilot {
    acting: Acting,
    width: usize,
    device: Device,
}

impl StatePilot {
    /// Networks on `device` for states of `width` numbers.
    pub const fn new(acting: Acting, width: usize, device: Device) -> Self {
        Self {
            acting,
            width,
            device,
        }
    }

    fn rows(&self, states: &[f32]) -> Observations {
        Observations::states(states, self.width, &self.device)
    }

    /// φ of each state.
    pub fn phi(&self, states: &[f32]) -> Vec<f32> {
        if states.len() < self.width {
            return Vec::new();
        }
        host(self.acting.phi(self.rows(states)))
    }

    /// The action of each state on the way to φ of a goal of its own.
    pub fn act(&self, states: &[f32], goals: &[f32]) -> Vec<f32> {
        if states.len() < self.width {
            return Vec::new();
        }
        let states = self.rows(states);
        let phi = self.acting.phi(states.clone());
        let shape = phi.dims();
        let goals = Tensor::from_data(TensorData::new(goals.to_vec(), shape), &self.device);
        let skills = self.acting.skill_towards(phi, goals);
        host(self.acting.act(states, skills))
    }

    /// As [`StatePilot::act`], each by the midpoint on its way that is nearest to it.
    pub fn act_over(&self, states: &[f32], goals: &[f32], midpoints: &Midpoints) -> Vec<f32> {
        let phi = self.phi(states);
        let width = goals.len() * self.width / states.len().max(1);
        let ways = phi
            .chunks_exact(width.max(1))
            .zip(goals.chunks_exact(width.max(1)));
        let targets = ways.flat_map(|(here, goal)| {
            let last = midpoints.plan(here, goal).pop();
            last.map_or_else(|| goal.to_vec(), |midpoint| midpoint.phi)
        });
        self.act(states, &targets.collect::<Vec<_>>())
    }
}
