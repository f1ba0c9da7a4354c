//! The cosine rule for noise rates (Nichol and Dhariwal, arXiv 2102.09672).

use std::f64::consts::FRAC_PI_2;

/// Offset of the cosine.
const OFFSET: f64 = 0.008;
/// Greatest rate.
const MOST: f64 = 0.999;

/// The noise rates of `steps` discrete steps, the greatest first, then 0.
///
/// These are rates (betas) and not levels; the authors' code offers them among the levels, where
/// they make no useful schedule.
pub fn cosine_beta(steps: usize) -> Vec<f64> {
    let count = (steps + 1) as f64;
    let kept = |step: usize| {
        let angle = (step as f64 * (count / steps.max(1) as f64) / count + OFFSET) / (1.0 + OFFSET);
        (angle * FRAC_PI_2).cos().powi(2)
    };
    (1..=steps)
        .rev()
        .map(|step| (1.0 - kept(step) / kept(step - 1)).clamp(0.0, MOST))
        .chain([0.0])
        .collect()
}
