//! How far two sets of weights act apart.
//!
//! Both plan for the same observations with the same noise. Numbers that mean a quantity are
//! compared relative to half of their range; numbers of which only the sign counts (an open or
//! closed gripper) are compared by sign.

use cerebellum_messages::{ActionSpace, TCP_DELTA_DIM};
use serde::{Deserialize, Serialize};

/// How the numbers of an action are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionMetric {
    /// Per number of an action: half of its range, or `None` where only the sign counts.
    half_ranges: Vec<Option<f32>>,
}

impl ActionMetric {
    /// For a policy's action space; `bounds` are the lower and upper limits of the joints for
    /// [`ActionSpace::JointPosition`] (missing or empty ones count as a range of 2).
    pub fn new(space: ActionSpace, action_dim: usize, bounds: &[(f64, f64)]) -> Self {
        let half_ranges = (0..action_dim)
            .map(|index| match space {
                // The last number is the gripper: open if positive.
                ActionSpace::TcpDelta => (index + 1 != TCP_DELTA_DIM).then_some(1.0),
                ActionSpace::JointPosition => {
                    let half = bounds
                        .get(index)
                        .map_or(1.0, |(low, high)| (high - low) / 2.0);
                    Some(if half > 0.0 { half as f32 } else { 1.0 })
                }
            })
            .collect();
        Self { half_ranges }
    }
}

/// Change of actions between two sets of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// Largest change of a number, relative to half of its range.
    pub max: f32,
    /// Mean change of a number, relative to half of its range.
    pub mean: f32,
    /// Share of the sign-only numbers that changed sign.
    pub flips: f32,
}

/// Collects changes of actions over many plans.
#[derive(Clone, Debug)]
pub struct ShiftMeter<'a> {
    metric: &'a ActionMetric,
    max: f32,
    sum: f64,
    count: u64,
    flips: u64,
    signs: u64,
    finite: bool,
}

impl<'a> ShiftMeter<'a> {
    /// Nothing compared yet.
    pub const fn new(metric: &'a ActionMetric) -> Self {
        Self {
            metric,
            max: 0.0,
            sum: 0.0,
            count: 0,
            flips: 0,
            signs: 0,
            finite: true,
        }
    }

    /// Compares two plans (row-major actions). Plans of unequal length cannot be compared and
    /// count as not finite.
    pub fn compare(&mut self, before: &[f32], after: &[f32]) {
        if before.len() != after.len() {
            self.finite = false;
        }
        let ranges = self.metric.half_ranges.iter().cycle();
        for ((a, b), half_range) in before.iter().zip(after).zip(ranges) {
            self.finite &= a.is_finite() && b.is_finite();
            match half_range {
                Some(half_range) => {
                    let change = (b - a).abs() / half_range;
                    self.max = self.max.max(change);
                    self.sum += f64::from(change);
                    self.count += 1;
                }
                None => {
                    self.flips += u64::from((*a > 0.0) != (*b > 0.0));
                    self.signs += 1;
                }
            }
        }
    }

    /// What was found; `None` if something was not finite, or nothing was compared.
    pub fn shift(&self) -> Option<Shift> {
        (self.finite && self.count + self.signs > 0).then(|| Shift {
            max: self.max,
            mean: (self.sum / self.count.max(1) as f64) as f32,
            flips: (self.flips as f64 / self.signs.max(1) as f64) as f32,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn quantities_by_range_and_the_gripper_by_sign() {
        let metric = ActionMetric::new(ActionSpace::TcpDelta, 7, &[]);
        let mut meter = ShiftMeter::new(&metric);
        let before = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2];
        meter.compare(&before, &[0.3, 0.0, 0.0, -0.6, 0.0, 0.0, 0.9]);
        meter.compare(&before, &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.1]);
        let shift = meter.shift().unwrap();
        assert!((shift.max - 0.6).abs() < 1e-6);
        assert!((shift.mean - 0.9 / 12.0).abs() < 1e-6);
        assert_eq!(shift.flips, 0.5);
    }

    #[test]
    fn joints_relative_to_their_limits() {
        let metric = ActionMetric::new(ActionSpace::JointPosition, 2, &[(-2.0, 2.0), (0.0, 0.1)]);
        let mut meter = ShiftMeter::new(&metric);
        meter.compare(&[0.0, 0.0], &[0.2, 0.05]);
        let shift = meter.shift().unwrap();
        assert!((shift.max - 1.0).abs() < 1e-6 && (shift.mean - 0.55).abs() < 1e-6);
    }

    #[test]
    fn what_cannot_be_compared_has_no_shift() {
        let metric = ActionMetric::new(ActionSpace::TcpDelta, 7, &[]);
        let zero = [0.0; 7];
        assert_eq!(ShiftMeter::new(&metric).shift(), None);
        let mut meter = ShiftMeter::new(&metric);
        meter.compare(&zero, &[f32::NAN; 7]);
        assert_eq!(meter.shift(), None);
        let mut meter = ShiftMeter::new(&metric);
        meter.compare(&zero, &[0.0; 6]);
        assert_eq!(meter.shift(), None);
    }
}
