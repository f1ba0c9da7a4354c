//! Actions from the discriminative goal: the way towards completion says what to do.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::blocks::Blocks;
use super::config::InfoConConfig;
use super::hyper_score::{HyperScore, Score};
use super::tokens::{action_tokens, interleave, of_kind, positions};
use super::window::Windows;
use crate::nn::linear::linear;
use crate::nn::{LayerNorm, ReluMlp};

/// The score's hyper-network, and a causal transformer over states, gradients of the score and
/// actions in turn.
#[derive(Module, Debug)]
pub struct ScoreActionNet {
    /// States to hidden features of the score.
    pub state_encoder_0: Linear,
    /// Parameters to codes of generated maps.
    pub hn_0: Vec<Linear>,
    /// Codes to maps.
    pub hn_hidden_1: Linear,
    /// Parameters to the direction of completion.
    pub hn_out_1: Linear,
    /// Position of a window in its trajectory, `[1, max_timestep, width]`.
    pub global_pos_emb: Param<Tensor<3>>,
    /// Position of a step in its window, `[1, context, width]`.
    pub local_pos_emb: Param<Tensor<3>>,
    /// States to tokens.
    pub state_encoder: ReluMlp,
    /// Gradients (and key states) to tokens.
    pub state_grad_encoder: ReluMlp,
    /// Actions to tokens.
    pub action_encoder: ReluMlp,
    /// The transformer.
    pub blocks: Blocks,
    /// Its final norm.
    pub ln: LayerNorm,
    /// Tokens of gradients to actions.
    pub action_predictor: ReluMlp,
    /// Whether key states are read beside gradients.
    pub key_state_input: bool,
    /// See [`HyperScore::skip`].
    pub skip: bool,
    /// See [`HyperScore::temperature`].
    pub temperature: f64,
}

/// Scores of windows' states under their own concepts, and the actions that follow.
#[derive(Clone, Debug)]
pub struct Discrimination {
    /// The scores; rows are steps, window by window.
    pub score: Score,
    /// Their gradients, `[batch, steps, state_dim]`.
    pub gradient: Tensor<3>,
    /// Predicted actions, `[batch, steps, action_dim]`.
    pub actions: Tensor<3>,
}

impl ScoreActionNet {
    /// Weights from N(0, 0.02²), positions zero.
    pub fn new(config: &InfoConConfig, device: &Device) -> Self {
        let (width, hidden) = (config.width, config.hidden);
        let table = |rows| Initializer::Zeros.init([1, rows, width], device);
        let parts = config.score_layers;
        let goal = config.state_dim * if config.key_state_input { 2 } else { 1 };
        let generator = |input, output| linear(input, output, false, device);
        Self {
            state_encoder_0: linear(config.state_dim, width, true, device),
            hn_0: (1..parts)
                .map(|_| generator(config.parameter_dim, parts))
                .collect(),
            hn_hidden_1: generator(parts, width * (width + 1)),
            hn_out_1: generator(config.parameter_dim, width),
            global_pos_emb: table(config.max_timestep),
            local_pos_emb: table(config.context),
            state_encoder: ReluMlp::new(config.state_dim, &[hidden], width, device),
            state_grad_encoder: ReluMlp::new(goal, &[hidden], width, device),
            action_encoder: ReluMlp::new(config.action_dim, &[hidden], width, device),
            blocks: Blocks::new(width, config.heads, config.action_layers, device),
            ln: LayerNorm::new(width, true, device),
            action_predictor: ReluMlp::new(width, &[hidden, hidden], config.action_dim, device),
            key_state_input: config.key_state_input,
            skip: config.skip,
            temperature: config.temperature,
        }
    }

    /// The score alone.
    pub fn hyper_score(&self) -> HyperScore<'_> {
        HyperScore {
            encoder: &self.state_encoder_0,
            codes: &self.hn_0,
            maps: &self.hn_hidden_1,
            direction: &self.hn_out_1,
            skip: self.skip,
            temperature: self.temperature,
        }
    }

    /// Scores, gradients and actions under the parameters of every step, `[batch, steps, parts *
    /// parameter_dim]`. `key_states`, `[batch, steps, state_dim]`, are read if the network was built
    /// for them.
    pub fn forward(
        &self,
        windows: &Windows,
        parameters: Tensor<3>,
        key_states: Option<Tensor<3>>,
    ) -> Discrimination {
        let [batch, steps] = windows.shape();
        let states = windows.states();
        let [_, _, state_dim] = states.dims();
        let [_, _, all] = parameters.dims();
        let network = self.hyper_score();
        let score = network.score(
            states.clone().reshape([batch * steps, state_dim]),
            parameters.reshape([batch * steps, all]),
        );
        let gradient = network.gradient(&score).reshape([batch, steps, state_dim]);
        let goal = match key_states.filter(|_| self.key_state_input) {
            Some(key_states) => Tensor::cat(vec![gradient.clone(), key_states], 2),
            None => gradient.clone(),
        };
        let states = self.state_encoder.forward(states);
        let [_, _, width] = states.dims();
        let actions = action_tokens(&self.action_encoder, windows, width);
        let tokens = interleave(vec![states, self.state_grad_encoder.forward(goal), actions])
            + positions(
                &self.global_pos_emb,
                &self.local_pos_emb,
                windows.starts(),
                steps,
                3,
            );
        let hidden = of_kind(self.blocks.forward(tokens), 1, 3);
        Discrimination {
            score,
            gradient,
            actions: self.action_predictor.forward(self.ln.forward(hidden)),
        }
    }
}
