//! Offline training from demonstrations, few of which have their instruction.

pub mod config;
pub mod data;
pub mod stage;
#[cfg(test)]
mod tests;

pub use config::GrifTraining;
pub use stage::GrifStage;
