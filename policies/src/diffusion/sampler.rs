//! From noise to actions.

use burn::tensor::Tensor;

/// Where a sampler is: the state after a step.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The noisy state at the next noise level.
    pub state: Tensor<3>,
    /// The network's estimate of the clean actions: valid after any step.
    pub clean: Tensor<3>,
}

/// One rule for going from a noise level to the next.
///
/// The caller owns the loop, so that it can stop between steps when time is up.
pub trait Sampler {
    /// One step from `sigma` to `next`. `denoise` estimates the clean actions from a noisy state
    /// and the level.
    ///
    /// # Errors
    /// Those of `denoise`.
    fn step<E>(
        &self,
        state: Tensor<3>,
        sigma: f64,
        next: f64,
        denoise: &mut dyn FnMut(&Tensor<3>, f64) -> Result<Tensor<3>, E>,
    ) -> Result<Progress, E>;
}

/// DDIM without noise (Song et al., arXiv 2010.02502), which is the first-order DPM-Solver:
/// `x <- (s'/s) x + (1 - s'/s) D(x, s)`; the step to 0 gives `D` itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ddim;

impl Sampler for Ddim {
    fn step<E>(
        &self,
        state: Tensor<3>,
        sigma: f64,
        next: f64,
        denoise: &mut dyn FnMut(&Tensor<3>, f64) -> Result<Tensor<3>, E>,
    ) -> Result<Progress, E> {
        let clean = denoise(&state, sigma)?;
        let state = if next > 0.0 {
            let keep = next / sigma;
            state * keep + clean.clone() * (1.0 - keep)
        } else {
            clean.clone()
        };
        Ok(Progress { state, clean })
    }
}
