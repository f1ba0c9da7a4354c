//! Action chunks of fixed size, which travel by value.

use cerebellum_messages::{ActionChunk, ActionSpace, Stamp, Tick};

/// Most actions in a chunk.
pub const MAX_HORIZON: usize = 64;
/// Most numbers in an action.
pub const MAX_ACTION_DIM: usize = 8;

/// One action; numbers beyond the policy's width are zero.
pub type Action = [f32; MAX_ACTION_DIM];

/// Why a chunk cannot be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// No action in it.
    #[error("the chunk is empty")]
    Empty,
    /// Too wide.
    #[error("an action has {0} numbers, the control loop takes 1 to {MAX_ACTION_DIM}")]
    Width(u32),
    /// Too long.
    #[error("the chunk has {0} actions, the control loop takes at most {MAX_HORIZON}: shorten it")]
    Horizon(usize),
    /// The numbers do not divide into whole actions.
    #[error("{numbers} numbers are no whole number of actions of width {width}")]
    Ragged {
        /// Numbers in the chunk.
        numbers: usize,
        /// Numbers per action.
        width: u32,
    },
}

/// An [`ActionChunk`] without a heap: it can be handed from thread to thread and dropped without
/// the allocator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FixedChunk {
    /// Where it came from.
    pub source: Source,
    /// Meaning of the numbers.
    pub space: ActionSpace,
    dim: u8,
    horizon: u8,
    actions: [Action; MAX_HORIZON],
}

/// What a chunk was planned from and by: the explanation of an action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Tick of the observation: action `i` belongs to tick `observed + i`.
    pub observed: Tick,
    /// Stamp of the observation.
    pub stamp: Stamp,
    /// Goal in force.
    pub goal_id: u64,
    /// Generation of the weights.
    pub generation: u64,
    /// Denoising steps done.
    pub denoise_steps: u32,
}

impl FixedChunk {
    /// Numbers per action, 1 to [`MAX_ACTION_DIM`].
    pub const fn dim(&self) -> usize {
        self.dim as usize
    }
    /// Number of actions, 1 to [`MAX_HORIZON`].
    pub const fn horizon(&self) -> usize {
        self.horizon as usize
    }
    /// The action that belongs to `tick`, if the chunk covers it. The index is counted in ticks
    /// from the observation, whatever planning took.
    pub fn at(&self, tick: Tick) -> Option<&Action> {
        let index = tick.0.checked_sub(self.source.observed.0)?;
        let index = usize::try_from(index).ok()?;
        self.actions.get(..self.horizon())?.get(index)
    }
    /// Whether all of its actions lie before `tick`.
    pub const fn is_over(&self, tick: Tick) -> bool {
        tick.since(self.source.observed) >= self.horizon as u64
    }
    /// Whether every number is finite.
    pub fn is_finite(&self) -> bool {
        self.actions
            .iter()
            .take(self.horizon())
            .all(|action| action.iter().all(|number| number.is_finite()))
    }
}

impl TryFrom<&ActionChunk> for FixedChunk {
    type Error = ChunkError;

    fn try_from(chunk: &ActionChunk) -> Result<Self, ChunkError> {
        let width = chunk.action_dim as usize;
        if !(1..=MAX_ACTION_DIM).contains(&width) {
            return Err(ChunkError::Width(chunk.action_dim));
        }
        let rows = chunk.actions.chunks_exact(width);
        if !rows.remainder().is_empty() {
            return Err(ChunkError::Ragged {
                numbers: chunk.actions.len(),
                width: chunk.action_dim,
            });
        }
        let horizon = rows.len();
        if horizon == 0 {
            return Err(ChunkError::Empty);
        }
        if horizon > MAX_HORIZON {
            return Err(ChunkError::Horizon(horizon));
        }
        let mut actions = [[0.0; MAX_ACTION_DIM]; MAX_HORIZON];
        for (action, row) in actions.iter_mut().zip(rows) {
            for (number, value) in action.iter_mut().zip(row) {
                *number = *value;
            }
        }
        Ok(Self {
            source: Source {
                observed: chunk.observed,
                stamp: chunk.stamp,
                goal_id: chunk.goal_id,
                generation: chunk.generation,
                denoise_steps: chunk.denoise_steps,
            },
            space: chunk.space,
            dim: width as u8,
            horizon: horizon as u8,
            actions,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn chunk(observed: u64, width: u32, numbers: usize) -> ActionChunk {
        ActionChunk {
            stamp: Stamp(9),
            observed: Tick(observed),
            goal_id: 3,
            generation: 4,
            denoise_steps: 5,
            space: ActionSpace::TcpDelta,
            action_dim: width,
            actions: (0..numbers).map(|number| number as f32).collect(),
        }
    }

    #[test]
    fn chunks_that_do_not_fit_are_refused() {
        let refusal = |width, numbers| FixedChunk::try_from(&chunk(0, width, numbers)).unwrap_err();
        assert_eq!(refusal(0, 0), ChunkError::Width(0));
        assert_eq!(refusal(9, 90), ChunkError::Width(9));
        assert_eq!(refusal(u32::MAX, 90), ChunkError::Width(u32::MAX));
        assert_eq!(refusal(7, 0), ChunkError::Empty);
        assert_eq!(refusal(7, 65 * 7), ChunkError::Horizon(65));
        assert_eq!(
            refusal(7, 8),
            ChunkError::Ragged {
                numbers: 8,
                width: 7
            }
        );
    }

    #[test]
    fn numbers_that_are_not_finite_are_found() {
        let mut message = chunk(0, 7, 70);
        message.actions[69] = f32::NAN;
        assert!(!FixedChunk::try_from(&message).unwrap().is_finite());
        message.actions[69] = f32::NEG_INFINITY;
        assert!(!FixedChunk::try_from(&message).unwrap().is_finite());
        message.actions[69] = f32::MAX;
        assert!(FixedChunk::try_from(&message).unwrap().is_finite());
    }

    proptest! {
        #[test]
        fn the_index_is_counted_from_the_observation(
            observed in any::<u64>(),
            tick in any::<u64>(),
            near in 0u64..80,
            width in 1u32..=8,
            horizon in 1usize..=64,
        ) {
            let message = chunk(observed, width, width as usize * horizon);
            let fixed = FixedChunk::try_from(&message).unwrap();
            for tick in [tick, observed.saturating_add(near)] {
                let index = tick.checked_sub(observed).map(|index| index as usize);
                let expected = index.filter(|&index| index < horizon);
                let found = fixed.at(Tick(tick)).map(|action| action[..width as usize].to_vec());
                let wanted = expected.map(|index| message.action(index).unwrap().to_vec());
                prop_assert_eq!(found, wanted);
                prop_assert_eq!(
                    fixed.is_over(Tick(tick)),
                    index.is_some_and(|index| index >= horizon)
                );
            }
        }
    }
}
