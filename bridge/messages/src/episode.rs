//! How a world (a simulator or a person with a reset button) and the runtime agree on episodes.

use serde::{Deserialize, Serialize};

use crate::Stamp;

/// Who owns time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ClockKind {
    /// The world runs at the pace of the wall clock and never waits.
    #[default]
    RealTime = 0,
    /// The world advances one tick for each command it gets.
    Lockstep = 1,
}

/// Asks a world to begin an episode (`cerebellum_msgs/EpisodeRequest`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeRequest {
    /// Chosen by the asker; comes back in every [`EpisodeStatus`] and as the goal's id.
    pub episode: u64,
    /// Name of the task, for example `push`.
    pub task: String,
    /// Seed of the episode.
    pub seed: u64,
    /// Split that the seed is drawn from: `train`, `eval` or `shift`.
    pub split: String,
    /// Domain shift as `knob=level` pairs joined by commas; empty for none.
    pub shift: String,
    /// Who owns time.
    pub clock: ClockKind,
}

/// Where an episode stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum EpisodePhase {
    /// The world is reset and waits for, or runs under, commands.
    #[default]
    Running = 0,
    /// The task was achieved.
    Succeeded = 1,
    /// Time ran out or the world became invalid.
    Failed = 2,
    /// The request cannot be served; `detail` says why.
    Refused = 3,
}

/// Sent by the world at each change of phase and at a low rate between (`cerebellum_msgs/EpisodeStatus`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeStatus {
    /// World time.
    pub stamp: Stamp,
    /// The asker's number.
    pub episode: u64,
    /// Name of the task.
    pub task: String,
    /// The instruction a person would give.
    pub instruction: String,
    /// Where the episode stands.
    pub phase: EpisodePhase,
    /// World ticks since the reset.
    pub ticks: u64,
    /// One line for a person; may be empty.
    pub detail: String,
}
