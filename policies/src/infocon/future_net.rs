//! The generative goal: a concept says which state its segment will end in.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

use super::blocks::Blocks;
use super::config::InfoConConfig;
use super::tokens::{action_tokens, interleave, of_kind, positions};
use super::window::Windows;
use crate::nn::{LayerNorm, ReluMlp};

/// A causal transformer over states, keys and actions in turn.
#[derive(Module, Debug)]
pub struct FutureNet {
    /// Position of a window in its trajectory, `[1, max_timestep, width]`.
    pub global_pos_emb: Param<Tensor<3>>,
    /// Position of a step in its window, `[1, context, width]`.
    pub local_pos_emb: Param<Tensor<3>>,
    /// States to tokens.
    pub state_encoder: ReluMlp,
    /// Keys to tokens.
    pub key_encoder: ReluMlp,
    /// Actions to tokens.
    pub action_encoder: ReluMlp,
    /// The transformer.
    pub blocks: Blocks,
    /// Its final norm.
    pub ln: LayerNorm,
    /// Tokens of keys to key states.
    pub state_predictor: ReluMlp,
}

impl FutureNet {
    /// Weights from N(0, 0.02²), positions zero.
    pub fn new(config: &InfoConConfig, device: &Device) -> Self {
        let (width, hidden) = (config.width, config.hidden);
        let table = |rows| Initializer::Zeros.init([1, rows, width], device);
        Self {
            global_pos_emb: table(config.max_timestep),
            local_pos_emb: table(config.context),
            state_encoder: ReluMlp::new(config.state_dim, &[hidden], width, device),
            key_encoder: ReluMlp::new(config.key_dim + 1, &[hidden], width, device),
            action_encoder: ReluMlp::new(config.action_dim, &[hidden], width, device),
            blocks: Blocks::new(width, config.heads, config.future_layers, device),
            ln: LayerNorm::new(width, true, device),
            state_predictor: ReluMlp::new(width, &[hidden, hidden], config.state_dim, device),
        }
    }

    /// The key state of every step's segment, `[batch, steps, state_dim]`; keys are `[batch, steps,
    /// key_dim + 1]`.
    pub fn forward(&self, windows: &Windows, keys: Tensor<3>) -> Tensor<3> {
        let [_, steps] = windows.shape();
        let states = self.state_encoder.forward(windows.states());
        let [_, _, width] = states.dims();
        let keys = self.key_encoder.forward(keys);
        let actions = action_tokens(&self.action_encoder, windows, width);
        let tokens = interleave(vec![states, keys, actions])
            + positions(
                &self.global_pos_emb,
                &self.local_pos_emb,
                windows.starts(),
                steps,
                3,
            );
        let hidden = of_kind(self.blocks.forward(tokens), 1, 3);
        self.state_predictor.forward(self.ln.forward(hidden))
    }
}
