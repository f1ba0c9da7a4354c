//! Scripted experts: from the state of the world to the action of this tick.

mod grip;
mod hand;
mod phase;

pub(crate) use grip::{Carry, Grip};
pub(crate) use hand::{Hand, TRAVEL, Wish, facing, yaw_of};
pub use phase::Phase;

use cerebellum_kinematics::{ServoStep, TcpServo};
use glam::DVec3;

use crate::Episode;

/// Tool translation per tick that an action of 1 stands for (m).
pub const TRANSLATION_SCALE: f64 = 0.02;
/// Tool rotation per tick that an action of 1 stands for (rad).
pub const ROTATION_SCALE: f64 = 0.10;

/// The scripted expert of every task. It sees the true state of the world and has no memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expert;

impl Expert {
    /// The action for this tick: tool translation and rotation divided by [`TRANSLATION_SCALE`] and
    /// [`ROTATION_SCALE`], each number in [-1, 1], and the gripper: 1 open, -1 closed.
    pub fn act(self, episode: &Episode) -> [f32; 7] {
        let hand = episode.hand();
        episode.guide(&hand).action(&hand)
    }

    /// The part of the task that this tick belongs to.
    pub fn phase(self, episode: &Episode) -> Phase {
        episode.guide(&episode.hand()).phase
    }
}

/// Moves a servo by an action.
pub(crate) fn drive(servo: &mut TcpServo, action: [f64; 7]) -> ServoStep {
    let [x, y, z, u, v, w, gripper] = action;
    servo.advance(
        DVec3::new(x, y, z) * TRANSLATION_SCALE,
        DVec3::new(u, v, w) * ROTATION_SCALE,
        gripper > 0.0,
    )
}
