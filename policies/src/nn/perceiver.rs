//! Perceiver resampler: a few learned vectors read many image tokens (Jaegle et al., arXiv 2103.03206;
//! as resampler of Flamingo, Alayrac et al., arXiv 2204.14198).

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation::relu};
use serde::{Deserialize, Serialize};

use super::attention::{KeyValue, Sight, attend_context, repeat_interleave};
use super::kernels::gelu;
use super::linear::{dense, dense_joined, linear};
use super::norm::LayerNorm;

/// What lies between the two layers of a feed-forward block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedForwardActivation {
    /// GELU, exact.
    #[default]
    Gelu,
    /// ReLU, squared.
    SquaredRelu,
}

/// Shape of a [`Perceiver`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerceiverConfig {
    /// Width of tokens and latent vectors.
    pub width: usize,
    /// Layers.
    pub layers: usize,
    /// Heads.
    pub heads: usize,
    /// Width of a head.
    pub head_width: usize,
    /// Latent vectors, which are the output.
    pub latents: usize,
    /// Most frames, each of which has a vector of its own.
    pub frames: usize,
    /// Hidden width of the feed-forward blocks as a multiple of `width`.
    pub mlp_ratio: usize,
    /// Activation of the feed-forward blocks.
    pub activation: FeedForwardActivation,
}

impl PerceiverConfig {
    /// As MDT-V uses it.
    pub const fn mdt_v() -> Self {
        Self {
            width: 384,
            layers: 6,
            heads: 8,
            head_width: 64,
            latents: 3,
            frames: 1,
            mlp_ratio: 4,
            activation: FeedForwardActivation::Gelu,
        }
    }

    /// What is wrong, if anything.
    pub fn problem(&self) -> Option<String> {
        [
            self.width,
            self.heads,
            self.head_width,
            self.latents,
            self.frames,
            self.mlp_ratio,
        ]
        .contains(&0)
        .then(|| "a size of zero".into())
    }
}

/// Latent vectors attend to image tokens and to themselves. Projections have no bias.
#[derive(Module, Debug)]
pub struct PerceiverAttention {
    /// Norm of the image tokens.
    pub norm_media: LayerNorm,
    /// Norm of the latent vectors.
    pub norm_latents: LayerNorm,
    /// Query projection, to heads times their width.
    pub to_q: Linear,
    /// Key projection.
    pub to_k: Linear,
    /// Value projection.
    pub to_v: Linear,
    /// Output projection.
    pub to_out: Linear,
    /// Heads.
    pub heads: usize,
}

impl PerceiverAttention {
    fn forward(&self, tokens: Tensor<3>, latents: Tensor<3>) -> Tensor<3> {
        let latents = self.norm_latents.forward(latents);
        let query = dense(&self.to_q, latents.clone());
        let both = Tensor::cat(vec![self.norm_media.forward(tokens), latents], 1);
        let context = KeyValue(dense_joined(&[&self.to_k, &self.to_v], both));
        let mixed = attend_context(query, &context, self.heads, Sight::All, None);
        dense(&self.to_out, mixed)
    }
}

/// An activation as a module, so that it can stand in a tuple.
#[derive(Module, Debug)]
pub struct Activation {
    #[module(skip)]
    kind: FeedForwardActivation,
}

/// Norm, layer, activation, layer; a tuple, so that the keys are `0`, `1` and `3`. No biases but the
/// norm's.
pub type FeedForward = (LayerNorm, Linear, Activation, Linear);

/// The resampler.
#[derive(Module, Debug)]
pub struct Perceiver {
    /// Latent vectors at the start, `[latents, width]`.
    pub latents: Param<Tensor<2>>,
    /// One vector per frame, added to all of its tokens: `[frames, 1, width]`.
    pub time_pos_emb: Param<Tensor<3>>,
    /// Attention and feed-forward block of every layer.
    pub layers: Vec<(PerceiverAttention, FeedForward)>,
    /// Final norm.
    pub norm: LayerNorm,
}

impl Perceiver {
    /// Latent vectors and frames from N(0, 1).
    pub fn new(config: &PerceiverConfig, device: &Device) -> Self {
        let width = config.width;
        let inner = config.heads * config.head_width;
        let hidden = config.mlp_ratio * width;
        let normal = Initializer::Normal {
            mean: 0.0,
            std: 1.0,
        };
        let layer = |input, output| linear(input, output, false, device);
        let block = |_| {
            let attention = PerceiverAttention {
                norm_media: LayerNorm::new(width, true, device),
                norm_latents: LayerNorm::new(width, true, device),
                to_q: layer(width, inner),
                to_k: layer(width, inner),
                to_v: layer(width, inner),
                to_out: layer(inner, width),
                heads: config.heads,
            };
            let feed_forward = (
                LayerNorm::new(width, true, device),
                layer(width, hidden),
                Activation {
                    kind: config.activation,
                },
                layer(hidden, width),
            );
            (attention, feed_forward)
        };
        Self {
            latents: normal.init([config.latents, width], device),
            time_pos_emb: normal.init([config.frames, 1, width], device),
            layers: (0..config.layers).map(block).collect(),
            norm: LayerNorm::new(width, true, device),
        }
    }

    /// Tokens `[batch, frames, tokens, width]` to `[batch, latents, width]`. `marked` (`[batch,
    /// frames]`, 0 or 1) says which frames get their vector, all if `None`. The others are attended
    /// to all the same, as in the authors' code.
    pub fn forward(&self, tokens: Tensor<4>, marked: Option<Tensor<2>>) -> Tensor<3> {
        let [batch, frames, count, width] = tokens.dims();
        let mut times = self.time_pos_emb.val().narrow(0, 0, frames).unsqueeze();
        if let Some(marked) = marked {
            times = times * marked.reshape([batch, frames, 1, 1]);
        }
        let tokens = (tokens + times).reshape([batch, frames * count, width]);
        let start = repeat_interleave(self.latents.val().unsqueeze_dim::<3>(0), batch);
        let hidden = self.layers.iter().fold(
            start,
            |hidden, (attention, (norm, up, activation, down))| {
                let mixed = attention.forward(tokens.clone(), hidden.clone());
                let hidden = hidden + mixed;
                let raised = dense(up, norm.forward(hidden.clone()));
                let raised = match activation.kind {
                    FeedForwardActivation::Gelu => gelu(raised),
                    FeedForwardActivation::SquaredRelu => relu(raised).square(),
                };
                hidden + dense(down, raised)
            },
        );
        self.norm.forward(hidden)
    }
}
