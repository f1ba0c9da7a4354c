//! Experience without tasks, as HILP learns from it: episodes of observations and the actions
//! between them, no rewards and no labels.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, RngExt as _};

use super::goal_conditioned::goals::{GoalMix, GoalSampler};
use super::{ObservationShape, Observations, goal_conditioned, zero_shot};

/// Actions are kept this far inside −1 … 1.
const ACTION_MARGIN: f32 = 1e-5;

/// Numbers of all observations, row-major.
#[derive(Clone, Debug, PartialEq)]
enum Rows {
    States(Vec<f32>),
    Images(Vec<u8>),
}

/// Observations of one episode, row-major.
#[derive(Clone, Copy, Debug)]
pub enum EpisodeRows<'a> {
    /// Vectors.
    States(&'a [f32]),
    /// Bytes, channels last.
    Images(&'a [u8]),
}

/// Episodes of play.
#[derive(Clone, Debug, PartialEq)]
pub struct PlayData {
    shape: ObservationShape,
    action_dim: usize,
    rows: Rows,
    /// Observation before each transition; the one after it is the next row.
    transitions: Vec<usize>,
    actions: Vec<f32>,
    /// Whether each transition is the last one of its episode.
    ends: Vec<bool>,
}

/// Rows that an update learns from, by number of the transition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked {
    /// Transitions.
    pub transitions: Vec<usize>,
    /// Transitions whose first state is the goal.
    pub goals: Vec<usize>,
}

impl PlayData {
    /// No episodes yet.
    pub const fn new(shape: ObservationShape, action_dim: usize) -> Self {
        let rows = match shape {
            ObservationShape::State { .. } => Rows::States(Vec::new()),
            ObservationShape::Image { .. } => Rows::Images(Vec::new()),
        };
        Self {
            shape,
            action_dim,
            rows,
            transitions: Vec::new(),
            actions: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Adds an episode: one observation more than there are actions.
    ///
    /// # Errors
    /// If the numbers do not fit together or one is not finite.
    pub fn push(&mut self, observations: EpisodeRows<'_>, actions: &[f32]) -> Result<(), String> {
        let steps = actions.len().checked_div(self.action_dim).unwrap_or(0);
        if steps == 0 || actions.len() != steps * self.action_dim {
            return Err("actions are empty or not whole".into());
        }
        let found = match observations {
            EpisodeRows::States(states) => states.len(),
            EpisodeRows::Images(bytes) => bytes.len(),
        };
        let expected = (steps + 1) * self.shape.len();
        if found != expected {
            return Err(format!(
                "observations hold {found} numbers, expected {expected} for {steps} actions"
            ));
        }
        if actions.iter().any(|value| !value.is_finite()) {
            return Err("an action is not finite".into());
        }
        let first = match (&mut self.rows, observations) {
            (Rows::States(rows), EpisodeRows::States(states)) => {
                if states.iter().any(|value| !value.is_finite()) {
                    return Err("a state is not finite".into());
                }
                rows.extend_from_slice(states);
                rows.len()
            }
            (Rows::Images(rows), EpisodeRows::Images(bytes)) => {
                rows.extend_from_slice(bytes);
                rows.len()
            }
            _ => return Err(format!("observations must be rows of {:?}", self.shape)),
        };
        let first = (first - expected) / self.shape.len();
        let most = 1.0 - ACTION_MARGIN;
        self.actions
            .extend(actions.iter().map(|value| value.clamp(-most, most)));
        self.transitions.extend(first..first + steps);
        self.ends.extend((1..=steps).map(|step| step == steps));
        Ok(())
    }

    /// Transitions.
    pub fn len(&self) -> usize {
        self.transitions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.transitions.is_empty()
    }

    /// What an observation is.
    pub const fn shape(&self) -> ObservationShape {
        self.shape
    }

    /// Numbers per action.
    pub const fn action_dim(&self) -> usize {
        self.action_dim
    }

    /// Draws goals for transitions of this data.
    pub fn sampler(&self, mix: GoalMix) -> GoalSampler {
        GoalSampler::new(self.ends.iter().copied(), mix)
    }

    /// Draws `count` transitions with goals; empty if there are not two transitions.
    pub fn pick(&self, sampler: &GoalSampler, count: usize, rng: &mut impl Rng) -> Picked {
        let mut picked = Picked::default();
        for _ in 0..count {
            if let (Some(row), Some(draw)) = (sampler.draw_row(rng), sampler.draw(rng)) {
                picked.transitions.push(row);
                picked.goals.push(sampler.goal(row, &draw));
            }
        }
        picked
    }

    /// Observations of some rows on a device.
    fn gather(&self, rows: impl Iterator<Item = usize>, device: &Device) -> Observations {
        let width = self.shape.len();
        match (&self.rows, self.shape) {
            (Rows::States(values), _) => {
                let picked = rows.flat_map(|row| &values[row * width..(row + 1) * width]);
                Observations::states(&picked.copied().collect::<Vec<_>>(), width, device)
            }
            (
                Rows::Images(bytes),
                ObservationShape::Image {
                    height,
                    width: columns,
                    channels,
                },
            ) => {
                let picked = rows.flat_map(|row| &bytes[row * width..(row + 1) * width]);
                let picked = picked.map(|&byte| f32::from(byte)).collect::<Vec<_>>();
                let shape = [picked.len() / width.max(1), height, columns, channels];
                Observations::Images(Tensor::from_data(TensorData::new(picked, shape), device))
            }
            (Rows::Images(_), ObservationShape::State { .. }) => {
                Observations::states(&[], width, device)
            }
        }
    }

    /// The observations before some transitions.
    pub fn observations(&self, transitions: &[usize], device: &Device) -> Observations {
        let rows = transitions.iter().map(|&index| self.transitions[index]);
        self.gather(rows, device)
    }

    /// `count` observations drawn with replacement, row-major; bytes of images as numbers.
    pub fn sample_rows(&self, count: usize, rng: &mut impl Rng) -> Vec<f32> {
        let width = self.shape.len();
        let mut drawn = Vec::with_capacity(count * width);
        for _ in 0..count.min(count * self.len()) {
            let row = self.transitions[rng.random_range(0..self.len())];
            let row = row * width..(row + 1) * width;
            match &self.rows {
                Rows::States(values) => drawn.extend_from_slice(&values[row]),
                Rows::Images(bytes) => {
                    drawn.extend(bytes[row].iter().map(|&byte| f32::from(byte)));
                }
            }
        }
        drawn
    }

    fn next_observations(&self, transitions: &[usize], device: &Device) -> Observations {
        let rows = transitions.iter().map(|&index| self.transitions[index] + 1);
        self.gather(rows, device)
    }

    fn actions(&self, transitions: &[usize], device: &Device) -> Tensor<2> {
        let width = self.action_dim;
        let picked = transitions
            .iter()
            .flat_map(|&index| &self.actions[index * width..(index + 1) * width]);
        let picked = picked.copied().collect::<Vec<_>>();
        Tensor::from_data(TensorData::new(picked, [transitions.len(), width]), device)
    }

    /// A batch for the goal-conditioned variant.
    pub fn skill_batch(&self, picked: &Picked, device: &Device) -> goal_conditioned::Batch {
        let pairs = picked.transitions.iter().zip(&picked.goals);
        let reached = pairs.map(|(row, goal)| f32::from(u8::from(row == goal)));
        let reached = reached.collect::<Vec<_>>();
        goal_conditioned::Batch {
            observations: self.observations(&picked.transitions, device),
            next_observations: self.next_observations(&picked.transitions, device),
            goals: self.observations(&picked.goals, device),
            actions: self.actions(&picked.transitions, device),
            reached: Tensor::from_floats(reached.as_slice(), device),
        }
    }

    /// A batch for the zero-shot variant, with the same discount everywhere: play does not end.
    pub fn successor_batch(
        &self,
        picked: &Picked,
        discount: f32,
        device: &Device,
    ) -> zero_shot::Batch {
        zero_shot::Batch {
            observations: self.observations(&picked.transitions, device),
            next_observations: self.next_observations(&picked.transitions, device),
            goals: self.observations(&picked.goals, device),
            actions: self.actions(&picked.transitions, device),
            discounts: Tensor::full([picked.transitions.len()], discount, device),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::golden::vec;

    fn states(rows: Observations) -> Vec<f32> {
        match rows {
            Observations::States(states) => vec(states),
            Observations::Images(images) => vec(images),
        }
    }

    #[test]
    fn batches_by_hand() {
        let mut data = PlayData::new(ObservationShape::State { width: 1 }, 1);
        let first = EpisodeRows::States(&[0.0, 1.0, 2.0]);
        data.push(first, &[0.5, -2.0]).unwrap();
        data.push(EpisodeRows::States(&[10.0, 11.0]), &[0.25])
            .unwrap();
        assert_eq!(data.len(), 3);
        assert_eq!(data.sampler(GoalMix::default()).ends(), [1, 2]);
        let picked = Picked {
            transitions: vec![1, 2],
            goals: vec![0, 2],
        };
        let device = Device::flex();
        let batch = data.skill_batch(&picked, &device);
        assert_eq!(states(batch.observations), [1.0, 10.0]);
        assert_eq!(states(batch.next_observations), [2.0, 11.0]);
        assert_eq!(states(batch.goals), [0.0, 10.0]);
        assert_eq!(vec(batch.actions), [-0.99999, 0.25]);
        assert_eq!(vec(batch.reached), [0.0, 1.0]);
        let batch = data.successor_batch(&picked, 0.9, &device);
        assert_eq!(vec(batch.discounts), [0.9, 0.9]);
    }

    #[test]
    fn pictures_keep_their_shape() {
        let shape = ObservationShape::Image {
            height: 1,
            width: 2,
            channels: 1,
        };
        let mut data = PlayData::new(shape, 1);
        data.push(EpisodeRows::Images(&[1, 2, 3, 255]), &[0.0])
            .unwrap();
        let batch = data.observations(&[0], &Device::flex());
        assert!(batch.fits(shape));
        assert_eq!(states(batch), [1.0, 2.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut data = PlayData::new(ObservationShape::State { width: 1 }, 1);
        assert!(data.push(EpisodeRows::States(&[0.0]), &[]).is_err());
        assert!(data.push(EpisodeRows::States(&[0.0]), &[0.0]).is_err());
        assert!(data.push(EpisodeRows::Images(&[0, 1]), &[0.0]).is_err());
        let nan = EpisodeRows::States(&[0.0, f32::NAN]);
        assert!(data.push(nan, &[0.0]).is_err());
        assert!(
            data.push(EpisodeRows::States(&[0.0, 1.0]), &[f32::NAN])
                .is_err()
        );
        assert!(data.is_empty());
        let mut rng = crate::training::order::stream(1, 1);
        let sampler = data.sampler(GoalMix::default());
        assert_eq!(data.pick(&sampler, 3, &mut rng), Picked::default());
    }
}
