//! What can be wrong with a robot description.

use std::path::PathBuf;

/// A robot description that cannot be used, with what to change.
#[derive(Debug, thiserror::Error)]
pub enum RobotError {
    /// The file cannot be read.
    #[error("{file}: cannot be read: {source}", file = file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The text is no TOML, lacks a key, or has a key or a type that is not expected.
    #[error("{file}:{line}: {message}")]
    Syntax {
        /// Name of the file.
        file: String,
        /// Line of the text, from 1.
        line: usize,
        /// What was expected and what was found.
        message: String,
    },
    /// A value lies outside of what makes sense.
    #[error("{file}: {key}: expected {expected}, found {found}")]
    Value {
        /// Name of the file.
        file: String,
        /// Key, for example `joint[2].position`.
        key: String,
        /// What the value must be.
        expected: String,
        /// What it is.
        found: String,
    },
}
