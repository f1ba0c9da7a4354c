//! Turns observations into action chunks, with weights that may be replaced while it runs.
//!
//! ```text
//!            goal ──► on_goal                        ┌── refine until the deadline
//!     observation ──► on_observation ──► Policy::plan ┴─► Plan ──► chunk ring, taps
//! learner ──► WeightSlot ──► load (between plans only)     │
//!                ▲                                         │ fault
//!                └────────── event: generation taken back ◄┘
//! ```
//!
//! - [`InferenceCore`] owns the policy. It is the same in lockstep and in real time: it knows no
//!   clock but the deadline it is given, and all noise of a plan comes from a seed that is a
//!   function of the run's seed and the tick of the observation ([`seed`]).
//! - [`Schedule`] says when a new plan is due and how long it may take.
//! - [`warm_up`] pays for the first plan before the robot waits for it.
//! - [`InferenceThread`] runs a core in real time; [`LockstepPlanner`] runs one at the pace of a
//!   simulator, with a latency counted in ticks.
//!
//! A policy that fails, panics or gives a value that is not finite costs one plan, never the
//! process: the fault has a name ([`InferenceFault`]), and if new weights are to blame, the last
//! good ones come back by themselves.

mod config;
mod core;
mod event;
mod fault;
mod latency;
mod lockstep;
mod pulse;
mod schedule;
pub mod seed;
mod slack;
mod slot;
mod thread;
mod trust;
mod warmup;

#[cfg(test)]
pub(crate) mod testing;

pub use self::config::{
    InferenceConfig, LatencyRule, ReplanConfig, ShortcutsConfig, WarmStartConfig, WeightPrecision,
};
pub use self::core::{InferenceCore, InferenceStats, PlanLimit};
pub use self::event::InferenceEvent;
pub use self::fault::InferenceFault;
pub(crate) use self::fault::panic_message;
pub use self::latency::{LatencySummary, LatencyWindow};
pub use self::lockstep::LockstepPlanner;
pub use self::pulse::{InferenceState, Pulse};
pub use self::schedule::{Decision, Due, Schedule};
pub use self::slack::Slack;
pub use self::slot::WeightSlot;
pub use self::thread::{
    ChunkSink, GoalChange, GoalSource, InferenceIo, InferenceTap, InferenceThread,
    ObservationSource,
};
pub use self::warmup::{WarmupInputs, WarmupReport, synthetic_observation, warm_up};
