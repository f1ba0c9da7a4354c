//! Action chunks: what a policy plans.

use serde::{Deserialize, Serialize};

use crate::invalid::Check;
use crate::{Invalid, Stamp, Tick};

/// Width of a [`ActionSpace::TcpDelta`] action.
pub const TCP_DELTA_DIM: usize = 7;

/// What the numbers of an action mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ActionSpace {
    /// Seven numbers: change of the tool position per tick `x y z`, change of orientation per tick
    /// as a rotation vector `x y z` (both in the base frame, divided by the policy's action scale,
    /// so in about [-1, 1]), and the gripper: open if positive, else closed.
    #[default]
    TcpDelta = 0,
    /// Absolute joint positions [rad or m], one per commanded joint.
    JointPosition = 1,
}

/// Consecutive actions, one per tick, starting at the tick of the observation behind them
/// (`cerebellum_msgs/ActionChunk`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionChunk {
    /// Stamp of the observation.
    pub stamp: Stamp,
    /// Tick of the observation: action `i` belongs to tick `observed + i`.
    pub observed: Tick,
    /// Goal in force.
    pub goal_id: u64,
    /// Generation of the weights.
    pub generation: u64,
    /// Denoising steps done.
    pub denoise_steps: u32,
    /// Meaning of the numbers.
    pub space: ActionSpace,
    /// Numbers per action.
    pub action_dim: u32,
    /// `horizon * action_dim` numbers, action by action.
    pub actions: Vec<f32>,
}

impl ActionChunk {
    /// Number of actions.
    pub fn horizon(&self) -> usize {
        self.actions
            .len()
            .checked_div(self.action_dim as usize)
            .unwrap_or(0)
    }
    /// Action `index`, if the chunk is that long.
    pub fn action(&self, index: usize) -> Option<&[f32]> {
        let width = self.action_dim as usize;
        let start = index.checked_mul(width)?;
        self.actions.get(start..start.checked_add(width)?)
    }

    /// Checks that there is at least one action, that actions are whole, that tool deltas have
    /// [`TCP_DELTA_DIM`] numbers and that all numbers are finite.
    ///
    /// # Errors
    /// [`Invalid`], naming the field.
    pub fn validate(&self) -> Result<(), Invalid> {
        let check = Check("ActionChunk");
        let width = self.action_dim as usize;
        check.filled("action_dim", width)?;
        if self.space == ActionSpace::TcpDelta {
            check.length("action_dim", width, TCP_DELTA_DIM)?;
        }
        check.filled("actions", self.actions.len())?;
        check.length("actions", self.actions.len(), self.horizon() * width)?;
        check.finite("actions", &self.actions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(action_dim: u32, values: usize) -> ActionChunk {
        ActionChunk {
            stamp: Stamp::default(),
            observed: Tick(0),
            goal_id: 1,
            generation: 0,
            denoise_steps: 4,
            space: ActionSpace::TcpDelta,
            action_dim,
            actions: vec![0.5; values],
        }
    }

    #[test]
    fn actions_are_taken_whole() {
        let chunk = chunk(7, 15);
        assert_eq!(chunk.horizon(), 2);
        assert_eq!(chunk.action(1).map(<[f32]>::len), Some(7));
        assert_eq!(chunk.action(2), None);
        assert_eq!(chunk.action(usize::MAX), None);
    }

    #[test]
    fn chunks_must_be_whole() {
        assert_eq!(chunk(7, 14).validate(), Ok(()));
        assert!(matches!(
            chunk(7, 15).validate(),
            Err(Invalid::Length { expected: 14, .. })
        ));
        assert!(matches!(chunk(7, 0).validate(), Err(Invalid::Empty { .. })));
        assert!(matches!(chunk(0, 7).validate(), Err(Invalid::Empty { .. })));
        assert!(matches!(
            chunk(8, 8).validate(),
            Err(Invalid::Length { expected: 7, .. })
        ));
        let joints = ActionChunk {
            space: ActionSpace::JointPosition,
            ..chunk(8, 8)
        };
        assert_eq!(joints.validate(), Ok(()));
        let mut nan = chunk(7, 14);
        nan.actions[9] = f32::NAN;
        assert!(matches!(
            nan.validate(),
            Err(Invalid::NotFinite { index: 9, .. })
        ));
    }
}
