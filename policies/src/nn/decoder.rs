//! The transformer that denoises actions, conditioned on the noise level.
//!
//! The conditioning is adaptive layer norm (Peebles and Xie, arXiv 2212.09748) in the form of the
//! MDT code: the scale multiplies the normalised input directly, without `1 +`, gates likewise, and
//! the modulation layer does not start at zero.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation::silu};

use super::attention::{Attention, AttentionConfig, KeyValue};
use super::kernels::gated_residual;
use super::linear::{dense, linear};
use super::mlp::Mlp;
use super::norm::LayerNorm;

/// How the noise level enters the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseConditioning {
    /// Adaptive layer norm per block.
    AdaptiveNorm,
    /// The noise embedding is added after the norms before self- and cross-attention.
    Added,
    /// Not at all: it is a token of the encoder.
    None,
}

/// Shape of a [`Decoder`].
#[derive(Clone, Debug)]
pub struct DecoderConfig {
    /// Blocks.
    pub layers: usize,
    /// Self-attention; causal.
    pub self_attention: AttentionConfig,
    /// Cross-attention; causal in the authors' code.
    pub cross_attention: AttentionConfig,
    /// Biases of feed-forward blocks and norms.
    pub bias: bool,
    /// Dropout after the feed-forward blocks.
    pub mlp_dropout: f64,
    /// How the noise level enters.
    pub conditioning: NoiseConditioning,
    /// Whether scales and gates are offset by one.
    pub unit_modulation: bool,
}

/// Shift, scale and gate of the two modulated branches, each `[batch or 1, 1, width]`.
#[derive(Clone, Debug)]
pub struct Modulated {
    /// Shift, scale, gate of self-attention, then of the feed-forward block.
    pub parts: [Tensor<3>; 6],
}

impl Modulated {
    /// Rows `start..start + len` of the batch.
    pub fn narrow(&self, start: usize, len: usize) -> Self {
        Self {
            parts: self.parts.clone().map(|part| part.narrow(0, start, len)),
        }
    }
}

/// `Linear(D, 6D)(SiLU(c))`.
#[derive(Module, Debug)]
pub struct Modulation {
    /// SiLU and the layer; a tuple, so that the key is `1`.
    pub modulation: (Silu, Linear),
    /// Added to scales and gates: 0 in the authors' code, 1 for an identity at the start.
    pub offset: f64,
}

/// `x sigmoid(x)` as a module, so that it can stand in a tuple.
#[derive(Module, Debug)]
pub struct Silu;

impl Modulation {
    /// Weights from N(0, 0.02²).
    pub fn new(width: usize, offset: f64, device: &Device) -> Self {
        Self {
            modulation: (Silu, linear(width, 6 * width, true, device)),
            offset,
        }
    }

    /// From noise embeddings `[batch, 1, width]`.
    pub fn forward(&self, noise: Tensor<3>) -> Modulated {
        let width = noise.dims()[2];
        let all = dense(&self.modulation.1, silu(noise));
        Modulated {
            parts: std::array::from_fn(|i| {
                let part = all.clone().narrow(2, i * width, width);
                let is_shift = i % 3 == 0;
                if is_shift || self.offset == 0.0 {
                    part
                } else {
                    part + self.offset
                }
            }),
        }
    }
}

/// One decoder block.
#[derive(Module, Debug)]
pub struct DecoderBlock {
    /// Norm before self-attention.
    pub ln_1: LayerNorm,
    /// Causal self-attention over actions.
    pub attn: Attention,
    /// Norm before cross-attention; has a bias.
    pub ln3: LayerNorm,
    /// Cross-attention to the context.
    pub cross_att: Attention,
    /// Norm before the feed-forward block.
    pub ln_2: LayerNorm,
    /// Feed-forward block.
    pub mlp: Mlp,
    /// Adaptive norm, if used. Key `adaLN_zero` in the authors' files.
    pub ada_ln: Option<Modulation>,
}

/// What a block needs of the noise level.
#[derive(Clone, Debug)]
pub enum BlockNoise {
    /// For [`NoiseConditioning::AdaptiveNorm`].
    Modulated(Modulated),
    /// For [`NoiseConditioning::Added`]: `[batch or 1, 1, width]`.
    Added(Tensor<3>),
    /// For [`NoiseConditioning::None`].
    None,
}

impl DecoderBlock {
    /// What this block needs of noise embeddings `[batch, 1, width]`.
    pub fn noise(&self, conditioning: NoiseConditioning, noise: &Tensor<3>) -> BlockNoise {
        match (conditioning, &self.ada_ln) {
            (NoiseConditioning::AdaptiveNorm, Some(ada_ln)) => {
                BlockNoise::Modulated(ada_ln.forward(noise.clone()))
            }
            (NoiseConditioning::Added, _) => BlockNoise::Added(noise.clone()),
            _ => BlockNoise::None,
        }
    }

    /// `[batch, actions, width]`, same shape out.
    pub fn forward(&self, input: Tensor<3>, noise: &BlockNoise, context: &KeyValue) -> Tensor<3> {
        match noise {
            BlockNoise::Modulated(Modulated {
                parts: [shift_1, scale_1, gate_1, shift_2, scale_2, gate_2],
            }) => {
                let (scale, shift) = (scale_1.clone(), shift_1.clone());
                let normal = self.ln_1.modulated(input.clone(), scale, shift);
                let input = gated_residual(input, self.attn.over_self(normal), gate_1.clone());
                let input = input.clone() + self.cross_att.over(self.ln3.forward(input), context);
                let (scale, shift) = (scale_2.clone(), shift_2.clone());
                let normal = self.ln_2.modulated(input.clone(), scale, shift);
                gated_residual(input, self.mlp.forward(normal), gate_2.clone())
            }
            BlockNoise::Added(noise) => {
                let normal = self.ln_1.forward(input.clone()) + noise.clone();
                let input = input + self.attn.over_self(normal);
                let normal = self.ln3.forward(input.clone()) + noise.clone();
                let input = input + self.cross_att.over(normal, context);
                input.clone() + self.mlp.forward(self.ln_2.forward(input))
            }
            BlockNoise::None => {
                let input = input.clone() + self.attn.over_self(self.ln_1.forward(input));
                let input = input.clone() + self.cross_att.over(self.ln3.forward(input), context);
                input.clone() + self.mlp.forward(self.ln_2.forward(input))
            }
        }
    }
}

/// Blocks and a final norm.
#[derive(Module, Debug)]
pub struct Decoder {
    /// Blocks.
    pub blocks: Vec<DecoderBlock>,
    /// Final norm.
    pub ln: LayerNorm,
}

impl Decoder {
    /// Weights as the denoiser's linear layers.
    pub fn new(config: &DecoderConfig, device: &Device) -> Self {
        let width = config.self_attention.width;
        let offset = if config.unit_modulation { 1.0 } else { 0.0 };
        let adaptive = config.conditioning == NoiseConditioning::AdaptiveNorm;
        let blocks = (0..config.layers)
            .map(|_| DecoderBlock {
                ln_1: LayerNorm::new(width, config.bias, device),
                attn: Attention::new(&config.self_attention, device),
                ln3: LayerNorm::new(width, true, device),
                cross_att: Attention::new(&config.cross_attention, device),
                ln_2: LayerNorm::new(width, config.bias, device),
                mlp: Mlp::new(width, config.bias, config.mlp_dropout, device),
                ada_ln: adaptive.then(|| Modulation::new(width, offset, device)),
            })
            .collect();
        Self {
            blocks,
            ln: LayerNorm::new(width, config.bias, device),
        }
    }

    /// Keys and values of a context for every block.
    pub fn project(&self, context: &Tensor<3>) -> Vec<KeyValue> {
        self.blocks
            .iter()
            .map(|block| block.cross_att.project(context.clone()))
            .collect()
    }

    /// What every block needs of noise embeddings `[batch, 1, width]`.
    pub fn noise(&self, conditioning: NoiseConditioning, noise: &Tensor<3>) -> Vec<BlockNoise> {
        self.blocks
            .iter()
            .map(|block| block.noise(conditioning, noise))
            .collect()
    }

    /// `[batch, actions, width]`, same shape out; `noise` and `context` have one entry per block.
    pub fn forward(
        &self,
        actions: Tensor<3>,
        noise: &[BlockNoise],
        context: &[KeyValue],
    ) -> Tensor<3> {
        let hidden = self
            .blocks
            .iter()
            .zip(noise)
            .zip(context)
            .fold(actions, |hidden, ((block, noise), context)| {
                block.forward(hidden, noise, context)
            });
        self.ln.forward(hidden)
    }
}
