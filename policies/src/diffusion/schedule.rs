//! Noise levels that a sampler goes through.

use serde::{Deserialize, Serialize};

use super::schedules::{iddpm, variance_exploding, variance_preserving};

/// A rule for `n` decreasing noise levels; a final zero is appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Equal steps of `ln sigma` (the default of MDT).
    #[default]
    Exponential,
    /// Equal steps of `sigma^(1/7)` (Karras et al., equation 5).
    Karras,
    /// Equal steps of `sigma`.
    Linear,
    /// See [`variance_preserving`], which has its own bounds.
    VariancePreserving,
    /// See [`variance_exploding`], which ends below `sigma_min`.
    VarianceExploding,
    /// See [`iddpm`]. Fewer levels if few lie between the bounds.
    Iddpm,
}

/// Curvature of [`Schedule::Karras`].
const RHO: f64 = 7.0;

/// A scale on which levels are equally spaced, or the way back from it.
type Map = fn(f64) -> f64;

impl Schedule {
    /// `steps + 1` levels from `sigma_max` to `sigma_min`, then 0. Empty if `steps` is 0; for one
    /// step, `sigma_max` and 0.
    pub fn sigmas(self, steps: usize, sigma_min: f64, sigma_max: f64) -> Vec<f64> {
        if steps == 0 {
            return Vec::new();
        }
        let (to, from): (Map, Map) = match self {
            Self::Exponential => (f64::ln, f64::exp),
            Self::Karras => (|s| s.powf(RHO.recip()), |s| s.powf(RHO)),
            Self::Linear => (|s| s, |s| s),
            Self::VariancePreserving => return variance_preserving(steps),
            Self::VarianceExploding => return variance_exploding(steps, sigma_min, sigma_max),
            Self::Iddpm => return iddpm(steps, sigma_min, sigma_max),
        };
        let (start, end) = (to(sigma_max), to(sigma_min));
        let last = (steps - 1).max(1) as f64;
        (0..steps)
            .map(|i| from(start + (end - start) * i as f64 / last))
            .chain([0.0])
            .collect()
    }
}
