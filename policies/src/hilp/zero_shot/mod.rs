//! The zero-shot variant: networks, losses, updates, prompts, and what it was compared with.

pub mod agent;
#[cfg(test)]
mod agent_tests;
pub mod config;
pub mod encoder;
pub mod forward_backward;
pub mod goal_td3;
pub mod import;
pub mod learners;
pub mod linear_algebra;
pub mod networks;
pub mod noise;
pub mod prompt;
pub mod replay;

pub use agent::{Batch, Draws, SuccessorAgent, UpdateReport};
pub use config::{FeatureKind, ZeroShotConfig};
pub use networks::{Actor, HilbertFeatures, Successor};
