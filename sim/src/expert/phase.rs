//! What an expert is about at a tick: the true parts of a task, to hold found ones against.

use serde::{Deserialize, Serialize};

/// A part of a task. Experts have no memory, so a part follows from where things are alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The free hand goes to where the work begins.
    Approach,
    /// The fingers close around the thing.
    Grasp,
    /// The held thing moves.
    Carry,
    /// The fingers let go of the thing where it should be.
    Release,
    /// The closed fingers move the thing.
    Push,
    /// The hand goes away from the work that is done.
    Leave,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Approach,
        Self::Grasp,
        Self::Carry,
        Self::Release,
        Self::Push,
        Self::Leave,
    ];

    /// Name by which reports know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approach => "approach",
            Self::Grasp => "grasp",
            Self::Carry => "carry",
            Self::Release => "release",
            Self::Push => "push",
            Self::Leave => "leave",
        }
    }
}
