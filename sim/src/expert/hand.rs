//! The hand as experts see it, and what they want of it.

use cerebellum_kinematics::Pose;
use glam::{DQuat, DVec2, DVec3};

use super::{Phase, ROTATION_SCALE, TRANSLATION_SCALE};

/// Share of the way to the wish that one tick covers when the wish is near.
const GAIN: f64 = 0.6;
/// Usual speed of travel (m per tick).
pub(crate) const TRAVEL: f64 = 0.018;

/// Where the hand is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hand {
    /// Commanded pose of the tool centre point.
    pub commanded: Pose,
    /// Measured pose of the tool centre point.
    pub measured: Pose,
    /// Measured opening of the gripper (m).
    pub width: f64,
}

/// Where the hand should be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// Pose of the tool centre point.
    pub pose: Pose,
    /// Whether the gripper should be open.
    pub open: bool,
    /// Fastest travel (m per tick).
    pub speed: f64,
    /// What the move is part of.
    pub phase: Phase,
}

impl Wish {
    /// The action that goes towards the wish; see [`super::Expert::act`].
    pub(crate) fn action(&self, hand: &Hand) -> [f32; 7] {
        let (translation, rotation) = hand.commanded.difference(&self.pose);
        let speed = self.speed.min(TRANSLATION_SCALE);
        let translation = (translation * GAIN).clamp_length_max(speed) / TRANSLATION_SCALE;
        let rotation = (rotation * GAIN).clamp_length_max(ROTATION_SCALE) / ROTATION_SCALE;
        let [x, y, z] = translation.as_vec3().to_array();
        let [u, v, w] = rotation.as_vec3().to_array();
        [x, y, z, u, v, w, if self.open { 1.0 } else { -1.0 }]
    }
}

impl Hand {
    /// Turn of the hand about the vertical (rad).
    pub(crate) fn yaw(&self) -> f64 {
        yaw_of(self.measured.orientation)
    }

    /// To `target` from above: down a funnel that allows the less height the farther the hand still
    /// is from the vertical through the target, and up before sideways when it is too low.
    ///
    /// `hover` is the height above the target for travel (m); `tolerance` the distance from the
    /// vertical at which the hand may be all the way down (m).
    pub(crate) fn approach(&self, target: &Pose, hover: f64, tolerance: f64) -> Pose {
        let here = self.measured.position;
        let (_, turn) = self.measured.difference(target);
        let aside = (target.position - here).truncate().length() + 0.02 * turn.length();
        self.descend(target, (4.0 * (aside - tolerance)).clamp(0.0, hover))
    }

    /// To the height `rise` above `target` and sideways to it, first up if the hand is too low.
    pub(crate) fn descend(&self, target: &Pose, rise: f64) -> Pose {
        let height = target.position.z + rise;
        let too_low = height - self.measured.position.z - 0.015;
        let freedom = (1.0 - too_low / 0.03).clamp(0.0, 1.0);
        let from = self.commanded.position;
        let mut position = from + (target.position - from) * freedom;
        position.z = height;
        Pose::new(position, target.orientation)
    }

    /// Straight up to `height` with the gripper as it is wished, away from the work.
    pub(crate) fn lift(&self, height: f64, open: bool) -> Wish {
        let mut position = self.commanded.position;
        position.z = position.z.max(height);
        Wish {
            pose: Pose::new(position, facing(self.yaw())),
            open,
            speed: TRAVEL,
            phase: Phase::Leave,
        }
    }
}

/// Orientation of a hand that points straight down, turned by `yaw` about the vertical.
pub(crate) fn facing(yaw: f64) -> DQuat {
    DQuat::from_rotation_z(yaw) * DQuat::from_rotation_x(std::f64::consts::PI)
}

/// Turn about the vertical of the x axis of a frame (rad).
pub(crate) fn yaw_of(orientation: DQuat) -> f64 {
    let x = orientation * DVec3::X;
    DVec2::X.angle_to(x.truncate())
}
