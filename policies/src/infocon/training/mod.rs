//! Offline training: demonstrations, settings, and resumable runs of discovery and of the policy.

pub mod config;
pub mod demos;
pub mod stages;
#[cfg(test)]
mod tests;

pub use config::InfoConTraining;
pub use demos::{Demos, Episode, Guidance, LEAST_TICKS};
pub use stages::{DiscoveryStage, PolicyStage};

pub use crate::training::run::{Run, RunProgress, RunSettings, Stage};
