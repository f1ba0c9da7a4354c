//! The true state of what a task is about.

use cerebellum_kinematics::Pose;
use glam::{DQuat, DVec3};

use crate::expert::{Hand, yaw_of};

/// Numbers of a [`Things::vector`].
pub const WORLD_DIM: usize = 20;

/// What is handled, and where it should get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Things {
    /// The block, peg, handle, cap or bar.
    pub thing: Pose,
    /// Where it should be (m).
    pub goal: DVec3,
    /// The turn that it should have about the vertical (rad).
    pub goal_yaw: f64,
}

impl Things {
    /// Something whose turn does not matter.
    pub(crate) fn new(thing: Pose, goal: DVec3) -> Self {
        let goal_yaw = yaw_of(thing.orientation);
        Self {
            thing,
            goal,
            goal_yaw: if goal_yaw.is_finite() { goal_yaw } else { 0.0 },
        }
    }

    /// Position of the thing (3), two columns of its rotation matrix (6), its goal (3), the ways
    /// from the tool to the thing (3) and from the thing to the goal (3) in metres, cosine and sine
    /// of the goal's turn (2): the parts of a state in ManiSkill2 beside the robot's own.
    pub(crate) fn vector(&self, hand: &Hand) -> Vec<f32> {
        let turn: DQuat = self.thing.orientation;
        let place = self.thing.position;
        let mut vector = Vec::with_capacity(WORLD_DIM);
        let parts = [
            place,
            turn * DVec3::X,
            turn * DVec3::Y,
            self.goal,
            place - hand.measured.position,
            self.goal - place,
        ];
        for part in parts {
            vector.extend(part.to_array().map(|value| value as f32));
        }
        let (sin, cos) = self.goal_yaw.sin_cos();
        vector.extend([cos as f32, sin as f32]);
        vector
    }
}
