//! What all tasks have in common.

use super::Things;
use crate::Thing;
use crate::expert::{Hand, Wish};
use crate::physics::World;

/// How far a task is, judged from the state of the world alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not achieved.
    Open,
    /// Achieved for now; it counts if it stays so for some ticks.
    Achieved,
    /// What was done excludes success, such as pressing the wrong button.
    Spoiled,
}

/// One task set up in one world.
///
/// Both methods are functions of the present state. The expert has no memory and no clock: what to
/// do next follows from where things are, so that a policy that sees the same can learn it.
pub(crate) trait Activity: Send + Sync {
    /// How far the task is.
    fn progress(&self, world: &World, hand: &Hand) -> Progress;
    /// Where the expert wants the hand to be.
    fn guide(&self, world: &World, hand: &Hand) -> Wish;
    /// What is handled, and where it should get.
    fn things(&self, world: &World) -> Things;
    /// What the task is about: what a tracking system follows.
    fn thing(&self, world: &World) -> Thing;
    /// Ticks for which the task must stay achieved.
    fn hold(&self) -> u32 {
        5
    }
}
