//! A midpoint method on the logarithmic scale of noise, after DPM-Solver-2 (Lu et al., arXiv
//! 2206.00927).

use burn::tensor::Tensor;

use super::churn::Churn;
use crate::diffusion::sampler::{Denoise, Noise, Progress, Sampler, Step, midway, slope};

/// Euler's step to the middle, then the whole step with the slope there. The step to 0 is Euler's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dpm2 {
    /// Noise added before a step.
    pub churn: Churn,
}

impl Sampler for Dpm2 {
    fn step(
        &mut self,
        state: Tensor<3>,
        step: Step<'_>,
        denoise: &mut Denoise<'_>,
        noise: &mut Noise<'_>,
    ) -> Progress {
        let (state, sigma) = self.churn.raise(state, step, noise);
        midpoint(state, [sigma, step.next()], denoise)
    }
}

/// The step from the first to the second level.
pub(super) fn midpoint(
    state: Tensor<3>,
    [sigma, next]: [f64; 2],
    denoise: &mut Denoise<'_>,
) -> Progress {
    let clean = denoise(&state, sigma);
    let first = slope(&state, &clean, sigma);
    if next <= 0.0 {
        return Progress {
            state: state + first * (next - sigma),
            clean,
        };
    }
    let middle = midway(sigma, next);
    let half = state.clone() + first * (middle - sigma);
    let clean = denoise(&half, middle);
    let second = slope(&half, &clean, middle);
    Progress {
        state: state + second * (next - sigma),
        clean,
    }
}
