//! Goal Representations for Instruction Following (Myers et al., CoRL 2023, arXiv 2307.00117).
//!
//! One policy that takes a sentence or a picture of the goal: the embedding of a sentence is trained
//! to agree with that of the change from the first image of an episode to the goal image, and the
//! policy reads either of the two.

pub mod alignment;
pub mod cloning;
pub mod config;
pub mod data;
pub mod distribution;
pub mod dropout;
pub mod gcbc;
pub mod head;
pub mod improvements;
mod inputs;
pub mod keys;
pub mod loss;
pub mod mlp;
pub mod model;
#[cfg(test)]
mod model_tests;
pub mod optimizer;
pub mod policy;
pub mod policy_config;
#[cfg(test)]
pub(crate) mod policy_tests;
pub mod pretrain;
pub mod resnet;
pub mod task_encoder;
pub mod training;

pub use config::{GrifConfig, Modality};
pub use model::Grif;
pub use policy::GrifPolicy;
pub use policy_config::GrifPolicyConfig;

use burn::tensor::Tensor;

/// Rows of the last axis divided by their Euclidean length.
pub fn unit_length<const D: usize>(rows: Tensor<D>) -> Tensor<D> {
    let length = rows.clone().square().sum_dim(D - 1).sqrt();
    rows / length
}
