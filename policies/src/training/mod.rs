//! Offline training: demonstrations, batches, optimiser, schedule, averages, resume.

pub mod adamw;
pub mod augment;
pub mod average;
pub mod batch;
pub mod config;
pub mod dataset;
pub mod episode;
pub mod goal_frames;
pub mod gradients;
pub mod labels;
mod learner;
pub mod metrics;
pub mod order;
#[cfg(test)]
mod parts_tests;
pub mod resume;
pub mod run;
pub mod schedule;
pub(crate) mod shadow;
pub(crate) mod skips;
pub mod step;
pub mod step_case;
pub mod target;
#[cfg(test)]
pub(crate) mod tests;
pub mod trainer;
pub mod trajectory;
mod validation;

pub use adamw::{AdamW, AdamWConfig};
pub use average::{Average, AverageConfig};
pub use config::TrainConfig;
pub use dataset::DemoDataset;
pub use goal_frames::GoalFrames;
pub use schedule::LearningRate;
pub use trainer::{Outcome, TrainError, TrainProgress, Trainer};
pub use trajectory::Trajectory;
