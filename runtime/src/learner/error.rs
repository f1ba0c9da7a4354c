//! Errors of the learner: what was wrong, where, and what to do.

use std::path::PathBuf;

use cerebellum_policies::error::{CheckpointError, LearnError};

/// Why the learner cannot do what was asked. None of these reaches the control loop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LearnerError {
    /// A setting is out of range.
    #[error("learner setting `{field}` cannot be used: {reason}")]
    Config {
        /// The setting, by its path in the configuration.
        field: &'static str,
        /// Why, and what is allowed.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A stored generation is damaged or belongs to another model.
    #[error("{path}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Weights could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The model refused.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// No such generation.
    #[error("generation {generation} is not kept: there are {known:?}")]
    UnknownGeneration {
        /// The one asked for.
        generation: u64,
        /// Those that could be had.
        known: Vec<u64>,
    },
}
