//! What the learner did.

use serde::{Deserialize, Serialize};

use crate::Stamp;

/// What became of a candidate generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Verdict {
    /// The report is of an update, no candidate was judged.
    #[default]
    None = 0,
    /// The candidate is the new generation.
    Accepted = 1,
    /// Its self-supervised loss was not better.
    RejectedLoss = 2,
    /// Its actions left the trust region.
    RejectedTrust = 3,
    /// It held a value that is not finite.
    RejectedNonFinite = 4,
    /// A generation was taken back.
    RolledBack = 5,
}

/// One learner update or one judgement of a candidate (`cerebellum_msgs/LearnerReport`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearnerReport {
    /// When, on the robot's clock.
    pub stamp: Stamp,
    /// Updates so far, this one included.
    pub update: u64,
    /// Generation in force.
    pub generation: u64,
    /// Objective of the update.
    pub objective: String,
    /// Its loss on the batch, before the update.
    pub loss: f32,
    /// Norm of the gradient.
    pub grad_norm: f32,
    /// Held-back loss of the generation in force; NaN unless a candidate was judged.
    pub reference_loss: f32,
    /// Held-back loss of the candidate; NaN unless one was judged.
    pub candidate_loss: f32,
    /// Largest change of an action on the probe set; NaN unless a candidate was judged.
    pub action_shift: f32,
    /// What became of the candidate.
    pub verdict: Verdict,
}
