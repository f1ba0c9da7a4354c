//! Reconstruction of states from their concepts: keys must keep what states are about.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::blocks::Blocks;
use super::config::InfoConConfig;
use crate::nn::{LayerNorm, ReluMlp};

/// A causal transformer over keys. Without positions: keys know their time.
#[derive(Module, Debug)]
pub struct RecNet {
    /// Keys to tokens.
    pub key_encoder: ReluMlp,
    /// The transformer.
    pub blocks: Blocks,
    /// Its final norm.
    pub ln: LayerNorm,
    /// Tokens to states.
    pub state_predictor: ReluMlp,
}

impl RecNet {
    /// Weights from N(0, 0.02²).
    pub fn new(config: &InfoConConfig, device: &Device) -> Self {
        let (width, hidden) = (config.width, config.hidden);
        Self {
            key_encoder: ReluMlp::new(config.key_dim + 1, &[hidden], width, device),
            blocks: Blocks::new(width, config.heads, config.reconstruction_layers, device),
            ln: LayerNorm::new(width, true, device),
            state_predictor: ReluMlp::new(width, &[hidden, hidden], config.state_dim, device),
        }
    }

    /// States, `[batch, steps, state_dim]`, from keys on the sphere, `[batch, steps, key_dim + 1]`.
    pub fn forward(&self, keys: Tensor<3>) -> Tensor<3> {
        let hidden = self.blocks.forward(self.key_encoder.forward(keys));
        self.state_predictor.forward(self.ln.forward(hidden))
    }
}
