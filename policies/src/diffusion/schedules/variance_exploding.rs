//! Noise levels of the variance-exploding process (Song et al., arXiv 2011.13456).

use super::grid;

/// `sigma_max (sigma_min / sigma_max)^(t / (steps - 1))` at `steps` times `t` from 0 to
/// `steps + 1`, then 0.
///
/// The times end two steps late, as in the authors' code: the last level lies below `sigma_min`.
pub fn variance_exploding(steps: usize, sigma_min: f64, sigma_max: f64) -> Vec<f64> {
    let ratio = sigma_min / sigma_max;
    let last = steps.saturating_sub(1).max(1) as f64;
    grid(0.0, (steps + 1) as f64, steps)
        .map(|time| sigma_max * ratio.powf(time / last))
        .chain([0.0])
        .collect()
}
