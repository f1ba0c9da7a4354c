//! The authors' residual image encoder: ResNet-v1 (He et al., arXiv 1512.03385) with group norm, whose
//! stages a task can scale and shift.
//!
//! Four things differ from the usual network and are kept: the last block of a stage has no
//! activation, not even inside; FiLM multiplies by `γ`, not by `1 + γ`, and is followed by the activation; borders
//! are asymmetric ([`crate::nn::same`]); two channels hold each pixel's place.

pub mod block;
pub mod config;
pub mod network;
pub mod pooling;

pub use config::{BlockKind, Fusion, NormKind, PoolingKind, ResNetV1Config};
pub use network::{Features, Layer, ResNetV1, Task};
