//! Learned robot policies: networks, losses, samplers, checkpoints, training.
//!
//! Everything here is mathematics on tensors: no threads, sockets, clocks or simulator. The runtime
//! sees two seams, [`policy::Policy`] for planning and [`online::OnlineModel`] for learning on the
//! robot; [`training::Trainer`] makes the weights that both start from.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use cerebellum_messages::{Goal, GoalSpec, Observation};
//! use cerebellum_policies::checkpoint::PolicyPackage;
//! use cerebellum_policies::device::{DeviceChoice, open};
//! use cerebellum_policies::error::PolicyError;
//! use cerebellum_policies::language::SentenceEncoder;
//! use cerebellum_policies::mdt::MdtPolicy;
//! use cerebellum_policies::policy::{PlanBudget, Policy};
//!
//! fn first_action(
//!     observation: &Observation,
//!     language: Arc<dyn SentenceEncoder>,
//! ) -> Result<Option<Vec<f32>>, PolicyError> {
//!     let package = PolicyPackage::load(Path::new("assets/policies/tabletop"))?;
//!     let mut policy = MdtPolicy::new(&package, language, &open(DeviceChoice::Auto)?.device)?;
//!     policy.reset(&Goal {
//!         id: 1,
//!         spec: GoalSpec::Language { text: "open the drawer".into() },
//!     })?;
//!     let budget = PlanBudget { deadline: None, max_steps: 10, seed: 7 };
//!     let plan = policy.plan(observation, budget)?;
//!     Ok(plan.chunk.action(0).map(<[f32]>::to_vec))
//! }
//! ```

pub mod checkpoint;
pub mod clip;
pub mod device;
pub mod diffusion;
pub mod error;
#[cfg(test)]
mod golden;
#[cfg(all(test, feature = "wgpu"))]
mod gpu_tests;
pub mod grif;
pub mod hilp;
pub mod host;
pub mod images;
pub mod infocon;
pub mod language;
pub mod mdt;
pub mod nn;
pub mod objectives;
pub mod online;
pub mod parity;
pub mod policy;
pub mod training;
pub mod voltron;

pub use burn::tensor::Device;
