//! Why a comparison could not be made.

use std::path::PathBuf;

use crate::error::{CheckpointError, LearnError, PolicyError};

/// Why a golden file, or a folder of them, could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParityError {
    /// The folder or a file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Nothing to compare.
    #[error(
        "{0}: no .safetensors file here or in a sub-folder: is this the folder of the golden files?"
    )]
    NoFiles(PathBuf),
    /// The file is not a safetensors file, or is cut short.
    #[error("not a whole safetensors file ({0})")]
    Damaged(String),
    /// The file lacks a tensor that its case needs.
    #[error("tensor `{0}` is missing")]
    MissingTensor(String),
    /// A tensor has another type or shape than its case needs.
    #[error("tensor `{key}`: {reason}")]
    Tensor {
        /// Which.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The metadata lacks what the case needs.
    #[error("configuration: {0}")]
    Config(String),
    /// The weights do not fit the module that the configuration describes.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// The policy's own error.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// An update was refused.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// The computation panicked.
    #[error("the computation panicked: {0}")]
    Panicked(String),
}
