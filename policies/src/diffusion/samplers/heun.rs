//! Heun's method on the probability-flow equation (Karras et al., arXiv 2206.00364, algorithm 2).

use burn::tensor::Tensor;

use super::churn::Churn;
use crate::diffusion::sampler::{Denoise, Noise, Progress, Sampler, Step, slope};

/// Euler's step, then again with the mean of the slopes at both ends. The step to 0 is Euler's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heun {
    /// Noise added before a step.
    pub churn: Churn,
}

impl Sampler for Heun {
    fn step(
        &mut self,
        state: Tensor<3>,
        step: Step<'_>,
        denoise: &mut Denoise<'_>,
        noise: &mut Noise<'_>,
    ) -> Progress {
        let next = step.next();
        let (state, sigma) = self.churn.raise(state, step, noise);
        let clean = denoise(&state, sigma);
        let first = slope(&state, &clean, sigma);
        let ahead = state.clone() + first.clone() * (next - sigma);
        if next <= 0.0 {
            return Progress {
                state: ahead,
                clean,
            };
        }
        let clean = denoise(&ahead, next);
        let second = slope(&ahead, &clean, next);
        Progress {
            state: state + (first + second) * ((next - sigma) / 2.0),
            clean,
        }
    }
}
