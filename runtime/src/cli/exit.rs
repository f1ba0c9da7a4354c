//! Exit codes, so that scripts can tell a bad flag from a failed run.

use std::process::ExitCode;

/// Why a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// All went well.
    Success = 0,
    /// The run ended in an error that no other code names.
    Failure = 1,
    /// The command line is wrong (clap's own code).
    Usage = 2,
    /// A configuration, an asset, a checkpoint or a dataset is missing or wrong.
    Input = 3,
    /// A device, a permission or an output file cannot be had.
    Environment = 4,
    /// The network or the world is not there or refused.
    Peer = 5,
    /// Checks ran and some failed (`parity`, `doctor`, `bench maze`).
    CheckFailed = 6,
    /// Interrupted by Ctrl-C or SIGTERM after saving what there was.
    Interrupted = 130,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

/// An error with the exit code that it deserves.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub status: ExitStatus,
    /// The message, causes included.
    pub error: anyhow::Error,
}

impl Failure {
    /// An input error.
    pub fn input(error: impl Into<anyhow::Error>) -> Self {
        Self {
            status: ExitStatus::Input,
            error: error.into(),
        }
    }
    /// An error of the environment.
    pub fn environment(error: impl Into<anyhow::Error>) -> Self {
        Self {
            status: ExitStatus::Environment,
            error: error.into(),
        }
    }
    /// An error of the network or the world.
    pub fn peer(error: impl Into<anyhow::Error>) -> Self {
        Self {
            status: ExitStatus::Peer,
            error: error.into(),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            status: ExitStatus::Failure,
            error: error.into(),
        }
    }
}
