//! The stochastic DPM-Solver++ with two stages (Lu et al., arXiv 2211.01095). The authors of MDT
//! call it `dpmpp_2m_sde`.

use burn::tensor::Tensor;

use crate::diffusion::ancestral::Split;
use crate::diffusion::sampler::{Denoise, Noise, Progress, Sampler, Step, towards};

/// Fresh noise in the middle and at the end of a step; the step to 0 is Euler's.
#[derive(Clone, Copy, Debug)]
pub struct DpmPpSde {
    /// Share of the greatest possible fresh noise.
    pub eta: f64,
    /// Factor of the added noise.
    pub noise: f64,
    /// Where the middle lies on the logarithmic scale, in (0, 1].
    pub middle: f64,
}

impl Sampler for DpmPpSde {
    fn step(
        &mut self,
        state: Tensor<3>,
        step: Step<'_>,
        denoise: &mut Denoise<'_>,
        noise: &mut Noise<'_>,
    ) -> Progress {
        let (sigma, next) = (step.sigma(), step.next());
        let first = denoise(&state, sigma);
        if next <= 0.0 {
            return Progress {
                state: first.clone(),
                clean: first,
            };
        }
        let middle = sigma * (next / sigma).powf(self.middle);
        let split = Split::new(sigma, middle, self.eta);
        let half = towards(&state, &first, sigma, split.down) + noise() * (split.up * self.noise);
        let second = denoise(&half, middle);

        let weight = (2.0 * self.middle).recip();
        let clean = first * (1.0 - weight) + second * weight;
        let split = Split::new(sigma, next, self.eta);
        let state = towards(&state, &clean, sigma, split.down) + noise() * (split.up * self.noise);
        Progress { state, clean }
    }
}
