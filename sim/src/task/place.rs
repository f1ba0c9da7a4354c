//! Put the named block on the plate, in the tray, or on another block.

use glam::{DVec2, DVec3};
use rapier3d::dynamics::RigidBodyHandle;

use super::block::{Block, HALF, REGION};
use super::stage::{PLATE_HEIGHT, PLATE_RADIUS, Region, Stage, TRAY_FLOOR, TRAY_INNER};
use super::words;
use super::{Activity, Progress, Things};
use crate::expert::{Carry, Hand, Wish, yaw_of};
use crate::physics::World;
use crate::{Thing, ThingKind};

/// Where plates and trays may stand.
const FURNITURE: Region = Region::new([0.42, 0.56], [-0.22, 0.22]);

pub(crate) struct Place {
    block: Block,
    /// What the block is put on.
    on: RigidBodyHandle,
    /// Height of the resting place above the origin of `on` (m).
    top: f64,
    /// Horizontal distance from the origin of `on` that counts as on it (m).
    reach: f64,
    /// How exactly the expert places (m).
    care: f64,
}

impl Place {
    pub(crate) fn on_plate(stage: &mut Stage<'_>) -> Self {
        let at = plate_place(stage);
        let on = stage.plate(at);
        if stage.perhaps(0.35) {
            let (at, yaw) = tray_place(stage);
            stage.tray(at, yaw);
        }
        let block = add_blocks(stage);
        stage.say(&words::PLACE_ON_PLATE, &[("color", block.color.name())]);
        Self {
            block,
            on,
            top: 0.5 * PLATE_HEIGHT,
            reach: PLATE_RADIUS - 0.01,
            care: 0.008,
        }
    }

    pub(crate) fn in_tray(stage: &mut Stage<'_>) -> Self {
        let (at, yaw) = tray_place(stage);
        let on = stage.tray(at, yaw);
        if stage.perhaps(0.35) {
            let at = plate_place(stage);
            stage.plate(at);
        }
        let block = add_blocks(stage);
        stage.say(&words::PLACE_IN_TRAY, &[("color", block.color.name())]);
        Self {
            block,
            on,
            top: TRAY_FLOOR,
            reach: TRAY_INNER - 0.01,
            care: 0.008,
        }
    }

    pub(crate) fn on_block(stage: &mut Stage<'_>) -> Self {
        if stage.perhaps(0.35) {
            let at = plate_place(stage);
            stage.plate(at);
        }
        let colors = stage.colors();
        let others = stage.distractors(0..=1);
        let block = Block::add(stage, colors[0], &REGION, 0.7);
        let base = Block::add(stage, colors[1], &REGION, 0.7);
        for color in colors.into_iter().skip(2).take(others) {
            Block::add(stage, color, &REGION, 0.7);
        }
        let slots = [("color", block.color.name()), ("base", base.color.name())];
        stage.say(&words::STACK, &slots);
        Self {
            block,
            on: base.body,
            top: HALF,
            reach: 0.02,
            care: 0.004,
        }
    }

    fn goal(&self, world: &World) -> DVec3 {
        world.pose(self.on).position + DVec3::new(0.0, 0.0, self.top + HALF)
    }

    fn is_there(&self, world: &World) -> bool {
        let (block, goal) = (self.block.position(world), self.goal(world));
        let aside = (block - goal).truncate().length();
        aside < self.reach && (block.z - goal.z).abs() < 0.008
    }
}

impl Activity for Place {
    fn progress(&self, world: &World, hand: &Hand) -> Progress {
        if self.is_there(world) && self.block.is_left_alone(world, hand) {
            Progress::Achieved
        } else {
            Progress::Open
        }
    }

    fn things(&self, world: &World) -> Things {
        Things::new(world.pose(self.block.body), self.goal(world))
    }

    fn thing(&self, world: &World) -> Thing {
        Thing::loose(ThingKind::Block, &world.pose(self.block.body))
    }

    fn guide(&self, world: &World, hand: &Hand) -> Wish {
        let grip = self.block.grip(world, hand);
        let there = self.is_there(world);
        if grip.holds(hand) {
            let carry = Carry {
                to: self.goal(world) + DVec3::new(0.0, 0.0, 0.001),
                yaw: None,
                hover: 0.10,
                tolerance: self.care,
                clearance: 0.012,
            };
            let pose = world.pose(self.block.body);
            return carry.go(hand, pose.position, yaw_of(pose.orientation));
        }
        if there {
            return hand.lift(0.15, true);
        }
        grip.seize(hand).unwrap_or_else(|| hand.lift(0.15, false))
    }
}

/// Adds the named block and others.
fn add_blocks(stage: &mut Stage<'_>) -> Block {
    let colors = stage.colors();
    let others = stage.distractors(1..=2);
    let block = Block::add(stage, colors[0], &REGION, 0.7);
    for color in colors.into_iter().skip(1).take(others) {
        Block::add(stage, color, &REGION, 0.7);
    }
    block
}

/// A place for a plate.
pub(crate) fn plate_place(stage: &mut Stage<'_>) -> DVec2 {
    stage.place(&FURNITURE, PLATE_RADIUS + 0.005)
}

/// A place and a turn for a tray.
pub(crate) fn tray_place(stage: &mut Stage<'_>) -> (DVec2, f64) {
    let at = stage.place(&FURNITURE, TRAY_INNER + 0.035);
    (at, stage.between(-0.3, 0.3))
}
