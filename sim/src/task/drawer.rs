//! Open or close the drawer.

use cerebellum_kinematics::Pose;
use glam::{DQuat, DVec2, DVec3};
use rapier3d::dynamics::{MultibodyJointHandle, RigidBodyHandle};
use rapier3d::math::Vector;

use super::block::{Block, REGION};
use super::stage::{Region, Stage};
use super::words;
use super::{Activity, Progress, Things};
use crate::SimError;
use crate::expert::{Grip, Hand, Phase, TRAVEL, Wish, facing, yaw_of};
use crate::physics::{FINGER_HALF, Motion, Part, Slider, World};
use crate::render::Material;
use crate::{Thing, ThingKind};

/// How far the drawer comes out (m).
const TRAVEL_RANGE: f32 = 0.15;
/// Opening that counts as open (m).
const OPEN: f64 = 0.11;
/// Opening that counts as closed (m).
const CLOSED: f64 = 0.012;
/// Distance of the handle from the front (m).
const STAND_OFF: f64 = 0.035;
/// Width of the handle's bar (m).
const BAR: f64 = 0.012;
/// Height of the handle's middle (m).
const HANDLE_HEIGHT: f64 = 0.05;
/// Where along the front the drawer is pushed shut: beside the handle (m).
const PUSH_ASIDE: f64 = 0.045;

pub(crate) struct Drawer {
    /// The front panel; its frame lies in the middle of the panel's outer face, on the table.
    front: RigidBodyHandle,
    joint: MultibodyJointHandle,
    open: bool,
}

impl Drawer {
    pub(crate) fn to_open(stage: &mut Stage<'_>) -> Result<Self, SimError> {
        let start = stage.between(0.0, 0.015);
        let drawer = Self::set_up(stage, start, true)?;
        stage.say(&words::OPEN_DRAWER, &[]);
        Ok(drawer)
    }

    pub(crate) fn to_close(stage: &mut Stage<'_>) -> Result<Self, SimError> {
        let start = stage.between(0.09, 0.14);
        let drawer = Self::set_up(stage, start, false)?;
        stage.say(&words::CLOSE_DRAWER, &[]);
        Ok(drawer)
    }

    fn set_up(stage: &mut Stage<'_>, start: f64, open: bool) -> Result<Self, SimError> {
        let x = stage.between(0.58, 0.61);
        let y = stage.between(-0.10, 0.10);
        let yaw = stage.between(-0.12, 0.12);
        let front = Pose::new(DVec3::new(x, y, 0.0), DQuat::from_rotation_z(yaw));
        let wood = stage.dress(Material::plain([0.46, 0.30, 0.17]), 12.0);
        let face = stage.look([0.62, 0.45, 0.28]);
        let metal = stage.look([0.12, 0.12, 0.13]);

        // Behind the front: two sides, a back and a top around the drawer.
        let at = Vector::new;
        let cabinet = [
            Part::cuboid([0.09, 0.006, 0.05], wood).at(at(0.096, 0.086, 0.05)),
            Part::cuboid([0.09, 0.006, 0.05], wood).at(at(0.096, -0.086, 0.05)),
            Part::cuboid([0.006, 0.092, 0.05], wood).at(at(0.192, 0.0, 0.05)),
            Part::cuboid([0.096, 0.092, 0.004], wood).at(at(0.102, 0.0, 0.096)),
        ];
        let cabinet = stage.world.add_fixed(&front, &cabinet);
        let bar = 0.5 * BAR as f32;
        let stem = 0.5 * STAND_OFF as f32;
        let drawer = [
            Part::cuboid([0.005, 0.08, 0.042], face).at(at(0.005, 0.0, 0.047)),
            Part::cuboid([0.08, 0.076, 0.003], wood).at(at(0.09, 0.0, 0.01)),
            Part::cuboid([0.08, 0.003, 0.03], wood).at(at(0.09, 0.073, 0.037)),
            Part::cuboid([0.08, 0.003, 0.03], wood).at(at(0.09, -0.073, 0.037)),
            Part::cuboid([bar, bar, 0.026], metal).at(at(
                -STAND_OFF as f32,
                0.0,
                HANDLE_HEIGHT as f32,
            )),
            Part::cuboid([stem, 0.004, 0.004], metal).at(at(-stem, 0.0, 0.028)),
            Part::cuboid([stem, 0.004, 0.004], metal).at(at(-stem, 0.0, 0.072)),
        ];
        let moving = stage.world.add_moving(&front, &drawer, 0.5);
        let slider = Slider {
            motion: Motion::Slide,
            axis: -Vector::X,
            origin: Vector::ZERO,
            limits: [0.0, TRAVEL_RANGE],
            start: start as f32,
            damping: 8.0,
            friction: 1.0,
            spring: 0.0,
        };
        let joint = stage.world.join(cabinet, moving, &slider)?;
        for reach in [-0.16, -0.08, 0.0, 0.1] {
            let place = front.transform(DVec3::new(reach, 0.0, 0.0)).truncate();
            stage.taken.push((place, 0.11));
        }
        let colors = stage.colors();
        let others = stage.distractors(0..=2);
        let aside = Region::new([REGION.min.x, REGION.max.x], [-0.27, 0.27]);
        for color in colors.into_iter().take(others) {
            Block::add(stage, color, &aside, 0.7);
        }
        Ok(Self {
            front: moving,
            joint,
            open,
        })
    }

    fn pull(&self, world: &World, hand: &Hand) -> Wish {
        let front = world.pose(self.front);
        let grip = Grip {
            at: front.transform(DVec3::new(-STAND_OFF, 0.0, HANDLE_HEIGHT)),
            yaw: yaw_of(front.orientation),
            width: BAR,
        };
        if world.coordinate(self.joint) > OPEN + 0.02 {
            return hand.lift(0.17, true);
        }
        if let Some(wish) = grip.seize(hand) {
            return wish;
        }
        let outwards = front.orientation * DVec3::NEG_X;
        let mut to = grip.at + outwards * 0.04;
        to.z = HANDLE_HEIGHT;
        Wish {
            pose: Pose::new(to, facing(grip.yaw)),
            open: false,
            speed: 0.014,
            phase: Phase::Carry,
        }
    }

    fn push(&self, world: &World, hand: &Hand) -> Wish {
        let front = world.pose(self.front);
        let yaw = yaw_of(front.orientation);
        if world.coordinate(self.joint) < 0.5 * CLOSED {
            return hand.lift(0.17, false);
        }
        let finger = f64::from(FINGER_HALF[0]);
        let here = front.inverse().transform(hand.measured.position);
        let spot = DVec2::new(here.x + finger, here.y - PUSH_ASIDE);
        let level = (hand.measured.position.z - HANDLE_HEIGHT).abs() < 0.015;
        if level && spot.y.abs() < 0.015 && spot.x < 0.004 && spot.x > -0.05 {
            let inwards = DVec3::new(here.x + 0.04, PUSH_ASIDE, HANDLE_HEIGHT);
            return Wish {
                pose: Pose::new(front.transform(inwards), facing(yaw)),
                open: false,
                speed: 0.014,
                phase: Phase::Push,
            };
        }
        let start = DVec3::new(-finger - 0.02, PUSH_ASIDE, HANDLE_HEIGHT);
        let target = Pose::new(front.transform(start), facing(yaw));
        Wish {
            pose: hand.approach(&target, 0.08, 0.006),
            open: false,
            speed: TRAVEL,
            phase: Phase::Approach,
        }
    }
}

impl Activity for Drawer {
    fn progress(&self, world: &World, _: &Hand) -> Progress {
        let opening = world.coordinate(self.joint);
        let done = if self.open {
            opening > OPEN
        } else {
            opening < CLOSED
        };
        if done {
            Progress::Achieved
        } else {
            Progress::Open
        }
    }

    fn things(&self, world: &World) -> Things {
        let front = world.pose(self.front);
        let handle = front.transform(DVec3::new(-STAND_OFF, 0.0, HANDLE_HEIGHT));
        let wanted = if self.open { OPEN } else { 0.0 };
        let way = DVec3::NEG_X * (wanted - world.coordinate(self.joint));
        let goal = handle + front.orientation * way;
        Things::new(Pose::new(handle, front.orientation), goal)
    }

    fn thing(&self, world: &World) -> Thing {
        let share = world.coordinate(self.joint) / f64::from(TRAVEL_RANGE);
        Thing::jointed(ThingKind::Drawer, &world.pose(self.front), share)
    }

    fn guide(&self, world: &World, hand: &Hand) -> Wish {
        if self.open {
            self.pull(world, hand)
        } else {
            self.push(world, hand)
        }
    }
}
