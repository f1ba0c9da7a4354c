//! Errors of InfoCon.

use crate::error::CheckpointError;

/// Why a model could not be built or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InfoConError {
    /// Sizes or options that do not go together.
    #[error("configuration: `{field}` {reason}")]
    Config {
        /// Which.
        field: &'static str,
        /// What is wrong and what would do.
        reason: String,
    },
    /// An input that does not fit the model.
    #[error("{what} is {found}, expected {expected}")]
    Input {
        /// Which input.
        what: &'static str,
        /// Found shape or value.
        found: String,
        /// Expected shape or value.
        expected: String,
    },
    /// The loss is NaN or infinite; the step was not taken.
    #[error("the loss is {0}: the step was not taken; a smaller learning rate may help")]
    NonFinite(f32),
    /// Weights that do not fit.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
}

impl InfoConError {
    pub(super) fn input(
        what: &'static str,
        found: impl std::fmt::Debug,
        expected: impl Into<String>,
    ) -> Self {
        Self::Input {
            what,
            found: format!("{found:?}"),
            expected: expected.into(),
        }
    }
}
