//! Goals in hindsight: which later image each transition is trained towards, and whether it keeps
//! its sentence.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// Shares of the goals of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoalConfig {
    /// Share of transitions whose goal is what they reach themselves.
    pub reached: f32,
    /// Share of transitions without a sentence whose goal is the end of the trajectory.
    pub last: f32,
    /// Share of transitions with a sentence whose goal is the end of the trajectory; the others
    /// lose the sentence.
    pub keep_sentence: f32,
}

impl Default for GoalConfig {
    fn default() -> Self {
        Self {
            reached: 0.0,
            last: 0.5,
            keep_sentence: 1.0,
        }
    }
}

/// Uniform draws in [0, 1) for one transition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoalDraws {
    /// Which later transition.
    pub future: f32,
    /// Whether the goal is reached.
    pub reached: f32,
    /// Whether the goal is the end, without a sentence.
    pub last: f32,
    /// Whether the goal is the end, with a sentence.
    pub keep: f32,
}

impl GoalDraws {
    /// Fresh draws.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let mut next = || rng.random::<f32>();
        Self {
            future: next(),
            reached: next(),
            last: next(),
            keep: next(),
        }
    }
}

/// The goal of one transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoalChoice {
    /// The goal is the image after this transition of the trajectory.
    pub transition: usize,
    /// Whether the trajectory's sentence still describes it.
    pub keeps_sentence: bool,
    /// Whether the transition itself reaches the goal: reward 0, otherwise -1.
    pub reached: bool,
}

impl GoalConfig {
    /// The goal of transition `at` of a trajectory of `length` transitions.
    pub fn choose(&self, draws: GoalDraws, at: usize, length: usize, labelled: bool) -> GoalChoice {
        let left = length.saturating_sub(at);
        let reached = draws.reached < self.reached || left <= 1;
        let to_the_end = if labelled {
            draws.keep < self.keep_sentence
        } else {
            draws.last < self.last
        };
        let ahead = if to_the_end {
            left.saturating_sub(1)
        } else if reached {
            0
        } else {
            (draws.future * left as f32) as usize
        };
        GoalChoice {
            transition: (at + ahead).min(length.saturating_sub(1)),
            keeps_sentence: labelled && to_the_end,
            reached,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: GoalDraws = GoalDraws {
        future: 0.5,
        reached: 0.9,
        last: 0.6,
        keep: 0.8,
    };

    #[test]
    fn a_sentence_describes_the_end_only() {
        let keep = GoalConfig::default();
        let choice = keep.choose(DRAWS, 2, 10, true);
        assert_eq!((choice.transition, choice.keeps_sentence), (9, true));
        let lose = GoalConfig {
            keep_sentence: 0.5,
            ..keep
        };
        let choice = lose.choose(DRAWS, 2, 10, true);
        assert_eq!((choice.transition, choice.keeps_sentence), (6, false));
    }

    #[test]
    fn goals_without_a_sentence() {
        let goals = GoalConfig::default();
        assert_eq!(goals.choose(DRAWS, 2, 10, false).transition, 6);
        let end = GoalDraws { last: 0.4, ..DRAWS };
        assert_eq!(goals.choose(end, 2, 10, false).transition, 9);
        let reached = GoalConfig {
            reached: 1.0,
            ..goals
        };
        let choice = reached.choose(DRAWS, 2, 10, false);
        assert_eq!((choice.transition, choice.reached), (2, true));
        // The end wins over having reached the goal, as in the authors' code.
        assert_eq!(reached.choose(end, 2, 10, false).transition, 9);
    }

    #[test]
    fn the_last_transition_reaches_its_goal() {
        let choice = GoalConfig::default().choose(DRAWS, 9, 10, false);
        assert_eq!((choice.transition, choice.reached), (9, true));
        let late = GoalDraws {
            future: 0.999_999,
            ..DRAWS
        };
        assert_eq!(
            GoalConfig::default().choose(late, 3, 10, false).transition,
            9
        );
    }
}
