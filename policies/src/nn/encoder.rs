//! The transformer that turns goal and observation tokens into a context.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::attention::{Attention, AttentionConfig, Sight};
use super::mlp::Mlp;
use super::norm::LayerNorm;

/// Shape of an [`Encoder`].
#[derive(Clone, Debug)]
pub struct EncoderConfig {
    /// Blocks.
    pub layers: usize,
    /// Attention: not causal in an encoder, causal in a sequence model.
    pub attention: AttentionConfig,
    /// Biases of the feed-forward blocks and the norms.
    pub bias: bool,
    /// Dropout after the feed-forward blocks.
    pub mlp_dropout: f64,
}

/// One block: `x += Attention(LN(x)); x += MLP(LN(x))`.
#[derive(Module, Debug)]
pub struct EncoderBlock {
    /// Norm before attention.
    pub ln_1: LayerNorm,
    /// Attention over all tokens.
    pub attn: Attention,
    /// Norm before the feed-forward block.
    pub ln_2: LayerNorm,
    /// Feed-forward block.
    pub mlp: Mlp,
}

impl EncoderBlock {
    /// One block of the given shape (whose number of layers plays no part here).
    pub fn new(config: &EncoderConfig, device: &Device) -> Self {
        let width = config.attention.width;
        Self {
            ln_1: LayerNorm::new(width, config.bias, device),
            attn: Attention::new(&config.attention, device),
            ln_2: LayerNorm::new(width, config.bias, device),
            mlp: Mlp::new(width, config.bias, config.mlp_dropout, device),
        }
    }

    /// `[batch, tokens, width]`, same shape out.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        self.forward_seeing(input, Sight::causal(self.attn.causal))
    }

    /// As [`EncoderBlock::forward`], where tokens see what is given.
    pub fn forward_seeing(&self, input: Tensor<3>, sight: Sight) -> Tensor<3> {
        let normal = self.ln_1.forward(input.clone());
        let attended = input + self.attn.over_self_seeing(normal, sight);
        self.fed_forward(attended)
    }

    /// The output of the last token alone, `[batch, 1, width]`, which sees all: what remains to be
    /// done in the last block of a network that acts.
    pub fn forward_last(&self, input: Tensor<3>) -> Tensor<3> {
        let last = |tokens: Tensor<3>| {
            let [_, count, _] = tokens.dims();
            tokens.narrow(1, count - 1, 1)
        };
        let normal = self.ln_1.forward(input.clone());
        let context = self.attn.project(normal.clone());
        let mixed = self.attn.over_seeing(last(normal), &context, Sight::All);
        self.fed_forward(last(input) + mixed)
    }

    fn fed_forward(&self, attended: Tensor<3>) -> Tensor<3> {
        attended.clone() + self.mlp.forward(self.ln_2.forward(attended))
    }
}

/// Pre-norm blocks and a final norm.
#[derive(Module, Debug)]
pub struct Encoder {
    /// Blocks.
    pub blocks: Vec<EncoderBlock>,
    /// Final norm.
    pub ln: LayerNorm,
}

impl Encoder {
    /// Weights as the denoiser's linear layers.
    pub fn new(config: &EncoderConfig, device: &Device) -> Self {
        let width = config.attention.width;
        let blocks = (0..config.layers)
            .map(|_| EncoderBlock::new(config, device))
            .collect();
        Self {
            blocks,
            ln: LayerNorm::new(width, config.bias, device),
        }
    }

    /// `[batch, tokens, width]`, same shape out.
    pub fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        let hidden = self
            .blocks
            .iter()
            .fold(tokens, |hidden, block| block.forward(hidden));
        self.ln.forward(hidden)
    }
}
