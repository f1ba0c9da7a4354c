//! Fresh noise before a step (Karras et al., arXiv 2206.00364, algorithm 2).

use std::f64::consts::SQRT_2;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::diffusion::sampler::{Noise, Step};

/// How much noise is added where. None by default, which makes a sampler deterministic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Churn {
    /// Amount over all steps.
    pub amount: f64,
    /// Least level at which noise is added.
    pub least: f64,
    /// Greatest level at which noise is added; `None` for all.
    pub greatest: Option<f64>,
    /// Factor of the added noise; `None` for 1.
    pub noise: Option<f64>,
}

impl Churn {
    /// What is wrong, if anything.
    pub fn problem(&self) -> Option<String> {
        let numbers = [
            self.amount,
            self.least,
            self.greatest.unwrap_or_default(),
            self.noise.unwrap_or_default(),
        ];
        let fine = numbers
            .iter()
            .all(|&number| number >= 0.0 && number.is_finite());
        (!fine).then(|| "churn must be finite and not negative".into())
    }

    /// The state with its noise raised, and its level then.
    pub(super) fn raise(
        &self,
        state: Tensor<3>,
        step: Step<'_>,
        noise: &mut Noise<'_>,
    ) -> (Tensor<3>, f64) {
        let sigma = step.sigma();
        if self.amount <= 0.0 {
            return (state, sigma);
        }
        // Drawn at every step, so that what is drawn does not depend on the window.
        let fresh = noise();
        let inside = sigma >= self.least && self.greatest.is_none_or(|most| sigma <= most);
        if !inside {
            return (state, sigma);
        }
        let factor = (self.amount / step.count().max(1) as f64).min(SQRT_2 - 1.0);
        let raised = sigma * (1.0 + factor);
        let added = (raised * raised - sigma * sigma).sqrt() * self.noise.unwrap_or(1.0);
        (state + fresh * added, raised)
    }
}
