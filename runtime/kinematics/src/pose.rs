//! Position and orientation in space.

use glam::{DQuat, DVec3};

/// A rigid transform: the pose of a frame in its reference frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Origin of the frame (m).
    pub position: DVec3,
    /// Orientation of the frame, a unit quaternion.
    pub orientation: DQuat,
}

impl Pose {
    /// The reference frame itself.
    pub const IDENTITY: Self = Self {
        position: DVec3::ZERO,
        orientation: DQuat::IDENTITY,
    };

    /// A pose from its two parts; `orientation` must be a unit quaternion.
    pub const fn new(position: DVec3, orientation: DQuat) -> Self {
        Self {
            position,
            orientation,
        }
    }

    /// A pose from a position (m) and roll, pitch and yaw (rad) about the fixed axes x, y, z.
    pub fn from_xyz_rpy(xyz: [f64; 3], rpy: [f64; 3]) -> Self {
        let [roll, pitch, yaw] = rpy;
        Self {
            position: DVec3::from_array(xyz),
            orientation: DQuat::from_rotation_z(yaw)
                * DQuat::from_rotation_y(pitch)
                * DQuat::from_rotation_x(roll),
        }
    }

    /// The pose of a frame whose pose in this frame is `inner`.
    #[must_use]
    pub fn compose(&self, inner: &Self) -> Self {
        Self {
            position: self.transform(inner.position),
            orientation: self.orientation * inner.orientation,
        }
    }

    /// The pose of the reference frame in this frame.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let orientation = self.orientation.conjugate();
        Self {
            position: -(orientation * self.position),
            orientation,
        }
    }

    /// A point of this frame, in the reference frame (m).
    pub fn transform(&self, point: DVec3) -> DVec3 {
        self.position + self.orientation * point
    }

    /// What leads from this pose to `target`: translation (m) and rotation vector (rad), both in
    /// the reference frame. The rotation is at most half a turn long.
    pub fn difference(&self, target: &Self) -> (DVec3, DVec3) {
        let turn = target.orientation * self.orientation.conjugate();
        let turn = if turn.w < 0.0 { -turn } else { turn };
        (target.position - self.position, turn.to_scaled_axis())
    }

    /// This pose moved by `translation` (m) and turned by the rotation vector `rotation` (rad),
    /// both in the reference frame; the turn is about the frame's own origin.
    #[must_use]
    pub fn moved(&self, translation: DVec3, rotation: DVec3) -> Self {
        Self {
            position: self.position + translation,
            orientation: (DQuat::from_scaled_axis(rotation) * self.orientation).normalize(),
        }
    }

    /// Whether every number is finite.
    pub fn is_finite(&self) -> bool {
        self.position.is_finite() && self.orientation.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_is_what_the_difference_says() {
        let from = Pose::from_xyz_rpy([0.1, 0.2, 0.3], [0.4, -0.5, 2.8]);
        let to = Pose::from_xyz_rpy([-0.3, 0.1, 0.9], [-1.0, 0.2, -2.9]);
        let (translation, rotation) = from.difference(&to);
        let reached = from.moved(translation, rotation);
        let (left, turn) = reached.difference(&to);
        assert!(left.length() < 1e-12 && turn.length() < 1e-9);
        assert!(rotation.length() <= std::f64::consts::PI + 1e-12);
    }

    #[test]
    fn the_inverse_undoes() {
        let pose = Pose::from_xyz_rpy([0.1, 0.2, 0.3], [0.4, -0.5, 2.8]);
        let unit = pose.compose(&pose.inverse());
        assert!(unit.position.length() < 1e-12);
        assert!(unit.orientation.angle_between(DQuat::IDENTITY) < 1e-7);
    }
}
