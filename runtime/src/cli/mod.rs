//! The command line: one file per verb.

mod args;
mod exit;

pub use args::{Cli, Verb};
pub use exit::{ExitStatus, Failure};
