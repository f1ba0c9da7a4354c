//! Push the named block to the line.

use cerebellum_kinematics::Pose;
use glam::DVec3;

use super::block::{Block, HALF, REGION};
use super::stage::{Region, Stage};
use super::words;
use super::{Activity, Progress, Things};
use crate::expert::{Hand, Phase, Wish, facing};
use crate::physics::{FINGER_HALF, World};
use crate::{Thing, ThingKind};

/// How far from the line the block's centre may stop (m).
const TOLERANCE: f64 = 0.025;
/// Height of the tool centre point while pushing (m).
const HEIGHT: f64 = 0.018;

pub(crate) struct Push {
    block: Block,
    line: f64,
}

impl Push {
    pub(crate) fn set_up(stage: &mut Stage<'_>) -> Self {
        let line = stage.between(0.56, 0.60);
        stage.line(line);
        let colors = stage.colors();
        let others = stage.distractors(1..=2);
        // The way to the line must be free, so blocks stand side by side.
        let region = Region::new([0.40, 0.46], [-0.18, 0.18]);
        let block = Block::add(stage, colors[0], &region, 0.25);
        let lane = block.position(stage.world).y;
        for x in [0.50, 0.56, 0.62] {
            stage.taken.push((glam::DVec2::new(x, lane), 0.05));
        }
        for color in colors.into_iter().skip(1).take(others) {
            Block::add(stage, color, &REGION, 0.7);
        }
        stage.say(&words::PUSH, &[("color", block.color.name())]);
        Self { block, line }
    }
}

impl Activity for Push {
    fn progress(&self, world: &World, _: &Hand) -> Progress {
        let position = self.block.position(world);
        let there = (position.x - self.line).abs() < TOLERANCE && position.z < 2.0 * HALF;
        if there && world.speed(self.block.body) < 0.02 {
            Progress::Achieved
        } else {
            Progress::Open
        }
    }

    fn things(&self, world: &World) -> Things {
        let block = world.pose(self.block.body);
        let goal = DVec3::new(self.line, block.position.y, HALF);
        Things::new(block, goal)
    }

    fn thing(&self, world: &World) -> Thing {
        Thing::loose(ThingKind::Block, &world.pose(self.block.body))
    }

    fn guide(&self, world: &World, hand: &Hand) -> Wish {
        let block = self.block.position(world);
        let touch = HALF + f64::from(FINGER_HALF[0]);
        if block.x > self.line - 0.004 {
            return hand.lift(0.15, false);
        }
        let here = hand.measured.position;
        let behind = here.x < block.x - touch + 0.008 && here.x > block.x - touch - 0.05;
        let level = here.z < HEIGHT + 0.012;
        if behind && level && (here.y - block.y).abs() < 0.012 {
            // Ahead of the hand, but never so far that the block would be pushed over the line.
            let end = self.line - touch;
            let ahead = DVec3::new((here.x + 0.03).min(end + 0.004), block.y, HEIGHT);
            return Wish {
                pose: Pose::new(ahead, facing(0.0)),
                open: false,
                speed: 0.010,
                phase: Phase::Push,
            };
        }
        let start = DVec3::new(block.x - touch - 0.02, block.y, HEIGHT);
        Wish {
            pose: hand.approach(&Pose::new(start, facing(0.0)), 0.09, 0.005),
            open: false,
            speed: crate::expert::TRAVEL,
            phase: Phase::Approach,
        }
    }
}
