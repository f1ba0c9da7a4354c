//! Which later picture is shown as the goal.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// How many steps after an observation its goal picture lies. Beyond the end of a demonstration the
/// last picture counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoalFrames {
    /// Fewest steps.
    pub nearest: u32,
    /// Most steps.
    pub farthest: u32,
    /// Probability that the search for a goal stops at a step, from the nearest on (a geometric
    /// distribution, cut at the farthest); 0 for equal probabilities.
    pub stop: f64,
}

impl Default for GoalFrames {
    /// The demonstrations of the embedded world take 40 to 200 steps, and a goal of a run is the
    /// outcome: most goals are the last picture.
    fn default() -> Self {
        Self {
            nearest: 20,
            farthest: 200,
            stop: 0.0,
        }
    }
}

impl GoalFrames {
    /// What the authors' data loader does on the long unsegmented recordings of CALVIN: the frame
    /// after a window of 21 to 50 steps and the ten actions.
    pub const PAPER: Self = Self {
        nearest: 31,
        farthest: 60,
        stop: 0.1,
    };

    /// What is wrong, if anything.
    pub fn problem(&self) -> Option<String> {
        if self.nearest > self.farthest {
            return Some("goal_frames.nearest must not be above goal_frames.farthest".into());
        }
        if !(0.0..1.0).contains(&self.stop) {
            return Some("goal_frames.stop must lie in [0, 1)".into());
        }
        None
    }

    /// One distance.
    pub fn draw(&self, rng: &mut impl Rng) -> usize {
        self.quantile(rng.random::<f64>())
    }

    /// The distance below which a share `u` in [0, 1) of all draws lies.
    fn quantile(&self, u: f64) -> usize {
        let count = f64::from(self.farthest.saturating_sub(self.nearest)) + 1.0;
        let steps = if self.stop > 0.0 {
            let go_on = 1.0 - self.stop;
            (1.0 - u * (1.0 - go_on.powf(count))).ln() / go_on.ln()
        } else {
            u * count
        };
        self.nearest as usize + steps.min(count - 1.0) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_distances_and_no_others_are_drawn() {
        let draws = |frames: GoalFrames| {
            (0..10_000)
                .map(|i| frames.quantile(f64::from(i) / 10_000.0))
                .collect::<Vec<_>>()
        };
        let even = draws(GoalFrames {
            nearest: 3,
            farthest: 6,
            stop: 0.0,
        });
        for distance in 3..=6 {
            assert_eq!(even.iter().filter(|&&d| d == distance).count(), 2500);
        }
        let paper = draws(GoalFrames::PAPER);
        assert_eq!((paper[0], paper[9_999]), (31, 60));
        // P(31) = 0.1 / (1 - 0.9^30), and each next is 0.9 times as likely.
        let count = |distance| paper.iter().filter(|&&d| d == distance).count() as f64;
        let first = 1000.0 / (1.0 - 0.9f64.powi(30));
        assert!((count(31) - first).abs() < 2.0 && (count(32) - 0.9 * first).abs() < 2.0);
        let mean = paper.iter().sum::<usize>() as f64 / 1e4;
        assert!((38.0..40.0).contains(&mean), "{mean}");
    }

    #[test]
    fn bounds_are_checked() {
        let turned = GoalFrames {
            nearest: 9,
            farthest: 2,
            stop: 0.0,
        };
        assert!(turned.problem().is_some());
        let sure = GoalFrames {
            stop: 1.0,
            ..GoalFrames::PAPER
        };
        assert!(sure.problem().is_some());
        assert!(GoalFrames::default().problem().is_none());
    }
}
