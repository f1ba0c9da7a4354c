//! Offline training from play: settings, one update of either variant, the resumable loop.

pub mod config;
pub mod learner;
#[cfg(test)]
mod tests;
pub mod trainer;

pub use config::PlayTraining;
pub use learner::Learner;
pub use trainer::{PlayProgress, PlayTrainer};
