//! Noise levels of the variance-preserving process (Song et al., arXiv 2011.13456, in the
//! parameters of Karras et al., arXiv 2206.00364, table 1).

use super::grid;

/// Growth of the noise rate over time.
const BETA_GROWTH: f64 = 19.9;
/// Noise rate at time 0.
const BETA_MIN: f64 = 0.1;
/// Time of the last level before zero.
const LAST_TIME: f64 = 1e-3;

/// `sqrt(exp(B t² / 2 + b t) - 1)` at `steps` times from 1 to 0.001, then 0. The process has its own
/// bounds: about 152 and 0.01.
pub fn variance_preserving(steps: usize) -> Vec<f64> {
    let level = |time: f64| {
        (BETA_GROWTH * time * time / 2.0 + BETA_MIN * time)
            .exp_m1()
            .sqrt()
    };
    grid(1.0, LAST_TIME, steps)
        .map(level)
        .chain([0.0])
        .collect()
}
