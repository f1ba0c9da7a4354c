//! Which rows of an episode a transition and its goal are.
//!
//! Episodes of T steps are held as T + 1 rows: row 0 is where it began, and row t holds what step t
//! led to, with the step's action.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// Shares of the kinds of goals; a later state of the episode is what remains. The defaults are the
/// authors' for training HILP.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayGoals {
    /// Any state of any episode.
    pub random: f64,
    /// The state itself.
    pub current: f64,
    /// A later state is k steps away with probability `(1 - future) futureᵏ⁻¹`.
    pub future: f64,
}

impl Default for ReplayGoals {
    fn default() -> Self {
        Self {
            random: 0.375,
            current: 0.0,
            future: 0.99,
        }
    }
}

/// Random numbers of one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplayDraw {
    /// Episode.
    pub episode: usize,
    /// Step, from 1 to T.
    pub step: usize,
    /// Steps to a later goal, from 1.
    pub ahead: usize,
    /// Uniform in 0 … 1: whether the goal is the state itself.
    pub current: f64,
    /// Uniform in 0 … 1: whether the goal is any state.
    pub random: f64,
    /// Episode and step, from 1, of any state.
    pub elsewhere: (usize, usize),
}

/// Rows of one sample. Action, reward and discount are those of the row `next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayRows {
    /// Episode of the transition.
    pub episode: usize,
    /// Row of s.
    pub state: usize,
    /// Row of s′.
    pub next: usize,
    /// Episode and row of the goal.
    pub goal: (usize, usize),
}

impl ReplayGoals {
    /// The rows of a draw from an episode of `length` steps. The last row of an episode is never a
    /// goal, and at the last step the goal is the state itself: so it is in the authors' buffer.
    pub fn rows(&self, draw: &ReplayDraw, length: usize) -> ReplayRows {
        let state = draw.step.saturating_sub(1);
        let row = |step: usize| step.saturating_sub(1);
        let mut goal = (draw.episode, row((draw.step + draw.ahead).min(length)));
        if draw.current < self.current / (1.0 - self.random) {
            goal = (draw.episode, state);
        }
        if draw.random < self.random {
            goal = (draw.elsewhere.0, row(draw.elsewhere.1));
        }
        ReplayRows {
            episode: draw.episode,
            state,
            next: draw.step,
            goal,
        }
    }

    /// Draws the numbers of a sample from episodes of the given lengths in steps; `None` if none
    /// has a step.
    pub fn draw(&self, lengths: &[usize], rng: &mut impl Rng) -> Option<ReplayDraw> {
        let full = (0..lengths.len()).filter(|&episode| lengths[episode] > 0);
        let full = full.collect::<Vec<_>>();
        if full.is_empty() {
            return None;
        }
        let mut step = || {
            let episode = full[rng.random_range(0..full.len())];
            (episode, rng.random_range(1..=lengths[episode]))
        };
        let (episode, first) = step();
        let elsewhere = step();
        let uniform = 1.0 - rng.random::<f64>();
        // The number of trials up to and with the first success.
        let ahead = (uniform.ln() / self.future.ln()).floor() as usize;
        Some(ReplayDraw {
            episode,
            step: first,
            ahead: ahead.saturating_add(1),
            current: rng.random(),
            random: rng.random(),
            elsewhere,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn draw(step: usize, ahead: usize) -> ReplayDraw {
        ReplayDraw {
            episode: 1,
            step,
            ahead,
            current: 0.5,
            random: 0.5,
            elsewhere: (0, 3),
        }
    }

    #[test]
    fn later_goals_stay_inside_the_episode() {
        let goals = ReplayGoals::default();
        let rows = |step, ahead| goals.rows(&draw(step, ahead), 10);
        // One step ahead is the next state.
        assert_eq!(rows(4, 1).goal, (1, 4));
        assert_eq!((rows(4, 1).state, rows(4, 1).next), (3, 4));
        assert_eq!(rows(4, 100).goal, (1, 9));
        assert_eq!(rows(10, 1).goal, (1, 9));
    }

    #[test]
    fn other_goals_come_over_later_ones() {
        let of = |random, current| {
            let goals = ReplayGoals {
                random,
                current,
                ..ReplayGoals::default()
            };
            goals.rows(&draw(4, 2), 10).goal
        };
        assert_eq!(of(0.6, 0.4), (0, 2));
        assert_eq!(of(0.2, 0.45), (1, 3));
        assert_eq!(of(0.2, 0.3), (1, 5));
    }

    #[test]
    fn drawn_steps_are_inside() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let goals = ReplayGoals {
            future: 0.5,
            ..ReplayGoals::default()
        };
        let lengths = [3, 0, 5];
        let draws = (0..400).map(|_| goals.draw(&lengths, &mut rng).unwrap());
        let draws = draws.collect::<Vec<_>>();
        for draw in &draws {
            assert!(draw.step >= 1 && draw.step <= lengths[draw.episode]);
            assert!(draw.ahead >= 1);
        }
        let one = draws.iter().filter(|draw| draw.ahead == 1).count();
        assert!((140..260).contains(&one), "{one} of 400");
        assert_eq!(goals.draw(&[0], &mut rng), None);
    }
}
