//! Preparation of logged transitions, by the authors' two rules.

use super::config::SkillConfig;
use crate::hilp::observations::ObservationShape;

/// Actions are kept this far inside −1 … 1.
const ACTION_MARGIN: f32 = 1e-5;
/// Rows whose successor differs by more from the next row end a trajectory.
const SAME_STATE: f32 = 1e-6;

/// Transitions in order, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transitions {
    /// Numbers of an observation.
    pub observation_dim: usize,
    /// Numbers of an action.
    pub action_dim: usize,
    /// s.
    pub observations: Vec<f32>,
    /// s′.
    pub next_observations: Vec<f32>,
    /// a.
    pub actions: Vec<f32>,
    /// Rewards; no part of learning.
    pub rewards: Vec<f32>,
    /// Whether the row is the last one of its trajectory.
    pub ends: Vec<bool>,
}

impl Transitions {
    /// Rows.
    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    /// What does not fit together, if anything.
    pub fn problem(&self) -> Option<String> {
        let rows = self.rows();
        let lengths = [
            (
                "observations",
                self.observations.len(),
                self.observation_dim,
            ),
            (
                "next observations",
                self.next_observations.len(),
                self.observation_dim,
            ),
            ("actions", self.actions.len(), self.action_dim),
            ("rewards", self.rewards.len(), 1),
        ];
        let wrong = lengths
            .into_iter()
            .find(|(_, found, width)| *found != rows * width);
        wrong.map(|(name, found, width)| {
            format!("{name} hold {found} numbers, expected {rows} rows of {width}")
        })
    }

    /// The rule for antmaze: a trajectory ends where the successor is not the next row, and with the
    /// data. Terminal marks of the file play no part.
    #[must_use]
    pub fn split_at_jumps(mut self) -> Self {
        self.clip_actions();
        let width = self.observation_dim;
        let rows = self.rows();
        let row = |values: &[f32], row: usize| values[row * width..(row + 1) * width].to_vec();
        for index in 0..rows {
            self.ends[index] = index + 1 == rows || {
                let next = row(&self.observations, index + 1);
                let successor = row(&self.next_observations, index);
                let squares = next.iter().zip(&successor).map(|(a, b)| (a - b) * (a - b));
                squares.sum::<f32>().sqrt() > SAME_STATE
            };
        }
        self
    }

    /// The rule for kitchen: terminal rows are dropped and the row before each becomes the last one
    /// of its trajectory. The last row counts as terminal.
    #[must_use]
    pub fn drop_terminals(mut self) -> Self {
        self.clip_actions();
        if let Some(last) = self.ends.last_mut() {
            *last = true;
        }
        let terminal = std::mem::take(&mut self.ends);
        let kept = |row: &usize| !terminal[*row];
        let rows = (0..terminal.len()).filter(kept).collect::<Vec<_>>();
        let pick = |values: &[f32], width: usize| {
            let rows = rows.iter();
            rows.flat_map(|row| values[row * width..(row + 1) * width].to_vec())
                .collect()
        };
        Self {
            observations: pick(&self.observations, self.observation_dim),
            next_observations: pick(&self.next_observations, self.observation_dim),
            actions: pick(&self.actions, self.action_dim),
            rewards: pick(&self.rewards, 1),
            ends: rows.iter().map(|row| terminal[row + 1]).collect(),
            ..self
        }
    }

    /// Observations cut to their first `width` numbers (30 of 60 for kitchen, where the rest is the
    /// goal).
    #[must_use]
    pub fn narrowed(mut self, width: usize) -> Self {
        let full = self.observation_dim;
        if width < full {
            let cut = |values: &[f32]| {
                let rows = values.chunks_exact(full);
                rows.flat_map(|row| row[..width].to_vec()).collect()
            };
            self.observations = cut(&self.observations);
            self.next_observations = cut(&self.next_observations);
            self.observation_dim = width;
        }
        self
    }

    fn clip_actions(&mut self) {
        let most = 1.0 - ACTION_MARGIN;
        for action in &mut self.actions {
            *action = action.clamp(-most, most);
        }
    }
}

/// The goal of an antmaze task: the target's place with the rest of the first observation of the
/// data.
pub fn antmaze_goal(target: [f32; 2], first: &[f32]) -> Vec<f32> {
    let rest = first.iter().skip(target.len());
    target.iter().chain(rest).copied().collect()
}

/// The goal of a kitchen task out of an observation of 60 numbers: its second half, with the robot's
/// own 9 numbers of the first observation of the data. `None` if either is too short.
pub fn kitchen_goal(observation: &[f32], first: &[f32]) -> Option<Vec<f32>> {
    let goal = observation.get(30..60)?;
    let robot = first.get(..9)?;
    Some([robot, &goal[9..]].concat())
}

/// Whether transitions have the widths that networks take.
pub fn fits(transitions: &Transitions, config: &SkillConfig) -> bool {
    let state = ObservationShape::State {
        width: transitions.observation_dim,
    };
    config.observation == state && config.action_dim == transitions.action_dim
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows 0 1 2 | 10 11: places, with a jump.
    fn transitions() -> Transitions {
        Transitions {
            observation_dim: 1,
            action_dim: 1,
            observations: vec![0.0, 1.0, 2.0, 10.0, 11.0],
            next_observations: vec![1.0, 2.0, 3.0, 11.0, 12.0],
            actions: vec![1.0, -2.0, 0.5, 0.0, 0.0],
            rewards: vec![0.0; 5],
            ends: vec![false, false, true, false, false],
        }
    }

    #[test]
    fn trajectories_end_at_jumps() {
        let split = transitions().split_at_jumps();
        assert_eq!(split.ends, [false, false, true, false, true]);
        assert_eq!(split.actions[..3], [0.99999, -0.99999, 0.5]);
        assert_eq!(split.problem(), None);
        assert_eq!(Transitions::default().split_at_jumps().rows(), 0);
    }

    #[test]
    fn terminal_rows_go_and_the_row_before_ends() {
        let rest = transitions().drop_terminals();
        assert_eq!(rest.observations, [0.0, 1.0, 10.0]);
        assert_eq!(rest.ends, [false, true, true]);
        assert_eq!(rest.problem(), None);
        assert_eq!(Transitions::default().drop_terminals().rows(), 0);
    }

    #[test]
    fn shapes_are_checked_and_cut() {
        let mut broken = transitions();
        broken.rewards.pop();
        assert!(broken.problem().is_some());
        let wide = Transitions {
            observation_dim: 2,
            observations: vec![1.0, 2.0, 3.0, 4.0],
            next_observations: vec![3.0, 4.0, 5.0, 6.0],
            ends: vec![false, true],
            ..Transitions::default()
        };
        assert_eq!(wide.narrowed(1).observations, [1.0, 3.0]);
        assert_eq!(antmaze_goal([8.0, 9.0], &[0.0, 1.0, 2.0]), [8.0, 9.0, 2.0]);
        let observation = (0u8..60).map(f32::from).collect::<Vec<_>>();
        let goal = kitchen_goal(&observation, &[-1.0; 30]);
        assert!(goal.is_some_and(|goal| goal.len() == 30 && goal[8..10] == [-1.0, 39.0]));
        assert_eq!(kitchen_goal(&observation[..59], &[0.0; 30]), None);
    }
}
