//! Attention pooling of a feature map: its mean asks, all its pixels and the mean answer.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use crate::nn::KeyValue;
use crate::nn::attention::{Sight, attend_context};
use crate::nn::linear::{dense, dense_joined, linear_normal};

/// Multi-head attention with one query.
#[derive(Module, Debug)]
pub struct AttentionPool {
    /// Vectors of places, mean first: `[1 + pixels, channels]`.
    pub positional_embedding: Param<Tensor<2>>,
    /// Key projection.
    pub k_proj: Linear,
    /// Query projection.
    pub q_proj: Linear,
    /// Value projection.
    pub v_proj: Linear,
    /// Output projection.
    pub c_proj: Linear,
    /// Heads.
    pub heads: usize,
}

impl AttentionPool {
    /// For maps of `side * side` pixels; weights from N(0, 1 / channels).
    pub fn new(side: usize, [channels, output]: [usize; 2], heads: usize, device: &Device) -> Self {
        let std = (channels as f64).sqrt().recip();
        let layer = |output: usize| linear_normal([channels, output], true, std, device);
        Self {
            positional_embedding: Initializer::Normal { mean: 0.0, std }
                .init([1 + side * side, channels], device),
            k_proj: layer(channels),
            q_proj: layer(channels),
            v_proj: layer(channels),
            c_proj: layer(output),
            heads,
        }
    }

    /// `[batch, height, width, channels] -> [batch, output]`.
    pub fn forward(&self, map: Tensor<4>) -> Tensor<2> {
        let [batch, height, width, channels] = map.dims();
        let pixels = map.reshape([batch, height * width, channels]);
        let mean = pixels.clone().mean_dim(1);
        let tokens = Tensor::cat(vec![mean, pixels], 1);
        let tokens = tokens + self.positional_embedding.val().unsqueeze();
        let query = dense(&self.q_proj, tokens.clone().narrow(1, 0, 1));
        let context = KeyValue(dense_joined(&[&self.k_proj, &self.v_proj], tokens));
        let mixed = attend_context(query, &context, self.heads, Sight::All, None);
        let pooled = dense(&self.c_proj, mixed);
        let [_, _, output] = pooled.dims();
        pooled.reshape([batch, output])
    }
}
