//! The trajectory encoder: from states and actions to a key per step.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

use super::blocks::Blocks;
use super::config::InfoConConfig;
use super::tokens::{action_tokens, interleave, of_kind, positions};
use super::window::Windows;
use crate::nn::{LayerNorm, ReluMlp};

/// A causal transformer over states and actions in turn.
#[derive(Module, Debug)]
pub struct KeyNet {
    /// Position of a window in its trajectory, `[1, max_timestep, width]`.
    pub global_pos_emb: Param<Tensor<3>>,
    /// Position of a step in its window, `[1, context, width]`.
    pub local_pos_emb: Param<Tensor<3>>,
    /// States to tokens.
    pub state_encoder: ReluMlp,
    /// Actions to tokens.
    pub action_encoder: ReluMlp,
    /// The transformer.
    pub blocks: Blocks,
    /// Its final norm.
    pub ln: LayerNorm,
    /// Tokens of states to keys.
    pub key_predictor: ReluMlp,
    /// Tokens of actions to the next states; logged by the authors, never trained.
    pub state_predictor: ReluMlp,
}

impl KeyNet {
    /// Weights from N(0, 0.02²), positions zero.
    pub fn new(config: &InfoConConfig, device: &Device) -> Self {
        let (width, hidden) = (config.width, config.hidden);
        let table = |rows| Initializer::Zeros.init([1, rows, width], device);
        Self {
            global_pos_emb: table(config.max_timestep),
            local_pos_emb: table(config.context),
            state_encoder: ReluMlp::new(config.state_dim, &[hidden], width, device),
            action_encoder: ReluMlp::new(config.action_dim, &[hidden], width, device),
            blocks: Blocks::new(width, config.heads, config.key_layers, device),
            ln: LayerNorm::new(width, true, device),
            key_predictor: ReluMlp::new(width, &[hidden], config.key_dim, device),
            state_predictor: ReluMlp::new(width, &[hidden, hidden], config.state_dim, device),
        }
    }

    /// Features of states and of actions after the transformer, each `[batch, steps, width]`.
    pub fn features(&self, windows: &Windows) -> [Tensor<3>; 2] {
        let [_, steps] = windows.shape();
        let states = self.state_encoder.forward(windows.states());
        let [_, _, width] = states.dims();
        let actions = action_tokens(&self.action_encoder, windows, width);
        let tokens = interleave(vec![states, actions])
            + positions(
                &self.global_pos_emb,
                &self.local_pos_emb,
                windows.starts(),
                steps,
                2,
            );
        let features = self.ln.forward(self.blocks.forward(tokens));
        [of_kind(features.clone(), 0, 2), of_kind(features, 1, 2)]
    }

    /// One key per step, `[batch, steps, key_dim]`, from states up to it and actions before it.
    pub fn keys(&self, windows: &Windows) -> Tensor<3> {
        let [states, _] = self.features(windows);
        self.key_predictor.forward(states)
    }

    /// Predictions of the states after the first, `[batch, steps - 1, state_dim]`, from the
    /// features of actions of [`KeyNet::features`]; `None` for windows of one step.
    pub fn next_states(&self, actions: Tensor<3>) -> Option<Tensor<3>> {
        let [_, steps, _] = actions.dims();
        (steps > 1).then(|| {
            self.state_predictor
                .forward(actions.narrow(1, 0, steps - 1))
        })
    }
}
