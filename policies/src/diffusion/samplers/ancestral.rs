//! Samplers that remove more noise than a step asks for and add fresh noise.

use burn::tensor::Tensor;

use super::dpm_2::midpoint;
use crate::diffusion::ancestral::Split;
use crate::diffusion::sampler::{Denoise, Noise, Progress, Sampler, Step, slope};

/// Euler's method down to the lower level of the split, then fresh noise.
#[derive(Clone, Copy, Debug)]
pub struct EulerAncestral {
    /// Share of the greatest possible fresh noise.
    pub eta: f64,
}

impl Sampler for EulerAncestral {
    fn step(
        &mut self,
        state: Tensor<3>,
        step: Step<'_>,
        denoise: &mut Denoise<'_>,
        noise: &mut Noise<'_>,
    ) -> Progress {
        let sigma = step.sigma();
        let split = Split::new(sigma, step.next(), self.eta);
        let clean = denoise(&state, sigma);
        let slope = slope(&state, &clean, sigma);
        let state = state + slope * (split.down - sigma);
        Progress {
            state: renewed(state, split, noise),
            clean,
        }
    }
}

/// [`super::Dpm2`]'s step down to the lower level of the split, then fresh noise.
#[derive(Clone, Copy, Debug)]
pub struct Dpm2Ancestral {
    /// Share of the greatest possible fresh noise.
    pub eta: f64,
}

impl Sampler for Dpm2Ancestral {
    fn step(
        &mut self,
        state: Tensor<3>,
        step: Step<'_>,
        denoise: &mut Denoise<'_>,
        noise: &mut Noise<'_>,
    ) -> Progress {
        let sigma = step.sigma();
        let split = Split::new(sigma, step.next(), self.eta);
        let progress = midpoint(state, [sigma, split.down], denoise);
        Progress {
            state: renewed(progress.state, split, noise),
            ..progress
        }
    }
}

/// Fresh noise, unless all noise was removed.
fn renewed(state: Tensor<3>, split: Split, noise: &mut Noise<'_>) -> Tensor<3> {
    if split.down > 0.0 {
        state + noise() * split.up
    } else {
        state
    }
}
