//! Blocks: cubes of one size in the colors of the palette.

use cerebellum_kinematics::Pose;
use glam::{DQuat, DVec3};
use rapier3d::dynamics::RigidBodyHandle;

use super::stage::{Region, Stage};
use crate::Color;
use crate::expert::{Grip, Hand, yaw_of};
use crate::physics::{Part, World};

/// Half of a block's side (m).
pub(crate) const HALF: f64 = 0.02;
/// Mass of a block (kg).
const MASS: f32 = 0.10;
/// Room that a block needs so that the open gripper fits beside its neighbour (m).
pub(crate) const ROOM: f64 = 0.05;
/// Where blocks may lie.
pub(crate) const REGION: Region = Region::new([0.36, 0.58], [-0.21, 0.21]);

/// A block on the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub body: RigidBodyHandle,
    pub color: Color,
}

impl Block {
    /// Puts a block somewhere in `region`, turned by up to `turn` (rad) either way.
    pub(crate) fn add(stage: &mut Stage<'_>, color: Color, region: &Region, turn: f64) -> Self {
        let at = stage.place(region, ROOM);
        let yaw = stage.between(-turn, turn);
        let look = stage.named(color);
        let half = HALF as f32;
        let pose = Pose::new(at.extend(HALF), DQuat::from_rotation_z(yaw));
        let parts = [Part::cuboid([half; 3], look)];
        let body = stage.world.add_free(&pose, &parts, MASS);
        Self { body, color }
    }

    /// Where its centre is (m).
    pub(crate) fn position(&self, world: &World) -> DVec3 {
        world.pose(self.body).position
    }

    /// How the hand can take it, with the least turn from where the hand is.
    pub(crate) fn grip(&self, world: &World, hand: &Hand) -> Grip {
        let pose = world.pose(self.body);
        Grip {
            at: pose.position,
            yaw: square_yaw(pose.orientation, hand.yaw()),
            width: 2.0 * HALF,
        }
    }

    /// Whether it lies still and the hand has let go of it.
    pub(crate) fn is_left_alone(&self, world: &World, hand: &Hand) -> bool {
        let away = hand.measured.position.distance(self.position(world));
        let clear = hand.width > 2.0 * HALF + 0.004 || away > 0.05;
        clear && world.speed(self.body) < 0.03
    }
}

/// Turn of a square thing about the vertical that is nearest to `near` (rad).
pub(crate) fn square_yaw(orientation: DQuat, near: f64) -> f64 {
    use std::f64::consts::{FRAC_PI_2, PI};
    // The face that looks most upwards decides which axes are level.
    let upright = (orientation * DVec3::Z).z.abs() > 0.7;
    let level = if upright || (orientation * DVec3::Y).z.abs() > 0.7 {
        yaw_of(orientation)
    } else {
        let side = orientation * DVec3::Y;
        glam::DVec2::X.angle_to(side.truncate())
    };
    let level = if level.is_finite() { level } else { 0.0 };
    let steps = ((near - level) / FRAC_PI_2).round();
    let yaw = level + steps * FRAC_PI_2;
    // Beyond three eighths of a turn the wrist would run out of range: come back.
    if yaw.abs() > 0.75 * PI {
        yaw - yaw.signum() * PI
    } else {
        yaw
    }
}
