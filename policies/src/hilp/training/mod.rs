//! Offline training from play: settings, one update of either variant, the resumable loop.

pub mod config;
pub mod data;
pub mod learner;
#[cfg(test)]
mod tests;
pub mod trainer;

pub use config::PlayTraining;
pub use data::play_data;
pub use learner::Learner;
pub use trainer::{PlayProgress, PlayTrainer};
