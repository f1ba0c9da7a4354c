//! How the runtime is.

use serde::{Deserialize, Serialize};

use crate::{Stamp, Tick};

/// What the control loop is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum RuntimeState {
    /// Nothing received yet, or no goal.
    #[default]
    Waiting = 0,
    /// Executing chunks.
    Running = 1,
    /// Holding position: no usable chunk.
    Starved = 2,
    /// Holding position: observations are too old.
    Stale = 3,
    /// Holding position: the peer is gone.
    PeerLost = 4,
    /// Holding position: the policy gave a value that is not finite, or failed.
    PolicyFault = 5,
    /// Holding position: the inference thread has stopped answering.
    Watchdog = 6,
    /// Shutting down.
    Stopping = 7,
}

/// Sent at a low rate and at each change of state (`cerebellum_msgs/RuntimeStatus`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuntimeStatus {
    /// When, on the robot's clock.
    pub stamp: Stamp,
    /// Control tick.
    pub tick: Tick,
    /// What the control loop is doing.
    pub state: RuntimeState,
    /// Goal in force; zero if none.
    pub goal_id: u64,
    /// Generation of the weights in force.
    pub generation: u64,
    /// Ticks that began more than a period late.
    pub missed: u64,
    /// Commands changed by the safety limits.
    pub limited: u64,
    /// Time left over in the last tick, microseconds.
    pub slack_us: f32,
    /// One line for a person; may be empty.
    pub detail: String,
}
