//! The policy on key states: chain-of-thought predictive control (Jia, Liu, Thumuluri, Chen, Huang,
//! Su, "Chain-of-Thought Predictive Control", arXiv 2304.00776), here with the key states that
//! [`crate::infocon`] found instead of hand-made ones.
//!
//! A causal transformer acts from the history of states and actions. Learned query tokens before the
//! history predict the key states of the whole task; every action sees them.

pub mod config;
pub mod learner;
pub mod loss;
pub mod network;
pub mod rollout;

pub use config::CotpcConfig;
pub use learner::{CotLearner, CotLearnerConfig};
pub use network::Cotpc;
pub use rollout::Rollout;
