//! Noise levels that a network is trained at.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::densities;

/// A density of training noise levels on `[sigma_min, sigma_max]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Density {
    /// Log-logistic around `sigma_data` with scale 0.5, truncated (the default of MDT).
    #[default]
    LogLogistic,
    /// Uniform in `ln sigma`.
    LogUniform,
    /// See [`densities::uniform`].
    Uniform,
    /// See [`densities::v_diffusion`].
    VDiffusion,
}

/// Scale of [`Density::LogLogistic`].
const LOGISTIC_SCALE: f64 = 0.5;

/// Bounds of a density and the scale of the data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseRange {
    /// Least noise level.
    pub sigma_min: f64,
    /// Greatest noise level.
    pub sigma_max: f64,
    /// Standard deviation of clean data.
    pub sigma_data: f64,
}

impl Density {
    /// Inverse of the distribution function: the noise level at `u` in [0, 1).
    pub fn quantile(self, u: f64, range: NoiseRange) -> f64 {
        let NoiseRange {
            sigma_min,
            sigma_max,
            sigma_data,
        } = range;
        match self {
            Self::LogLogistic => {
                let location = sigma_data.ln();
                let cdf = |s: f64| 1.0 / (1.0 + (-(s.ln() - location) / LOGISTIC_SCALE).exp());
                let (low, high) = (cdf(sigma_min), cdf(sigma_max));
                let u = low + (high - low) * u;
                (location + LOGISTIC_SCALE * (u / (1.0 - u)).ln()).exp()
            }
            Self::Uniform => densities::uniform(u, range),
            Self::VDiffusion => densities::v_diffusion(u, range),
            Self::LogUniform => (sigma_min.ln() + (sigma_max.ln() - sigma_min.ln()) * u).exp(),
        }
    }

    /// One draw.
    pub fn draw(self, range: NoiseRange, rng: &mut impl Rng) -> f64 {
        self.quantile(rng.random::<f64>(), range)
    }
}
