//! Action chunks: what a policy plans.

use serde::{Deserialize, Serialize};

use crate::{Stamp, Tick};

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
        self.actions.get(index * width..(index + 1) * width)
    }
}
