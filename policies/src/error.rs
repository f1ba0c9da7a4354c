//! Errors: what was wrong, where, what was expected, and what to do.

use std::path::PathBuf;

use cerebellum_messages::GoalKind;

/// Why a policy refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A goal of a kind that the policy does not take.
    #[error(
        "policy `{policy}` takes goals of kind {accepted:?}, not {found:?}: send one of those, or run another policy"
    )]
    GoalKind {
        /// The policy.
        policy: String,
        /// What it takes.
        accepted: Vec<GoalKind>,
        /// What it was given.
        found: GoalKind,
    },
    /// A goal whose content does not fit.
    #[error("goal {id} cannot be used: {reason}")]
    GoalContent {
        /// The goal.
        id: u64,
        /// Why.
        reason: String,
    },
    /// `plan` before `reset`.
    #[error("no goal is set: send one before asking for a plan")]
    NoGoal,
    /// An input is missing.
    #[error("the observation has no {what}: the policy needs {needed}")]
    MissingInput {
        /// What is missing.
        what: String,
        /// All that is needed.
        needed: String,
    },
    /// An input has another shape than the policy was trained for.
    #[error("{what} is {found}, expected {expected}: {advice}")]
    InputShape {
        /// Which input.
        what: String,
        /// Expected shape.
        expected: String,
        /// Found shape.
        found: String,
        /// What to do.
        advice: String,
    },
    /// A setting of how the policy is run.
    #[error("setting `{name}`: {reason}")]
    Setting {
        /// Which.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A network gave NaN or infinity.
    #[error("{what} is not finite (generation {generation}): the plan is dropped")]
    NonFinite {
        /// Which tensor.
        what: String,
        /// Weights in force.
        generation: u64,
    },
    /// A weights tensor does not fit.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A text that is no usable instruction.
    #[error(transparent)]
    Text(#[from] crate::language::TextError),
    /// A device cannot be used.
    #[error("device `{device}` cannot be used: {reason}")]
    Device {
        /// Which.
        device: String,
        /// Why, and what to do.
        reason: String,
    },
}

/// Why weights could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file cannot be opened, read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what its name says.
    #[error("{path}: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The file would run code if Python opened it.
    #[error(
        "{path}: the file asks to run `{global}`. Nothing was executed and nothing is read from it: do not open it with Python either, get the checkpoint from its authors"
    )]
    Code {
        /// The file.
        path: PathBuf,
        /// The function.
        global: String,
    },
    /// A key is not there.
    #[error(
        "{path}: key `{key}` is missing (the model expects shape {expected:?}): is this a checkpoint of the same policy and configuration?"
    )]
    MissingKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Expected shape.
        expected: Vec<usize>,
    },
    /// A key that the model does not have.
    #[error(
        "{path}: key `{key}` is not part of the model: is this a checkpoint of the same policy and configuration?"
    )]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A tensor has another shape.
    #[error(
        "{path}: tensor `{key}` has shape {found:?}, expected {expected:?}: does the configuration beside the file belong to it?"
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Expected shape.
        expected: Vec<usize>,
        /// Found shape.
        found: Vec<usize>,
    },
    /// A tensor holds NaN or infinity.
    #[error(
        "{path}: tensor `{key}` holds a value that is not finite: the file is damaged or the training diverged"
    )]
    NonFinite {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
}

/// Why an online update was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LearnError {
    /// The model has no such objective.
    #[error("objective `{found}` is unknown: this model has {known:?}")]
    UnknownObjective {
        /// What was asked for.
        found: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The batch lacks something.
    #[error("the batch cannot be used: {0}")]
    Batch(String),
    /// The loss or a gradient is not finite; the step was not taken.
    #[error("{what} of objective `{objective}` is not finite: the step was not taken")]
    NonFinite {
        /// Loss or gradient.
        what: &'static str,
        /// The objective.
        objective: String,
    },
    /// The policy's own error.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}
