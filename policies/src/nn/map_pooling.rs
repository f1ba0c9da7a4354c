//! Multi-head attention pooling (Lee et al., arXiv 1810.00825) in the form of Voltron (Karamcheti et
//! al., arXiv 2302.12766): a learned query gathers one vector from a set of tokens.

use burn::module::{Initializer, Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::attention::{Sight, composed};
use super::linear::{dense, linear_xavier};
use super::norm::RmsNorm;
use super::swish_block::SwishGate;

/// Cross-attention with keys and values in one product.
#[derive(Module, Debug)]
pub struct PoolingAttention {
    /// Query projection.
    pub q: Linear,
    /// `Linear(width, 2 width)`: keys, then values.
    pub kv: Linear,
    /// Output projection.
    pub proj: Linear,
    /// Heads.
    pub heads: usize,
}

/// The block, with norms after its two branches.
#[derive(Module, Debug)]
pub struct MapPooling {
    /// The query, `[1, width]`.
    pub latents: Param<Tensor<2>>,
    /// Projection of the tokens.
    pub projection: Linear,
    /// Attention of the query to the tokens.
    pub attn: PoolingAttention,
    /// Norm after attention.
    pub attn_norm: RmsNorm,
    /// Feed-forward branch; a tuple, so that the keys are `0.project` and `1`.
    pub mlp: (SwishGate, Linear),
    /// Norm after the feed-forward branch.
    pub mlp_norm: RmsNorm,
}

/// Hidden width of the feed-forward branch as a multiple of the width.
const RATIO: usize = 4;
/// Spread of the query at the start.
const LATENT_STD: f64 = 0.02;

impl MapPooling {
    /// For tokens of `width` numbers, a multiple of `heads`.
    pub fn new(width: usize, heads: usize, device: &Device) -> Self {
        let plain = |output: usize| {
            LinearConfig::new(width, output)
                .with_bias(false)
                .with_initializer(Initializer::XavierUniform { gain: 1.0 })
                .init(device)
        };
        Self {
            latents: Initializer::Normal {
                mean: 0.0,
                std: LATENT_STD,
            }
            .init([1, width], device),
            projection: linear_xavier(width, width, device),
            attn: PoolingAttention {
                q: plain(width),
                kv: plain(2 * width),
                proj: linear_xavier(width, width, device),
                heads,
            },
            attn_norm: RmsNorm::new(width, device),
            mlp: (
                SwishGate::new(width, RATIO * width, device),
                linear_xavier(RATIO * width, width, device),
            ),
            mlp_norm: RmsNorm::new(width, device),
        }
    }

    /// `[batch, tokens, width] -> [batch, width]`.
    pub fn forward(&self, tokens: Tensor<3>) -> Tensor<2> {
        let [batch, _, width] = tokens.dims();
        let latent = self
            .latents
            .val()
            .reshape([1, 1, width])
            .repeat_dim(0, batch);
        let attn = &self.attn;
        let both = dense(&attn.kv, dense(&self.projection, tokens));
        let parts = [
            dense(&attn.q, latent.clone()),
            both.clone().narrow(2, 0, width),
            both.narrow(2, width, width),
        ];
        let gathered = dense(&attn.proj, composed(parts, attn.heads, Sight::All, None));
        let latent = self.attn_norm.forward(latent + gathered);
        let (gate, down) = &self.mlp;
        let fed = dense(down, gate.forward(latent.clone()));
        self.mlp_norm.forward(latent + fed).reshape([batch, width])
    }
}
