//! Densities of training noise levels as plain functions of the draw. [`super::Density`] offers
//! those that the authors' agent can be configured with.

use std::f64::consts::FRAC_PI_2;

use super::density::NoiseRange;

/// `exp(mean + deviation * normal)` for a unit normal draw (Karras et al., arXiv 2206.00364).
pub fn lognormal(normal: f64, mean: f64, deviation: f64) -> f64 {
    (mean + deviation * normal).exp()
}

/// A log-normal density with another width on each side of its peak: below it with probability
/// `below / (below + above)`, which `uniform` decides; `normal` is a unit normal draw whose sign is
/// not used.
pub fn split_lognormal(uniform: f64, normal: f64, peak: f64, below: f64, above: f64) -> f64 {
    let distance = normal.abs();
    if uniform < below / (below + above) {
        (peak - distance * below).exp()
    } else {
        (peak + distance * above).exp()
    }
}

/// Uniform between the bounds, for `uniform` in [0, 1).
pub fn uniform(uniform: f64, range: NoiseRange) -> f64 {
    range.sigma_min + (range.sigma_max - range.sigma_min) * uniform
}

/// The density of v-diffusion with a cosine schedule (Salimans and Ho, arXiv 2202.00512):
/// `sigma_data tan(pi/2 u)`, with `u` uniform between the values that give the bounds.
pub fn v_diffusion(uniform: f64, range: NoiseRange) -> f64 {
    let cdf = |sigma: f64| (sigma / range.sigma_data).atan() / FRAC_PI_2;
    let (low, high) = (cdf(range.sigma_min), cdf(range.sigma_max));
    range.sigma_data * (FRAC_PI_2 * (low + (high - low) * uniform)).tan()
}
