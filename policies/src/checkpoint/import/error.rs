//! What can be wrong inside a foreign file. [`super::open`] adds the path.

use std::path::Path;

use crate::error::CheckpointError;

/// Why a foreign file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The system could not read it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It ends too early.
    #[error("the file ends at byte {0} in the middle of a value: was it cut short?")]
    Truncated(u64),
    /// It is of no known kind, or breaks the rules of its kind.
    #[error("{0}")]
    Invalid(String),
    /// It is larger in memory than anything honest.
    #[error("{what} exceed {limit}: no checkpoint needs so many, the file is not read further")]
    Limit {
        /// Of what there is too much.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// It would run code.
    #[error("it calls `{0}`")]
    Code(String),
}

impl FormatError {
    /// A file that breaks the rules of its kind.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }

    /// With the file's path.
    pub fn at(self, path: &Path) -> CheckpointError {
        let path = path.to_owned();
        match self {
            Self::Io(source) => CheckpointError::Io { path, source },
            Self::Code(global) => CheckpointError::Code { path, global },
            other => CheckpointError::Format {
                path,
                reason: other.to_string(),
            },
        }
    }
}
