//! The pre-norm transformer of CLIP's towers.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::nn::LayerNorm;
use crate::nn::attention::{Sight, attend_rows};
use crate::nn::linear::{dense, linear_normal};

/// Shape of a [`Transformer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerConfig {
    /// Width; a multiple of `heads`.
    pub width: usize,
    /// Heads.
    pub heads: usize,
    /// Blocks.
    pub layers: usize,
    /// Hidden width of the feed-forward blocks (four times the width in OpenAI's models).
    pub hidden: usize,
    /// Whether token `i` sees tokens `0..=i` only.
    pub causal: bool,
}

impl TransformerConfig {
    /// What is wrong, if anything.
    pub fn problem(&self) -> Option<String> {
        let Self { width, heads, .. } = *self;
        (width == 0 || heads == 0 || !width.is_multiple_of(heads))
            .then(|| format!("a width of {width} cannot have {heads} heads"))
    }
}

/// `x sigmoid(1.702 x)`, any shape.
pub fn quick_gelu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    input.clone() * sigmoid(input * 1.702)
}

/// Query, key and value in one product, and the output projection.
#[derive(Module, Debug)]
pub struct PackedAttention {
    /// `Linear(width, 3 width)`. Keys `in_proj_weight` and `in_proj_bias` in OpenAI's files.
    pub in_proj: Linear,
    /// Output projection.
    pub out_proj: Linear,
    /// Heads.
    pub heads: usize,
    /// See [`TransformerConfig::causal`].
    pub causal: bool,
}

impl PackedAttention {
    /// `[batch, tokens, width]`, same shape out.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let rows = dense(&self.in_proj, input);
        dense(
            &self.out_proj,
            attend_rows(rows, self.heads, Sight::causal(self.causal), None),
        )
    }
}

impl PackedAttention {
    /// As [`PackedAttention::forward`] with a bias instead of the causal mask.
    pub fn forward_biased(&self, input: Tensor<3>, bias: &Bias) -> Tensor<3> {
        let [batch, tokens, width] = input.dims();
        let head = width / self.heads;
        let rows = dense(&self.in_proj, input);
        let part = |index: usize| -> Tensor<4> {
            let part = rows.clone().narrow(2, index * width, width);
            part.reshape([batch, tokens, self.heads, head])
                .swap_dims(1, 2)
        };
        let scores = part(0).matmul(part(1).swap_dims(2, 3)) / (head as f64).sqrt();
        let mixed = softmax(scores + bias.clone(), 3)
            .matmul(part(2))
            .swap_dims(1, 2)
            .reshape([batch, tokens, width]);
        dense(&self.out_proj, mixed)
    }
}

/// Two layers with [`quick_gelu`] between.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// Up projection.
    pub c_fc: Linear,
    /// Down projection.
    pub c_proj: Linear,
}

/// Numbers added to the scores of attention, `[batch, 1, queries, keys]`: large negative ones hide
/// keys. Replaces the causal mask.
pub type Bias = Tensor<4>;

impl FeedForward {
    /// `[batch, tokens, width]`, same shape out.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        dense(&self.c_proj, quick_gelu(dense(&self.c_fc, input)))
    }
}

/// `x += Attention(LN(x)); x += FeedForward(LN(x))`.
#[derive(Module, Debug)]
pub struct Block {
    /// Attention.
    pub attn: PackedAttention,
    /// Norm before attention.
    pub ln_1: LayerNorm,
    /// Feed-forward block.
    pub mlp: FeedForward,
    /// Norm before the feed-forward block.
    pub ln_2: LayerNorm,
}

impl Block {
    /// `[batch, tokens, width]`, same shape out.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let attended = input.clone() + self.attn.forward(self.ln_1.forward(input));
        attended.clone() + self.mlp.forward(self.ln_2.forward(attended))
    }

    /// As [`Block::forward`] with a bias instead of the causal mask.
    pub fn forward_biased(&self, input: Tensor<3>, bias: &Bias) -> Tensor<3> {
        let normal = self.ln_1.forward(input.clone());
        let attended = input + self.attn.forward_biased(normal, bias);
        attended.clone() + self.mlp.forward(self.ln_2.forward(attended))
    }
}

/// Blocks one after the other.
#[derive(Module, Debug)]
pub struct Transformer {
    /// Blocks.
    pub resblocks: Vec<Block>,
}

impl Transformer {
    /// Fresh weights with OpenAI's spreads: `width^-1/2` into attention, `(2 width)^-1/2` into the
    /// feed-forward blocks, and both outputs shrunk by `(2 layers)^-1/2`.
    pub fn new(config: TransformerConfig, device: &Device) -> Self {
        let TransformerConfig {
            width,
            heads,
            layers,
            hidden,
            causal,
        } = config;
        let inner = (width as f64).sqrt().recip();
        let outer = inner * (2.0 * layers as f64).sqrt().recip();
        let up = (2.0 * width as f64).sqrt().recip();
        let block = |_| Block {
            attn: PackedAttention {
                in_proj: linear_normal([width, 3 * width], true, inner, device),
                out_proj: linear_normal([width, width], true, outer, device),
                heads,
                causal,
            },
            ln_1: LayerNorm::new(width, true, device),
            mlp: FeedForward {
                c_fc: linear_normal([width, hidden], true, up, device),
                c_proj: linear_normal([hidden, width], true, outer, device),
            },
            ln_2: LayerNorm::new(width, true, device),
        };
        Self {
            resblocks: (0..layers).map(block).collect(),
        }
    }

    /// `[batch, tokens, width]`, same shape out.
    pub fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        self.resblocks
            .iter()
            .fold(tokens, |hidden, block| block.forward(hidden))
    }

    /// As [`Transformer::forward`] with a bias instead of the causal mask.
    pub fn forward_biased(&self, tokens: Tensor<3>, bias: &Bias) -> Tensor<3> {
        self.resblocks
            .iter()
            .fold(tokens, |hidden, block| block.forward_biased(hidden, bias))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn quick_gelu_is_a_scaled_sigmoid_gate() {
        let device = Device::flex();
        let input = Tensor::<1>::from_data(TensorData::from([0.0f32, 1.0, -2.0]), &device);
        let output = quick_gelu(input).into_data();
        let output = output.as_slice::<f32>().unwrap_or_default();
        // 1 / (1 + e^-1.702) and -2 / (1 + e^3.404).
        let expected = [0.0, 0.845_796, -0.064_357];
        assert!(
            output
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-4)
        );
    }

    #[test]
    fn odd_heads_are_a_problem() {
        let config = TransformerConfig {
            width: 10,
            heads: 3,
            layers: 1,
            hidden: 40,
            causal: false,
        };
        assert!(config.problem().is_some());
    }
}
