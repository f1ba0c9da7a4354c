//! What happens to the weights and plans of an inference core, for logs and for the learner.

use cerebellum_messages::Tick;

/// Something that others should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InferenceEvent {
    /// New weights are in force; the next plan uses them.
    Swapped {
        /// Generation that was in force.
        from: u64,
        /// Generation now in force.
        to: u64,
    },
    /// New weights did not fit; those in force stay.
    LoadRefused {
        /// The refused generation.
        generation: u64,
        /// Why.
        reason: String,
    },
    /// A generation faulted and the last good one was put back.
    TakenBack {
        /// Tick of the observation at which it faulted.
        tick: Tick,
        /// The generation that faulted.
        from: u64,
        /// The generation now in force.
        to: u64,
        /// What it did.
        reason: String,
    },
    /// A plan failed and nothing could be taken back for it.
    Faulted {
        /// Tick of the observation.
        tick: Tick,
        /// Generation in force.
        generation: u64,
        /// [`super::InferenceFault::name`].
        name: &'static str,
        /// What it said.
        reason: String,
    },
}

impl InferenceEvent {
    /// The generation that must not be used again, with the reason, if the event condemns one.
    pub fn condemned(&self) -> Option<(u64, &str)> {
        match self {
            Self::LoadRefused { generation, reason } => Some((*generation, reason)),
            Self::TakenBack { from, reason, .. } => Some((*from, reason)),
            Self::Swapped { .. } | Self::Faulted { .. } => None,
        }
    }
}
