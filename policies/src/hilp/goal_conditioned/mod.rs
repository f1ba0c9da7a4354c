//! The goal-conditioned variant: networks, losses, update, acting.

pub mod agent;
#[cfg(test)]
mod agent_tests;
pub mod config;
pub mod crop;
pub mod dataset;
pub mod goals;
pub mod import;
pub mod networks;
pub mod prompt;
pub mod skill_losses;

pub use agent::{Batch, SkillAgent, UpdateReport};
pub use config::SkillConfig;
pub use networks::{Actor, Networks, Trunk};
