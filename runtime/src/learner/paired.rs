//! Whether paired losses differ by more than chance: a one-sided t test on block means.
//!
//! Two sets of weights are evaluated on the same windows with the same noise, so that what the
//! windows have in common cancels. Neighbouring windows overlap and look alike; treating each as
//! independent would make chance look like skill. The differences, in order of time, are therefore
//! cut into `B` consecutive blocks of equal size (to one), and the test is done on the block means
//! (the method of batch means, Law and Kelton):
//!
//! ```text
//! d_i = gain of window i          m_b = mean of d over block b
//! t   = mean(m) / (s(m) / √B)     p   = P(T ≥ t),  T ~ Student with B − 1 degrees of freedom
//! ```
//!
//! `p` is small if a positive mean gain is unlikely to be chance.

use std::f64::consts::PI;

/// What a test found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// Mean of the gains.
    pub mean: f64,
    /// Blocks used.
    pub blocks: usize,
    /// Probability of a mean block gain at least this large if there was no gain in truth.
    pub p: f64,
}

/// Tests whether the mean of `gains` (in order of time) is above zero. `None` if there are fewer
/// than two blocks, or a gain is not finite.
pub fn paired_test(gains: &[f64], blocks: usize) -> Option<Paired> {
    let blocks = blocks.min(gains.len());
    if blocks < 2 || gains.iter().any(|gain| !gain.is_finite()) {
        return None;
    }
    let means: Vec<f64> = (0..blocks)
        .filter_map(|block| {
            let from = block * gains.len() / blocks;
            let to = (block + 1) * gains.len() / blocks;
            gains.get(from..to).map(mean)
        })
        .collect();
    let count = means.len() as f64;
    let centre = mean(&means);
    let variance = means.iter().map(|m| (m - centre).powi(2)).sum::<f64>() / (count - 1.0);
    let error = (variance / count).sqrt();
    let p = if error > 0.0 {
        student_above(centre / error, blocks - 1)
    } else if centre > 0.0 {
        0.0
    } else {
        1.0
    };
    Some(Paired {
        mean: mean(gains),
        blocks,
        p,
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// P(T ≥ t) for Student's distribution with a whole number of degrees of freedom, at least one.
///
/// The finite series for whole degrees of freedom of Abramowitz and Stegun, 26.7.3 and 26.7.4,
/// with θ = atan(t / √ν).
pub fn student_above(t: f64, freedom: usize) -> f64 {
    let theta = (t.abs() / (freedom.max(1) as f64).sqrt()).atan();
    let (sin, cos) = theta.sin_cos();
    let within = if freedom % 2 == 1 {
        // 2/π (θ + sin θ (cos θ + 2/3 cos³ θ + (2·4)/(3·5) cos⁵ θ + …))
        let (mut term, mut sum) = (cos, 0.0);
        let mut power = 1;
        while power + 2 <= freedom {
            sum += term;
            power += 2;
            term *= cos * cos * (power - 1) as f64 / power as f64;
        }
        2.0 / PI * (theta + sin * sum)
    } else {
        // sin θ (1 + 1/2 cos² θ + (1·3)/(2·4) cos⁴ θ + …)
        let (mut term, mut sum) = (1.0, 0.0);
        let mut power = 0;
        while power + 2 <= freedom {
            sum += term;
            power += 2;
            term *= cos * cos * (power - 1) as f64 / power as f64;
        }
        sin * sum
    };
    let tail = ((1.0 - within) / 2.0).clamp(0.0, 0.5);
    if t >= 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn the_distribution_agrees_with_published_quantiles() {
        // One-sided 95 % and 99 % points of the usual tables.
        for (freedom, t, p) in [
            (1, 6.3138, 0.05),
            (2, 2.9200, 0.05),
            (3, 2.3534, 0.05),
            (4, 2.1318, 0.05),
            (7, 1.8946, 0.05),
            (7, 2.9980, 0.01),
            (10, 2.7638, 0.01),
            (30, 1.6973, 0.05),
        ] {
            let found = student_above(t, freedom);
            assert!((found - p).abs() < 2e-5, "ν {freedom}, t {t}: {found}");
            assert!((student_above(-t, freedom) - (1.0 - p)).abs() < 2e-5);
        }
        assert_eq!(student_above(0.0, 5), 0.5);
    }

    #[test]
    fn no_difference_is_never_a_gain() {
        let test = paired_test(&[0.0; 40], 8).unwrap();
        assert_eq!((test.mean, test.p), (0.0, 1.0));
    }

    #[test]
    fn a_steady_gain_is_seen_and_a_steady_loss_is_not() {
        let gains: Vec<f64> = (0..40).map(|i| 0.1 + 0.01 * f64::from(i % 7)).collect();
        assert!(paired_test(&gains, 8).unwrap().p < 1e-4);
        let losses: Vec<f64> = gains.iter().map(|gain| -gain).collect();
        assert!(paired_test(&losses, 8).unwrap().p > 0.999);
        assert_eq!(paired_test(&[0.1; 8], 4).unwrap().p, 0.0);
    }

    #[test]
    fn too_few_or_not_finite_is_no_test() {
        assert_eq!(paired_test(&[1.0], 8), None);
        assert_eq!(paired_test(&[], 8), None);
        assert_eq!(paired_test(&[1.0, f64::NAN, 1.0], 3), None);
    }

    /// A gain in one block only, however many windows it has, is not called significant: an
    /// ordinary test over windows would.
    #[test]
    fn a_lucky_stretch_is_not_significant() {
        let gains: Vec<f64> = (0..80)
            .map(|i| {
                if (20..30).contains(&i) {
                    1.0
                } else {
                    0.01 * f64::from(i % 3 - 1)
                }
            })
            .collect();
        assert!(paired_test(&gains, 8).unwrap().p > 0.1);
        assert!(paired_test(&gains, 80).unwrap().p < 0.01);
    }

    /// With correlated noise and no gain, the share of false alarms is about the level.
    #[test]
    fn false_alarms_keep_to_the_level() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut alarms = 0;
        let runs = 4000;
        for _ in 0..runs {
            let mut state = 0.0;
            let gains: Vec<f64> = (0..64)
                .map(|_| {
                    state = 0.5 * state + rng.random_range(-1.0..1.0);
                    state
                })
                .collect();
            alarms += u32::from(paired_test(&gains, 8).unwrap().p < 0.05);
        }
        let share = f64::from(alarms) / f64::from(runs);
        assert!((0.03..0.085).contains(&share), "{share}");
    }

    proptest! {
        #[test]
        fn the_tail_falls_with_t(freedom in 1usize..60, a in -20.0f64..20.0, b in 0.0f64..5.0) {
            let (low, high) = (student_above(a, freedom), student_above(a + b, freedom));
            prop_assert!((0.0..=1.0).contains(&low) && high <= low + 1e-12);
        }
    }
}
