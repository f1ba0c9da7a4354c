//! DPM-Solver++(2S), the single-step variant (Lu et al., arXiv 2211.01095), with or without fresh
//! noise.

use burn::tensor::Tensor;

use crate::diffusion::ancestral::Split;
use crate::diffusion::sampler::{Denoise, Noise, Progress, Sampler, Step, midway, towards};

/// The exponential integrator's step with the estimate of the middle.
#[derive(Clone, Copy, Debug)]
pub struct DpmPp2s {
    /// Fresh noise, if any.
    pub fresh: Option<Fresh>,
}

/// Fresh noise after a step.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Share of the greatest possible fresh noise.
    pub eta: f64,
    /// Factor of the added noise.
    pub noise: f64,
}

impl Sampler for DpmPp2s {
    fn step(
        &mut self,
        state: Tensor<3>,
        step: Step<'_>,
        denoise: &mut Denoise<'_>,
        noise: &mut Noise<'_>,
    ) -> Progress {
        let sigma = step.sigma();
        let split = Split::new(
            sigma,
            step.next(),
            self.fresh.map_or(0.0, |fresh| fresh.eta),
        );
        let mut clean = denoise(&state, sigma);
        if split.down > 0.0 {
            let middle = midway(sigma, split.down);
            let half = towards(&state, &clean, sigma, middle);
            clean = denoise(&half, middle);
        }
        let mut state = towards(&state, &clean, sigma, split.down);
        if let Some(fresh) = self.fresh {
            // Drawn at the last step too, where none is added.
            state = state + noise() * (split.up * fresh.noise);
        }
        Progress { state, clean }
    }
}
