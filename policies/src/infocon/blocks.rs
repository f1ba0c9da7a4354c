//! The causal transformer that all networks share.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::nn::encoder::EncoderBlock;
use crate::nn::{AttentionConfig, EncoderConfig};

/// Pre-norm blocks, without the norm after the last.
#[derive(Module, Debug)]
pub struct Blocks {
    /// The blocks.
    pub block_list: Vec<EncoderBlock>,
}

impl Blocks {
    /// Blocks without dropout, as in the authors' scripts.
    pub fn new(width: usize, heads: usize, layers: usize, device: &Device) -> Self {
        let config = EncoderConfig {
            layers,
            attention: AttentionConfig {
                width,
                heads,
                causal: true,
                output_bias: true,
                attention_dropout: 0.0,
                output_dropout: 0.0,
            },
            bias: true,
            mlp_dropout: 0.0,
        };
        let block = |_| EncoderBlock::new(&config, device);
        Self {
            block_list: (0..layers).map(block).collect(),
        }
    }

    /// `[batch, tokens, width]`, same shape out; a token sees itself and those before it.
    pub fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        let blocks = self.block_list.iter();
        blocks.fold(tokens, |hidden, block| block.forward(hidden))
    }
}
