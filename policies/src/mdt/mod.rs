//! Multimodal Diffusion Transformer (Reuss et al., RSS 2024, arXiv 2407.05996).
//!
//! A denoiser over a chunk of actions. An encoder reads a goal token and one token per camera; a
//! decoder reads the noisy actions, attends to the encoder's output, and learns of the noise level
//! through adaptive layer norm. The file names say which part of the paper is where:
//! [`denoiser`] the network, [`loss`] the diffusion loss, [`mgf`] masked generative foresight,
//! [`alignment`] contrastive latent alignment, [`goal_encoder`] image goals, [`policy`] inference,
//! [`online`] learning on the robot.
//!
//! Departures from the paper are options of [`MdtConfig`], off in [`MdtConfig::paper`] and on in
//! [`MdtConfig::tabletop`]: keypoint pooling and goal modulation in the image encoders, a
//! proprioception token, full cross-attention, action positions, and adaptive norms that start at
//! the identity.

pub mod alignment;
pub mod config;
pub mod denoiser;
#[cfg(test)]
mod denoiser_tests;
mod experience;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod full_size;
pub mod goal_encoder;
mod goals;
pub mod hard_patches;
pub mod import;
#[cfg(test)]
mod import_tests;
mod import_voltron;
#[cfg(test)]
mod import_voltron_tests;
pub mod inputs;
mod load;
pub mod loss;
pub mod mgf;
#[cfg(test)]
mod mgf_tests;
pub mod model;
pub mod online;
#[cfg(test)]
mod online_tests;
pub mod packed;
pub mod packed_planner;
#[cfg(test)]
mod packed_tests;
pub mod planning;
pub mod policy;
#[cfg(test)]
mod policy_tests;
pub mod shortcuts;
pub mod statistics;
#[cfg(test)]
mod vision_tests;

pub use config::MdtConfig;
pub use denoiser::Denoiser;
pub use model::Mdt;
pub use online::MdtOnline;
pub use policy::MdtPolicy;
pub use shortcuts::{Shortcuts, WarmStart};
pub use statistics::Statistics;
