//! Actions of a trajectory: what was reached instead of what was commanded, a gripper that is open or
//! closed, and normal numbers.

use serde::{Deserialize, Serialize};

/// Gripper values above this are open.
const OPEN: f32 = 0.95;
/// Gripper values below this are closed.
const CLOSED: f32 = 0.05;

/// Mean and standard deviation per action number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionStatistics {
    /// Means.
    pub mean: Vec<f32>,
    /// Standard deviations.
    pub std: Vec<f32>,
}

impl ActionStatistics {
    /// Statistics of the authors' training data: metres, radians, and a gripper from closed (0) to
    /// open (1).
    pub fn bridge() -> Self {
        Self {
            mean: vec![
                7.99e-5,
                0.000_298_83,
                -0.000_142_65,
                -7.046e-5,
                -3.96e-6,
                8.324e-5,
                0.542_868_7,
            ],
            std: vec![
                0.007_317_8,
                0.011_331_77,
                0.012_116_91,
                0.017_798_56,
                0.021_815_58,
                0.085_793_06,
                0.497_777_85,
            ],
        }
    }

    /// What is wrong, if anything, for actions of a width.
    pub fn problem(&self, width: usize) -> Option<String> {
        if self.mean.len() != width || self.std.len() != width {
            return Some(format!(
                "statistics of {} and {} numbers for actions of {width}",
                self.mean.len(),
                self.std.len()
            ));
        }
        self.std
            .iter()
            .any(|std| std.is_nan() || *std <= 0.0)
            .then(|| "a standard deviation that is not above 0".into())
    }

    /// `(action - mean) / std`, in place.
    pub fn normalize(&self, action: &mut [f32]) {
        for (value, (mean, std)) in action.iter_mut().zip(self.mean.iter().zip(&self.std)) {
            *value = (*value - mean) / std;
        }
    }

    /// `action * std + mean`, in place.
    pub fn restore(&self, action: &mut [f32]) {
        for (value, (mean, std)) in action.iter_mut().zip(self.mean.iter().zip(&self.std)) {
            *value = *value * std + mean;
        }
    }
}

/// Open (1) or closed (0) for every tick: values between take that of the first clear tick after
/// them, and those at the end, where none follows, the raw last value.
pub fn binarize_gripper(gripper: &[f32]) -> Vec<f32> {
    let mut carry = gripper.last().copied().unwrap_or_default();
    let mut states = gripper
        .iter()
        .rev()
        .map(|&value| {
            if value > OPEN {
                carry = 1.0;
            } else if value < CLOSED {
                carry = 0.0;
            }
            carry
        })
        .collect::<Vec<_>>();
    states.reverse();
    states
}

/// Actions to learn from a trajectory: the difference between the state after and before each tick
/// for all numbers but the last, then the binary gripper. Rows are ticks; states may be wider than
/// actions.
pub fn reached_actions<Row: AsRef<[f32]>>(
    commanded: &[Row],
    before: &[Row],
    after: &[Row],
) -> Vec<Vec<f32>> {
    let last = |row: &Row| row.as_ref().last().copied().unwrap_or_default();
    let gripper = binarize_gripper(&commanded.iter().map(last).collect::<Vec<_>>());
    let states = before.iter().zip(after);
    let rows = commanded.iter().zip(states).zip(gripper);
    rows.map(|((command, (before, after)), gripper)| {
        let moved = command.as_ref().len().saturating_sub(1);
        let states = before.as_ref().iter().zip(after.as_ref()).take(moved);
        let moved = states.map(|(before, after)| after - before);
        moved.chain([gripper]).collect()
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gripper_in_between_takes_what_follows() {
        let raw = [0.5, 0.99, 0.6, 0.3, 0.01, 0.2, 0.97, 0.7];
        assert_eq!(
            binarize_gripper(&raw),
            [1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.7]
        );
        assert!(binarize_gripper(&[]).is_empty());
    }

    #[test]
    fn motion_is_what_was_reached() {
        let got = reached_actions(
            &[vec![9.0, 9.0, 1.0]],
            &[vec![1.0, 2.0, 0.0]],
            &[vec![1.5, 1.0, 0.0]],
        );
        assert_eq!(got, [[0.5, -1.0, 1.0]]);
    }

    #[test]
    fn normal_numbers_come_back() {
        let statistics = ActionStatistics::bridge();
        assert!(statistics.problem(7).is_none() && statistics.problem(6).is_some());
        let action = [0.01, -0.02, 0.0, 0.1, 0.0, -0.3, 1.0];
        let mut changed = action;
        statistics.normalize(&mut changed);
        statistics.restore(&mut changed);
        let pairs = changed.iter().zip(action);
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
