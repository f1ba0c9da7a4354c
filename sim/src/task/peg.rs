//! Put the named peg into the hole.

use cerebellum_kinematics::Pose;
use glam::{DQuat, DVec3};
use rapier3d::dynamics::RigidBodyHandle;
use rapier3d::math::Vector;

use super::block::square_yaw;
use super::stage::{Region, Stage};
use super::words;
use super::{Activity, Progress, Things};
use crate::expert::{Carry, Grip, Hand, Wish, yaw_of};
use crate::physics::{Part, World};
use crate::{Thing, ThingKind};

/// Half of a peg's width, and half of its length (m).
const PEG: [f64; 2] = [0.014, 0.04];
/// Mass of a peg (kg).
const MASS: f32 = 0.08;
/// Half of the hole's width (m).
const HOLE: f64 = 0.019;
/// Depth of the hole, and so the height of the socket (m).
const DEPTH: f64 = 0.03;
/// Distance of the grip from the peg's middle (m).
const GRIP: f64 = 0.016;

pub(crate) struct Peg {
    peg: RigidBodyHandle,
    socket: RigidBodyHandle,
}

impl Peg {
    pub(crate) fn set_up(stage: &mut Stage<'_>) -> Self {
        let far = Region::new([0.50, 0.58], [-0.16, 0.16]);
        let at = stage.place(&far, 0.06);
        let yaw = stage.between(-0.3, 0.3);
        let stone = stage.look([0.33, 0.34, 0.36]);
        let (hole, wall, half) = (HOLE as f32, 0.012, 0.5 * DEPTH as f32);
        let side = hole + 2.0 * wall;
        let up = Vector::new(0.0, 0.0, half);
        let middle = hole + wall;
        let walls = [
            Part::cuboid([wall, side, half], stone).at(up + Vector::X * middle),
            Part::cuboid([wall, side, half], stone).at(up - Vector::X * middle),
            Part::cuboid([hole, wall, half], stone).at(up + Vector::Y * middle),
            Part::cuboid([hole, wall, half], stone).at(up - Vector::Y * middle),
        ];
        let pose = Pose::new(at.extend(0.0), DQuat::from_rotation_z(yaw));
        let socket = stage.world.add_fixed(&pose, &walls);

        let colors = stage.colors();
        let others = stage.distractors(1..=1);
        let near = Region::new([0.36, 0.50], [-0.20, 0.20]);
        let mut pegs = colors.into_iter().take(1 + others).map(|color| {
            let at = stage.place(&near, 0.055);
            let yaw = stage.between(-0.4, 0.4);
            let look = stage.named(color);
            let (half, length) = (PEG[0] as f32, PEG[1] as f32);
            let pose = Pose::new(at.extend(PEG[1]), DQuat::from_rotation_z(yaw));
            let parts = [Part::cuboid([half, half, length], look)];
            stage.world.add_free(&pose, &parts, MASS)
        });
        let peg = pegs.next();
        pegs.for_each(drop);
        stage.say(&words::INSERT_PEG, &[("color", colors[0].name())]);
        Self {
            // At least one peg is always asked for.
            peg: peg.unwrap_or(socket),
            socket,
        }
    }

    fn is_in(&self, world: &World) -> bool {
        let (peg, socket) = (world.pose(self.peg), world.pose(self.socket));
        let aside = (peg.position - socket.position).truncate().length();
        let upright = (peg.orientation * DVec3::Z).z > 0.98;
        aside < 0.008 && upright && peg.position.z < PEG[1] + 0.010
    }
}

impl Activity for Peg {
    fn progress(&self, world: &World, _: &Hand) -> Progress {
        if self.is_in(world) && world.speed(self.peg) < 0.05 {
            Progress::Achieved
        } else {
            Progress::Open
        }
    }

    fn things(&self, world: &World) -> Things {
        let (peg, socket) = (world.pose(self.peg), world.pose(self.socket));
        let goal = socket.position + DVec3::new(0.0, 0.0, PEG[1]);
        Things {
            goal_yaw: yaw_of(socket.orientation),
            ..Things::new(peg, goal)
        }
    }

    fn thing(&self, world: &World) -> Thing {
        Thing::loose(ThingKind::Peg, &world.pose(self.peg))
    }

    fn guide(&self, world: &World, hand: &Hand) -> Wish {
        let (peg, socket) = (world.pose(self.peg), world.pose(self.socket));
        let yaw = square_yaw(peg.orientation, hand.yaw());
        let grip = Grip {
            at: peg.transform(DVec3::new(0.0, 0.0, GRIP)),
            yaw,
            width: 2.0 * PEG[0],
        };
        if grip.holds(hand) {
            let inside = peg.position.z - PEG[1] < DEPTH - 0.004;
            let carry = Carry {
                to: socket.position + DVec3::new(0.0, 0.0, PEG[1] + 0.002),
                yaw: Some(square_yaw(socket.orientation, yaw)),
                hover: 0.075,
                tolerance: if inside { 0.008 } else { 0.0035 },
                clearance: 0.036,
            };
            return carry.go(hand, peg.position, yaw);
        }
        if self.is_in(world) {
            return hand.lift(0.17, true);
        }
        grip.seize(hand).unwrap_or_else(|| hand.lift(0.17, false))
    }
}
