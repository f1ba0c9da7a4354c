//! Which goals the representation learns from: later states of the same trajectory, states from
//! anywhere, and now and then the state itself.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// Shares of the kinds of goals; they sum to one. The defaults are the authors'.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GoalMix {
    /// Any state.
    pub random: f64,
    /// A later state of the same trajectory.
    pub trajectory: f64,
    /// The state itself.
    pub current: f64,
    /// Whether the distance along a trajectory is geometric, with `1 - discount` for an end at
    /// every step. Otherwise it is uniform up to the trajectory's end.
    pub geometric: bool,
    /// Discount.
    pub discount: f64,
}

impl Default for GoalMix {
    fn default() -> Self {
        Self {
            random: 0.375,
            trajectory: 0.625,
            current: 0.0,
            geometric: true,
            discount: 0.99,
        }
    }
}

/// Random numbers of one goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoalDraw {
    /// A row of the data.
    pub row: usize,
    /// Uniform in 0 … 1: how far along the trajectory.
    pub distance: f64,
    /// Uniform in 0 … 1: whether the trajectory is taken.
    pub trajectory: f64,
    /// Uniform in 0 … 1: whether the state itself is taken.
    pub current: f64,
}

/// Goals of rows of a dataset.
#[derive(Clone, Debug)]
pub struct GoalSampler {
    rows: usize,
    ends: Vec<usize>,
    mix: GoalMix,
}

impl GoalSampler {
    /// A sampler over trajectories, given for each row whether it is the last one of its
    /// trajectory.
    pub fn new(is_end: impl Iterator<Item = bool>, mix: GoalMix) -> Self {
        let mut rows = 0;
        let mut ends = Vec::new();
        for (row, end) in is_end.enumerate() {
            rows = row + 1;
            if end {
                ends.push(row);
            }
        }
        Self { rows, ends, mix }
    }

    /// Last rows of the trajectories.
    pub fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// Draws the numbers of a goal; `None` if there are no rows.
    pub fn draw(&self, rng: &mut impl Rng) -> Option<GoalDraw> {
        (self.rows > 0).then(|| GoalDraw {
            row: rng.random_range(0..self.rows),
            distance: rng.random(),
            trajectory: rng.random(),
            current: rng.random(),
        })
    }

    /// A row to learn from; the last one has no successor and is not taken. `None` if there are
    /// not two rows.
    pub fn draw_row(&self, rng: &mut impl Rng) -> Option<usize> {
        (self.rows > 1).then(|| rng.random_range(0..self.rows - 1))
    }

    /// Row of the goal of `row`.
    pub fn goal(&self, row: usize, draw: &GoalDraw) -> usize {
        let mix = &self.mix;
        if draw.current < mix.current {
            row
        } else if draw.trajectory < mix.trajectory / (1.0 - mix.current) {
            self.later(row, draw.distance)
        } else {
            draw.row
        }
    }

    fn later(&self, row: usize, uniform: f64) -> usize {
        let last = self.rows.saturating_sub(1);
        let index = self.ends.partition_point(|&end| end < row);
        let end = self.ends.get(index).copied().unwrap_or(last);
        if self.mix.geometric {
            let steps = ((1.0 - uniform).ln() / self.mix.discount.ln()).ceil();
            // Saturates where the logarithm is infinite.
            row.saturating_add(steps as usize).min(end)
        } else {
            let next = (row + 1).min(end) as f64;
            let mixed = next * uniform + end as f64 * (1.0 - uniform);
            mixed.round_ties_even() as usize
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Two trajectories, rows 0 to 4 and 5 to 9.
    fn sampler(mix: GoalMix) -> GoalSampler {
        GoalSampler::new((0..10).map(|row| row % 5 == 4), mix)
    }

    fn draw(distance: f64) -> GoalDraw {
        GoalDraw {
            row: 7,
            distance,
            trajectory: 0.0,
            current: 0.5,
        }
    }

    #[test]
    fn goals_along_the_trajectory_are_later_and_end_with_it() {
        let half = GoalMix {
            discount: 0.5,
            ..GoalMix::default()
        };
        let sampler = sampler(half);
        assert_eq!(sampler.ends(), [4, 9]);
        // P(one step) = 1/2, P(two) = 1/4.
        assert_eq!(sampler.goal(0, &draw(0.49)), 1);
        assert_eq!(sampler.goal(0, &draw(0.51)), 2);
        assert_eq!(sampler.goal(0, &draw(0.76)), 3);
        assert_eq!(sampler.goal(2, &draw(1.0)), 4);
        assert_eq!(sampler.goal(4, &draw(0.3)), 4);
        assert_eq!(sampler.goal(5, &draw(0.3)), 6);
    }

    #[test]
    fn uniform_distances_reach_from_the_next_row_to_the_end() {
        let sampler = sampler(GoalMix {
            geometric: false,
            ..GoalMix::default()
        });
        let goals = [0.0, 0.5, 1.0].map(|distance| sampler.goal(1, &draw(distance)));
        assert_eq!(goals, [4, 3, 2]);
        // 5.5 is as near to 5 as to 6.
        assert_eq!(sampler.goal(8, &draw(0.5)), 9);
    }

    #[test]
    fn kinds_are_picked_by_their_shares() {
        let mix = GoalMix {
            current: 0.2,
            trajectory: 0.4,
            random: 0.4,
            ..GoalMix::default()
        };
        let sampler = sampler(mix);
        let at = |trajectory, current| GoalDraw {
            row: 7,
            distance: 1.0,
            trajectory,
            current,
        };
        assert_eq!(sampler.goal(1, &at(0.9, 0.19)), 1);
        assert_eq!(sampler.goal(1, &at(0.49, 0.2)), 4);
        assert_eq!(sampler.goal(1, &at(0.51, 0.2)), 7);
    }

    #[test]
    fn drawn_rows_are_inside() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let sampler = sampler(GoalMix::default());
        for _ in 0..200 {
            let row = sampler.draw_row(&mut rng);
            assert!(row.is_some_and(|row| row < 9));
            let draw = sampler.draw(&mut rng);
            let goal = draw.map(|draw| sampler.goal(8, &draw));
            assert!(goal.is_some_and(|goal| goal < 10));
        }
        let empty = GoalSampler::new(std::iter::empty(), GoalMix::default());
        assert!(empty.draw(&mut rng).is_none() && empty.draw_row(&mut rng).is_none());
    }
}
