//! Lift the named block.

use super::block::{Block, REGION};
use super::place::{plate_place, tray_place};
use super::stage::Stage;
use super::words;
use super::{Activity, Progress, Things};
use crate::expert::{Hand, Phase, Wish};
use crate::physics::World;
use crate::{Thing, ThingKind};

/// Height of the block's centre that counts as lifted (m).
const LIFTED: f64 = 0.10;
/// Height to which the expert lifts (m).
const RAISED: f64 = 0.17;

pub(crate) struct PickUp {
    block: Block,
}

impl PickUp {
    pub(crate) fn set_up(stage: &mut Stage<'_>) -> Self {
        // Plate, tray and line stand around without being asked for, so that the scene alone does
        // not tell what to do.
        if stage.perhaps(0.35) {
            let at = plate_place(stage);
            stage.plate(at);
        }
        if stage.perhaps(0.35) {
            let (at, yaw) = tray_place(stage);
            stage.tray(at, yaw);
        }
        if stage.perhaps(0.35) {
            let x = stage.between(0.56, 0.60);
            stage.line(x);
        }
        let colors = stage.colors();
        let others = stage.distractors(1..=2);
        let block = Block::add(stage, colors[0], &REGION, 0.7);
        for color in colors.into_iter().skip(1).take(others) {
            Block::add(stage, color, &REGION, 0.7);
        }
        stage.say(&words::PICK_UP, &[("color", block.color.name())]);
        Self { block }
    }
}

impl Activity for PickUp {
    fn progress(&self, world: &World, _: &Hand) -> Progress {
        if self.block.position(world).z > LIFTED {
            Progress::Achieved
        } else {
            Progress::Open
        }
    }

    fn things(&self, world: &World) -> Things {
        let block = world.pose(self.block.body);
        let mut goal = block.position;
        goal.z = RAISED;
        Things::new(block, goal)
    }

    fn thing(&self, world: &World) -> Thing {
        Thing::loose(ThingKind::Block, &world.pose(self.block.body))
    }

    fn guide(&self, world: &World, hand: &Hand) -> Wish {
        let grip = self.block.grip(world, hand);
        grip.seize(hand).unwrap_or_else(|| Wish {
            phase: Phase::Carry,
            ..hand.lift(RAISED, false)
        })
    }
}
