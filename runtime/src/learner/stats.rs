//! What the learner has done so far.

use std::collections::BTreeMap;

use serde::Serialize;

use super::gate::Rejection;
use super::replay::ReplayStats;

/// Counts and last values of a learner.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LearnerStats {
    /// Generation in force.
    pub generation: u64,
    /// Updates of the shadow copy.
    pub updates: u64,
    /// Updates that the model refused.
    pub refused: u64,
    /// Candidates judged.
    pub candidates: u64,
    /// Candidates that became a generation.
    pub accepted: u64,
    /// Candidates that did not, by reason.
    pub rejected: BTreeMap<Rejection, u64>,
    /// Generations taken back.
    pub taken_back: u64,
    /// Times that the shadow copy went back to the generation in force.
    pub restored: u64,
    /// Times that the disk refused; see `last_error`.
    pub storage_errors: u64,
    /// Last loss of each objective, on its batch before the update.
    pub last_losses: BTreeMap<String, f32>,
    /// The last thing that went wrong; empty if nothing did.
    pub last_error: String,
    /// The replay buffer.
    pub replay: ReplayStats,
    /// Records that the tap dropped before the learner took them.
    pub tap_dropped: u64,
    /// Micro-steps put off because the device was not free for long enough.
    pub put_off: u64,
}

impl LearnerStats {
    /// Candidates rejected, whatever the reason.
    pub fn rejected_in_all(&self) -> u64 {
        self.rejected.values().sum()
    }
}
