//! What can go wrong in a plan, by name.

use std::any::Any;

use cerebellum_policies::error::PolicyError;

/// Why there is no plan for an observation. The policy keeps running: the next observation is
/// planned as usual.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InferenceFault {
    /// No goal was given yet, or the last one was refused.
    #[error("no goal is in force: send one that the policy takes")]
    NoGoal,
    /// The policy refused.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// An action is NaN or infinite.
    #[error(
        "action {action}, number {number} of generation {generation} is not finite: the plan is dropped"
    )]
    NonFinite {
        /// Weights behind the plan.
        generation: u64,
        /// Index of the action in the chunk.
        action: usize,
        /// Index of the number in the action.
        number: usize,
    },
    /// The chunk has another shape than the policy promised.
    #[error(
        "the plan of generation {generation} is malformed: {found} numbers in actions of {width}, promised were actions of {expected}"
    )]
    Malformed {
        /// Weights behind the plan.
        generation: u64,
        /// Numbers in the chunk.
        found: usize,
        /// Numbers per action that the chunk claims.
        width: usize,
        /// Numbers per action of the policy's specification.
        expected: usize,
    },
    /// The policy panicked; the panic was caught.
    #[error("the policy panicked while it was to {during} (generation {generation}): {message}")]
    Panicked {
        /// Weights in force.
        generation: u64,
        /// What was asked of it.
        during: &'static str,
        /// What the panic said.
        message: String,
    },
    /// The last good weights could not be put back.
    #[error("generation {generation} could not be put back after a fault: {reason}")]
    Restore {
        /// The generation that was to come back.
        generation: u64,
        /// Why it did not.
        reason: String,
    },
}

impl InferenceFault {
    /// A stable name for counters and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoGoal | Self::Policy(PolicyError::NoGoal) => "no_goal",
            Self::Policy(PolicyError::NonFinite { .. }) | Self::NonFinite { .. } => {
                "non_finite_output"
            }
            Self::Policy(PolicyError::GoalKind { .. } | PolicyError::GoalContent { .. }) => {
                "goal_refused"
            }
            Self::Policy(PolicyError::MissingInput { .. } | PolicyError::InputShape { .. }) => {
                "bad_observation"
            }
            Self::Policy(PolicyError::Device { .. }) => "device_lost",
            Self::Policy(_) => "policy_error",
            Self::Malformed { .. } => "malformed_plan",
            Self::Panicked { .. } => "policy_panic",
            Self::Restore { .. } => "restore_failed",
        }
    }

    /// Whether other weights might have planned: the fault lies in what was computed, not in the
    /// goal, the observation or the device.
    pub const fn blames_weights(&self) -> bool {
        matches!(
            self,
            Self::NonFinite { .. }
                | Self::Malformed { .. }
                | Self::Panicked { .. }
                | Self::Policy(PolicyError::NonFinite { .. } | PolicyError::Checkpoint(_))
        )
    }
}

/// What a caught panic said.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
