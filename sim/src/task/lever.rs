//! Turn the lever to the named side.

use cerebellum_kinematics::Pose;
use glam::{DQuat, DVec3};
use rapier3d::dynamics::{MultibodyJointHandle, RigidBodyHandle};
use rapier3d::math::Vector;

use super::block::{Block, REGION};
use super::stage::{Region, Stage};
use super::words;
use super::{Activity, Progress, Things};
use crate::SimError;
use crate::expert::{Hand, Phase, TRAVEL, Wish, facing};
use crate::physics::{FINGER_HALF, Motion, Part, Slider, World};
use crate::{Thing, ThingKind};

/// Greatest turn to either side (rad).
const MOST_TURN: f64 = 1.1;
/// Turn that counts as done (rad).
const TURNED: f64 = 0.7;
/// Distance from the axis at which the expert pushes (m).
const ARM: f64 = 0.085;
/// Half of the bar's thickness (m).
const BAR: f64 = 0.008;
/// Height of the bar's middle (m).
const HEIGHT: f64 = 0.045;

pub(crate) struct Lever {
    bar: RigidBodyHandle,
    joint: MultibodyJointHandle,
    /// Sign of the turn that is asked for: to the left, as the robot sees it, is negative.
    sign: f64,
}

impl Lever {
    pub(crate) fn set_up(stage: &mut Stage<'_>) -> Result<Self, SimError> {
        let x = stage.between(0.52, 0.58);
        let y = stage.between(-0.12, 0.12);
        let left = stage.perhaps(0.5);
        let start = stage.between(-0.25, 0.25);
        let foot = Pose::new(DVec3::new(x, y, 0.0), DQuat::IDENTITY);
        let case = stage.look([0.24, 0.26, 0.30]);
        let metal = stage.look([0.55, 0.56, 0.58]);
        let knob = stage.look([0.70, 0.12, 0.05]);
        let post = [
            Part::cylinder(0.006, 0.04, case).at(Vector::new(0.0, 0.0, 0.006)),
            Part::cylinder(0.015, 0.018, case).at(Vector::new(0.0, 0.0, 0.020)),
        ];
        let post = stage.world.add_fixed(&foot, &post);
        let half = BAR as f32;
        // At coordinate zero the bar points to the robot.
        let bar = [
            Part::cuboid([0.055, half, half], metal).at(Vector::new(-0.055, 0.0, 0.0)),
            Part::cylinder(0.012, 0.018, metal),
            Part::cylinder(0.014, 0.012, knob).at(Vector::new(-0.11, 0.0, 0.004)),
        ];
        let height = HEIGHT as f32;
        let up = Pose::new(DVec3::new(x, y, HEIGHT), DQuat::IDENTITY);
        let bar = stage.world.add_moving(&up, &bar, 0.15);
        let slider = Slider {
            motion: Motion::Turn,
            axis: Vector::Z,
            origin: Vector::new(0.0, 0.0, height),
            limits: [-MOST_TURN as f32, MOST_TURN as f32],
            start: start as f32,
            damping: 0.02,
            friction: 0.05,
            spring: 0.0,
        };
        let joint = stage.world.join(post, bar, &slider)?;
        for reach in [0.0, -0.06, -0.12] {
            stage
                .taken
                .push((foot.position.truncate() + glam::DVec2::X * reach, 0.12));
        }
        let colors = stage.colors();
        let others = stage.distractors(0..=2);
        let aside = Region::new([REGION.min.x, REGION.max.x], [-0.28, 0.28]);
        for color in colors.into_iter().take(others) {
            Block::add(stage, color, &aside, 0.7);
        }
        let side = if left { "left" } else { "right" };
        stage.say(&words::TURN_LEVER, &[("side", side)]);
        Ok(Self {
            bar,
            joint,
            sign: if left { -1.0 } else { 1.0 },
        })
    }
}

impl Activity for Lever {
    fn progress(&self, world: &World, _: &Hand) -> Progress {
        let turned = self.sign * world.coordinate(self.joint);
        if turned > TURNED {
            Progress::Achieved
        } else if turned < -TURNED {
            Progress::Spoiled
        } else {
            Progress::Open
        }
    }

    fn things(&self, world: &World) -> Things {
        let bar = world.pose(self.bar);
        let at = DVec3::new(-ARM, 0.0, 0.0);
        let wanted = self.sign * (TURNED + 0.12);
        let turn = DQuat::from_rotation_z(wanted - world.coordinate(self.joint));
        let goal = bar.position + turn * (bar.orientation * at);
        Things::new(Pose::new(bar.transform(at), bar.orientation), goal)
    }

    fn thing(&self, world: &World) -> Thing {
        let share = world.coordinate(self.joint) / MOST_TURN;
        Thing::jointed(ThingKind::Lever, &world.pose(self.bar), share)
    }

    fn guide(&self, world: &World, hand: &Hand) -> Wish {
        let bar = world.pose(self.bar);
        if self.sign * world.coordinate(self.joint) > TURNED + 0.12 {
            return hand.lift(0.15, false);
        }
        // In the frame of the bar, the hand pushes along `sign * -y` from the other side. Fingers
        // keep their direction, so how thick they are depends on the turn; this is the widest.
        let thick = f64::from(FINGER_HALF[0]).hypot(2.0 * f64::from(FINGER_HALF[1]));
        let touch = BAR + thick;
        let here = bar.inverse().transform(hand.measured.position);
        let gap = self.sign * here.y - touch;
        let level = here.z.abs() < 0.02;
        let beside = (here.x + ARM).abs() < 0.03;
        if level && beside && gap > -0.012 && gap < 0.04 {
            let past = DVec3::new(-ARM, self.sign * (touch + gap - 0.04), 0.0);
            return Wish {
                pose: Pose::new(bar.transform(past), facing(0.0)),
                open: false,
                speed: 0.012,
                phase: Phase::Push,
            };
        }
        let start = DVec3::new(-ARM, self.sign * (touch + 0.015), 0.0);
        let target = Pose::new(bar.transform(start), facing(0.0));
        Wish {
            pose: hand.approach(&target, 0.08, 0.006),
            open: false,
            speed: TRAVEL,
            phase: Phase::Approach,
        }
    }
}
