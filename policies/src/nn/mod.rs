//! Building blocks, one per file.
//!
//! Field names follow the state dictionaries of the authors' code wherever that is possible, so that
//! a module's dotted paths are their keys; [`crate::checkpoint::KeyMap`] knows the few exceptions.
//! Linear weights are stored `(in, out)` here and `(out, in)` there.

pub mod activation;
pub mod attention;
pub mod batch_norm;
pub mod conv;
pub mod decoder;
pub mod encoder;
pub mod ensemble;
pub mod impala;
pub mod kernels;
pub mod linear;
pub mod map_pooling;
pub mod mlp;
pub mod norm;
pub mod patches;
pub mod perceiver;
pub mod pooling;
pub mod position;
pub mod resnet;
#[cfg(test)]
mod resnet_tests;
pub mod same;
pub mod sigma_embedding;
pub mod swish_block;

pub use activation::Activation;
pub use attention::{Attention, AttentionConfig, KeyValue, Sight};
pub use batch_norm::BatchNorm;
pub use conv::{BiasConv, BiasConvShape};
pub use decoder::{Decoder, DecoderConfig, NoiseConditioning};
pub use encoder::{Encoder, EncoderConfig};
pub use ensemble::{EnsembleDense, EnsembleMlp, EnsembleMlpConfig};
pub use impala::{Impala, ImpalaConfig};
pub use linear::{linear, linear_default};
pub use map_pooling::MapPooling;
pub use mlp::{Mlp, MlpHead, ReluMlp};
pub use norm::{GroupNorm, LayerNorm, RmsNorm};
pub use patches::{PatchConv, PatchEmbedding};
pub use perceiver::{Perceiver, PerceiverConfig};
pub use resnet::{Pooling, ResNet, ResNetConfig, Stem};
pub use sigma_embedding::SigmaEmbedding;
pub use swish_block::{SwishBlock, SwishBlockConfig};
