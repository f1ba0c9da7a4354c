//! Noise levels of improved DDPM (Nichol and Dhariwal, arXiv 2102.09672), as continuous levels by
//! Karras et al. (arXiv 2206.00364, table 1).

use std::f64::consts::FRAC_PI_2;

/// Levels of the discrete process.
const LEVELS: usize = 1000;
/// Least share of signal that one level keeps.
const LEAST_SHARE: f64 = 0.001;
/// Offset of the cosine.
const OFFSET: f64 = 0.008;

/// `steps` of the discrete process's levels that lie in `[sigma_min, sigma_max]`, evenly picked,
/// then 0. Only the 0 if none lies there.
pub fn iddpm(steps: usize, sigma_min: f64, sigma_max: f64) -> Vec<f64> {
    let signal = |level: usize| {
        let angle = FRAC_PI_2 * level as f64 / LEVELS as f64 / (OFFSET + 1.0);
        angle.sin().powi(2)
    };
    // From no noise at level 1000 up to level 0.
    let mut levels = vec![0.0; LEVELS + 1];
    for level in (1..=LEVELS).rev() {
        let share = (signal(level - 1) / signal(level)).max(LEAST_SHARE);
        levels[level - 1] = ((levels[level] * levels[level] + 1.0) / share - 1.0).sqrt();
    }
    levels.retain(|level| (sigma_min..=sigma_max).contains(level));
    let gap = levels.len().saturating_sub(1) as f64 / steps.saturating_sub(1).max(1) as f64;
    (0..steps)
        // Halves go to the even number, as the reference rounds.
        .filter_map(|i| {
            levels
                .get((gap * i as f64).round_ties_even() as usize)
                .copied()
        })
        .chain([0.0])
        .collect()
}
