//! From noise to actions.

use burn::tensor::Tensor;

use super::Schedule;

/// Where a sampler is: the state after a step.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The noisy state at the next noise level.
    pub state: Tensor<3>,
    /// The network's estimate of the clean actions: valid after any step.
    pub clean: Tensor<3>,
}

/// One step among those of a schedule.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// All noise levels, from the greatest on; one more than there are steps.
    pub levels: &'a [f64],
    /// Which step, from 0 on.
    pub index: usize,
}

impl Step<'_> {
    /// The level that the step begins at.
    pub fn sigma(&self) -> f64 {
        self.level(self.index)
    }

    /// The level that it leads to.
    pub fn next(&self) -> f64 {
        self.level(self.index + 1)
    }

    /// How many steps there are in all.
    pub const fn count(&self) -> usize {
        self.levels.len().saturating_sub(1)
    }

    fn level(&self, index: usize) -> f64 {
        self.levels.get(index).copied().unwrap_or(0.0)
    }
}

/// Estimates the clean actions from a noisy state and its level.
pub type Denoise<'a> = dyn FnMut(&Tensor<3>, f64) -> Tensor<3> + 'a;
/// Draws unit normal noise of the state's shape.
pub type Noise<'a> = dyn FnMut() -> Tensor<3> + 'a;

/// One rule for going from a noise level to the next.
///
/// The caller owns the loop, so that it can stop between steps when time is up. A sampler may
/// remember earlier steps: it is made anew for every chunk.
pub trait Sampler: Send {
    /// The levels to go through, where the rule has its own; else those of the schedule.
    fn levels(&self, schedule: Schedule, steps: usize, range: [f64; 2]) -> Vec<f64> {
        let [sigma_min, sigma_max] = range;
        schedule.sigmas(steps, sigma_min, sigma_max)
    }

    /// One step from `state`.
    fn step(
        &mut self,
        state: Tensor<3>,
        step: Step<'_>,
        denoise: &mut Denoise<'_>,
        noise: &mut Noise<'_>,
    ) -> Progress;
}

/// Slope of the probability-flow equation, `dx/ds = (x - D(x, s)) / s`.
pub(super) fn slope(state: &Tensor<3>, clean: &Tensor<3>, sigma: f64) -> Tensor<3> {
    (state.clone() - clean.clone()) / sigma
}

/// The exponential integrator's step with a constant estimate: `(s'/s) x + (1 - s'/s) D`, which is
/// `D` for `s' = 0`.
pub(super) fn towards(state: &Tensor<3>, clean: &Tensor<3>, sigma: f64, next: f64) -> Tensor<3> {
    if next <= 0.0 {
        return clean.clone();
    }
    let keep = next / sigma;
    state.clone() * keep + clean.clone() * (1.0 - keep)
}

/// Half way between two levels on the logarithmic scale.
pub(super) fn midway(sigma: f64, next: f64) -> f64 {
    (sigma * next).sqrt()
}
