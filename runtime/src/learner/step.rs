//! One small piece of the learner's work.

use cerebellum_messages::LearnerReport;

use super::gate::Judgement;
use super::rollback::Trigger;

/// What a micro-step did.
#[derive(Clone, Debug, PartialEq)]
pub struct MicroStep {
    /// What it did.
    pub did: Did,
    /// What to tell others.
    pub report: Option<LearnerReport>,
}

/// What a micro-step did.
#[derive(Clone, Debug, PartialEq)]
pub enum Did {
    /// Nothing: there is nothing to do until something arrives.
    Wait(Wait),
    /// One update of the shadow copy.
    Update,
    /// The model refused an update.
    Refuse,
    /// Wrote a finished segment of experience to disk.
    Store,
    /// Took the shadow copy's weights as a candidate.
    Nominate,
    /// One evaluation.
    Evaluate {
        /// Evaluations done for this judgement.
        done: usize,
        /// Evaluations needed for it.
        total: usize,
    },
    /// Judged a candidate.
    Judge(Box<Judgement>),
    /// Took a generation back.
    TakeBack {
        /// The generation that was in force.
        from: u64,
        /// The one in force now.
        to: u64,
        /// Why.
        trigger: Trigger,
    },
}

/// Why there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Too few windows to train on.
    Experience {
        /// Windows there are.
        windows: u64,
        /// Windows needed.
        needed: u64,
    },
    /// As many updates were made as the experience so far allows, or a candidate is ready and
    /// waits for fresh windows or for the proof of the generation before it.
    Fresh,
    /// A generation is pinned.
    Pinned,
    /// The model failed; see [`LearnerStats::last_error`].
    Broken,
}

/// Kinds of micro-steps, by cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// An optimizer step.
    Update,
    /// An evaluation.
    Evaluate,
    /// Moving weights and deciding.
    Manage,
}

impl MicroStep {
    pub(super) const fn did(did: Did) -> Self {
        Self { did, report: None }
    }
    pub(super) const fn wait(wait: Wait) -> Self {
        Self::did(Did::Wait(wait))
    }
}
