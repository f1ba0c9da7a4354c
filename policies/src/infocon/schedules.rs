//! What changes over a training run.

use std::f64::consts::PI;

/// Weight of the key-state loss at `progress` (0 to 1): from 0 to 1 over the first half.
pub fn future_weight(progress: f64) -> f64 {
    (2.0 * progress).min(1.0)
}

/// Weight of a step's own concept from which on it is no longer pushed up: from 0.5 to 1 over the
/// first half.
pub fn confidence(progress: f64) -> f64 {
    0.5 + 0.5 * future_weight(progress)
}

/// Share of steps, those with the worst action predictions, whose concepts are left alone (an option
/// of the authors' code): from 1 to 0.
pub fn masked_share(progress: f64) -> f64 {
    (0.5 + 0.5 * (PI * progress).cos()).powi(10)
}

/// Factor of the learning rate at `step`: linear warm-up from 0, then half a cosine over the rest of
/// `total` steps, never below a tenth.
pub fn warm_cosine(step: u64, warm_up: u64, total: u64) -> f64 {
    if step <= warm_up {
        return if warm_up == 0 {
            1.0
        } else {
            step as f64 / warm_up as f64
        };
    }
    let rest = total.saturating_sub(warm_up).max(1) as f64;
    let progress = (step - warm_up) as f64 / rest;
    (0.5 * (1.0 + (PI * progress).cos())).max(0.1)
}

/// Factor of the learning rate at `step`: `gamma` to the number of milestones reached.
pub fn multi_step(step: u64, milestones: &[u64], gamma: f64) -> f64 {
    let reached = milestones.iter().filter(|&&milestone| step >= milestone);
    gamma.powf(reached.count() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_rise_over_the_first_half() {
        assert_eq!((future_weight(0.0), future_weight(0.25)), (0.0, 0.5));
        assert_eq!((future_weight(0.5), future_weight(1.0)), (1.0, 1.0));
        assert_eq!((confidence(0.0), confidence(0.5)), (0.5, 1.0));
        assert_eq!((masked_share(0.0), masked_share(1.0)), (1.0, 0.0));
        assert!((masked_share(0.5) - 0.5f64.powi(10)).abs() < 1e-12);
    }

    #[test]
    fn the_first_step_has_rate_zero_and_the_last_a_tenth() {
        assert_eq!(warm_cosine(0, 1000, 5000), 0.0);
        assert_eq!(warm_cosine(500, 1000, 5000), 0.5);
        assert_eq!(warm_cosine(1000, 1000, 5000), 1.0);
        assert!((warm_cosine(3000, 1000, 5000) - 0.5).abs() < 1e-12);
        assert_eq!(warm_cosine(5000, 1000, 5000), 0.1);
        assert_eq!(warm_cosine(0, 0, 10), 1.0);
    }

    #[test]
    fn milestones_count_from_their_own_step() {
        let factors = (0..4).map(|step| multi_step(step, &[1, 3], 0.5));
        assert_eq!(factors.collect::<Vec<_>>(), [1.0, 0.5, 0.5, 0.25]);
    }
}
