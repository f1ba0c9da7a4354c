//! DPM-Solver++(2M), the multistep variant (Lu et al., arXiv 2211.01095).

use burn::tensor::Tensor;

use crate::diffusion::sampler::{Denoise, Noise, Progress, Sampler, Step, towards};

/// The exponential integrator's step with the estimate extrapolated from the last two.
#[derive(Clone, Debug, Default)]
pub struct DpmPp2m {
    /// The last estimate and the log-step that it was made for.
    last: Option<(Tensor<3>, f64)>,
}

impl Sampler for DpmPp2m {
    fn step(
        &mut self,
        state: Tensor<3>,
        step: Step<'_>,
        denoise: &mut Denoise<'_>,
        _: &mut Noise<'_>,
    ) -> Progress {
        let (sigma, next) = (step.sigma(), step.next());
        let clean = denoise(&state, sigma);
        let length = (sigma / next).ln();
        let ahead = match &self.last {
            Some((last, last_length)) if next > 0.0 => {
                let weight = length / (2.0 * last_length);
                clean.clone() * (1.0 + weight) - last.clone() * weight
            }
            _ => clean.clone(),
        };
        self.last = Some((clean.clone(), length));
        Progress {
            state: towards(&state, &ahead, sigma, next),
            clean,
        }
    }
}
