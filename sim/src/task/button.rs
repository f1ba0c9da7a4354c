//! Press the named button and no other.

use cerebellum_kinematics::Pose;
use glam::{DQuat, DVec3};
use rapier3d::dynamics::{MultibodyJointHandle, RigidBodyHandle};
use rapier3d::math::Vector;

use super::stage::{Region, Stage};
use super::words;
use super::{Activity, Progress, Things};
use crate::SimError;
use crate::expert::{Hand, Phase, TRAVEL, Wish, facing};
use crate::physics::{FINGER_TIP, Motion, Part, Slider, World};
use crate::{Thing, ThingKind};

/// How far a button goes down (m).
const TRAVEL_RANGE: f64 = 0.010;
/// How far down counts as pressed (m).
const PRESSED: f64 = 0.006;
/// Height of a button's top when it is up (m).
const TOP: f64 = 0.036;

struct Plunger {
    body: RigidBodyHandle,
    joint: MultibodyJointHandle,
}

pub(crate) struct Button {
    wanted: Plunger,
    others: Vec<Plunger>,
}

impl Button {
    pub(crate) fn set_up(stage: &mut Stage<'_>) -> Result<Self, SimError> {
        let colors = stage.colors();
        let others = stage.distractors(1..=2);
        let region = Region::new([0.38, 0.58], [-0.20, 0.20]);
        let mut plungers = Vec::new();
        for color in colors.into_iter().take(1 + others) {
            let at = stage.place(&region, 0.055);
            let foot = Pose::new(at.extend(0.0), DQuat::IDENTITY);
            let case = stage.look([0.20, 0.21, 0.22]);
            let cap = stage.named(color);
            let socket = Part::cylinder(0.010, 0.032, case).at(Vector::new(0.0, 0.0, 0.010));
            let socket = stage.world.add_fixed(&foot, &[socket]);
            // The cap's lower part is inside the case.
            let height = 0.5 * (TOP as f32 - 0.008);
            let plunger = Part::cylinder(height, 0.022, cap);
            let middle = TOP as f32 - height;
            let up = Pose::new(at.extend(f64::from(middle)), DQuat::IDENTITY);
            let body = stage.world.add_moving(&up, &[plunger], 0.02);
            let slider = Slider {
                motion: Motion::Slide,
                axis: Vector::Z,
                origin: Vector::new(0.0, 0.0, middle),
                limits: [-TRAVEL_RANGE as f32, 0.0],
                start: 0.0,
                damping: 4.0,
                friction: 0.0,
                spring: 300.0,
            };
            let joint = stage.world.join(socket, body, &slider)?;
            plungers.push(Plunger { body, joint });
        }
        stage.say(&words::PRESS_BUTTON, &[("color", colors[0].name())]);
        let wanted = plungers.swap_remove(0);
        Ok(Self {
            wanted,
            others: plungers,
        })
    }
}

impl Activity for Button {
    fn progress(&self, world: &World, _: &Hand) -> Progress {
        let pressed = |plunger: &Plunger| world.coordinate(plunger.joint) < -PRESSED;
        if self.others.iter().any(pressed) {
            Progress::Spoiled
        } else if pressed(&self.wanted) {
            Progress::Achieved
        } else {
            Progress::Open
        }
    }

    fn things(&self, world: &World) -> Things {
        let cap = world.pose(self.wanted.body);
        let way = DVec3::new(0.0, 0.0, TRAVEL_RANGE + world.coordinate(self.wanted.joint));
        Things::new(cap, cap.position - way)
    }

    fn thing(&self, world: &World) -> Thing {
        let share = -world.coordinate(self.wanted.joint) / TRAVEL_RANGE;
        Thing::jointed(ThingKind::Button, &world.pose(self.wanted.body), share)
    }

    fn guide(&self, world: &World, hand: &Hand) -> Wish {
        let cap = world.pose(self.wanted.body).position;
        let down = TOP - TRAVEL_RANGE + f64::from(FINGER_TIP) - 0.004;
        let target = Pose::new(DVec3::new(cap.x, cap.y, down), facing(0.0));
        let aside = (target.position - hand.measured.position).truncate();
        Wish {
            pose: hand.approach(&target, 0.08, 0.008),
            open: false,
            speed: TRAVEL,
            phase: if aside.length() < 0.008 {
                Phase::Push
            } else {
                Phase::Approach
            },
        }
    }

    fn hold(&self) -> u32 {
        2
    }
}
