//! Euler's method on the probability-flow equation (Karras et al., arXiv 2206.00364).

use burn::tensor::Tensor;

use super::churn::Churn;
use crate::diffusion::sampler::{Denoise, Noise, Progress, Sampler, Step, slope};

/// `x <- x + (s' - s) dx/ds`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Euler {
    /// Noise added before a step.
    pub churn: Churn,
}

impl Sampler for Euler {
    fn step(
        &mut self,
        state: Tensor<3>,
        step: Step<'_>,
        denoise: &mut Denoise<'_>,
        noise: &mut Noise<'_>,
    ) -> Progress {
        let (state, sigma) = self.churn.raise(state, step, noise);
        let clean = denoise(&state, sigma);
        let slope = slope(&state, &clean, sigma);
        Progress {
            state: state + slope * (step.next() - sigma),
            clean,
        }
    }
}
