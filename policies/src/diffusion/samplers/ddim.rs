//! DDIM without noise (Song et al., arXiv 2010.02502), which is the first-order DPM-Solver.

use burn::tensor::Tensor;

use crate::diffusion::sampler::{Denoise, Noise, Progress, Sampler, Step, towards};

/// `x <- (s'/s) x + (1 - s'/s) D(x, s)`; the step to 0 gives `D` itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ddim;

impl Sampler for Ddim {
    fn step(
        &mut self,
        state: Tensor<3>,
        step: Step<'_>,
        denoise: &mut Denoise<'_>,
        _: &mut Noise<'_>,
    ) -> Progress {
        let clean = denoise(&state, step.sigma());
        Progress {
            state: towards(&state, &clean, step.sigma(), step.next()),
            clean,
        }
    }
}
