//! Puts the parts together: a run in real time, a run in lockstep, the world beside it.

pub mod brain;
pub mod capture;
pub mod commands;
pub mod harness;
pub mod lockstep;
pub mod mailbox;
pub mod realtime;
pub mod recorder;
pub mod sensing;
pub mod settings;
pub mod stepper;
pub mod summary;
pub mod taps;
#[cfg(feature = "sim")]
pub mod world;
