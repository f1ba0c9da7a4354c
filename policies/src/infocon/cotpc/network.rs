//! The transformer of the policy.
//!
//! Query tokens, one per key state, come first; then states and actions in turn. The queries see each
//! other and the history up to a point; everything after them sees them, so that actions follow from
//! what the queries found out about the key states.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

use super::config::CotpcConfig;
use crate::infocon::blocks::Blocks;
use crate::infocon::error::InfoConError;
use crate::infocon::tokens::{action_tokens, interleave, of_kind, positions};
use crate::infocon::window::Windows;
use crate::nn::attention::repeat_interleave;
use crate::nn::{LayerNorm, ReluMlp, Sight};

/// The network. Field names are those of the authors' files.
#[derive(Module, Debug)]
pub struct Cotpc {
    /// Query tokens, `[1, key_states, width]`.
    pub key_state_pos_emb: Option<Param<Tensor<3>>>,
    /// Position of a window in its trajectory, `[1, max_timestep, width]`.
    pub global_pos_emb: Param<Tensor<3>>,
    /// Position of a step in its window, `[1, context, width]`.
    pub local_pos_emb: Param<Tensor<3>>,
    /// States to tokens.
    pub state_encoder: ReluMlp,
    /// Actions to tokens.
    pub action_encoder: Option<ReluMlp>,
    /// The transformer.
    pub blocks: Blocks,
    /// Its final norm.
    pub ln: LayerNorm,
    /// Tokens of states to actions.
    pub action_predictor: ReluMlp,
    /// Query tokens after a block to key states.
    pub key_state_predictors: Vec<ReluMlp>,
    /// The block that each predictor reads.
    pub key_state_layers: Vec<usize>,
    /// Steps of a whole window.
    pub context: usize,
}

/// How far into the history the queries see.
#[derive(Clone, Copy, Debug)]
pub enum Horizon<'a> {
    /// Up to the newest state: while acting.
    Newest,
    /// Up to this token after the queries, for every window: in training, where it is drawn, so that
    /// key states are predicted from beginnings of any length.
    Token(&'a [usize]),
}

/// What the network predicts.
#[derive(Clone, Debug)]
pub struct CotPrediction {
    /// The action in every state, `[batch, steps, action_dim]`.
    pub actions: Tensor<3>,
    /// Key states by every predictor, `[batch, key_states, state_dim]`.
    pub key_states: Vec<Tensor<3>>,
}

impl Cotpc {
    /// A fresh network: weights from N(0, 0.02²), queries and positions zero.
    ///
    /// # Errors
    /// If the sizes do not go together.
    pub fn new(config: &CotpcConfig, device: &Device) -> Result<Self, InfoConError> {
        config.check()?;
        let (width, hidden, state_dim) = (config.width, config.hidden, config.state_dim);
        let table = |rows| Initializer::Zeros.init([1, rows, width], device);
        let queries = config.key_states > 0;
        let layers = if queries {
            config.key_state_layers.clone()
        } else {
            Vec::new()
        };
        let predictor =
            |_: &usize| ReluMlp::new(width, &[config.key_state_hidden], state_dim, device);
        Ok(Self {
            key_state_pos_emb: queries.then(|| table(config.key_states)),
            global_pos_emb: table(config.max_timestep),
            local_pos_emb: table(config.context),
            state_encoder: ReluMlp::new(state_dim, &[hidden], width, device),
            action_encoder: config
                .actions
                .then(|| ReluMlp::new(config.action_dim, &[hidden], width, device)),
            blocks: Blocks::new(width, config.heads, config.layers, device),
            ln: LayerNorm::new(width, true, device),
            action_predictor: ReluMlp::new(width, &[hidden, hidden], config.action_dim, device),
            key_state_predictors: layers.iter().map(predictor).collect(),
            key_state_layers: layers,
            context: config.context,
        })
    }

    /// Predictions from windows.
    pub fn forward(&self, windows: &Windows, horizon: Horizon<'_>) -> CotPrediction {
        let [batch, steps] = windows.shape();
        let queries = self.queries();
        let kinds = 1 + usize::from(self.action_encoder.is_some());
        // Short windows leave empty slots to their right, which nothing sees that is read, except
        // queries with a drawn horizon.
        let slots = match horizon {
            Horizon::Newest => steps,
            Horizon::Token(_) => self.context.max(steps),
        };
        let mut tokens = self.tokens(windows, slots);
        if let Some(table) = &self.key_state_pos_emb {
            let all = repeat_interleave(table.val(), batch);
            tokens = Tensor::cat(vec![all, tokens], 1);
        }
        let sight = self.sight([batch, steps], slots * kinds, horizon);
        let mut key_states = Vec::with_capacity(self.key_state_predictors.len());
        let mut at_block = Vec::with_capacity(self.blocks.block_list.len());
        for block in &self.blocks.block_list {
            tokens = block.forward_seeing(tokens, sight.clone());
            at_block.push((queries > 0).then(|| tokens.clone().narrow(1, 0, queries)));
        }
        for (predictor, &layer) in self.key_state_predictors.iter().zip(&self.key_state_layers) {
            if let Some(Some(hidden)) = at_block.get(layer) {
                key_states.push(predictor.forward(hidden.clone()));
            }
        }
        let hidden = tokens.narrow(1, queries, steps * kinds);
        let hidden = self.ln.forward(of_kind(hidden, 0, kinds));
        CotPrediction {
            actions: self.action_predictor.forward(hidden),
            key_states,
        }
    }

    /// Number of query tokens.
    pub fn queries(&self) -> usize {
        let table = self.key_state_pos_emb.as_ref();
        table.map_or(0, |table| table.val().dims()[1])
    }

    /// Tokens of the history with positions, `[batch, slots * kinds, width]`.
    fn tokens(&self, windows: &Windows, slots: usize) -> Tensor<3> {
        let [batch, steps] = windows.shape();
        let states = self.state_encoder.forward(windows.states());
        let [_, _, width] = states.dims();
        let (tokens, kinds) = match &self.action_encoder {
            Some(encoder) => {
                let actions = action_tokens(encoder, windows, width);
                (interleave(vec![states, actions]), 2)
            }
            None => (states, 1),
        };
        let tokens = if slots > steps {
            let empty = Tensor::zeros([batch, (slots - steps) * kinds, width], &windows.device());
            Tensor::cat(vec![tokens, empty], 1)
        } else {
            tokens
        };
        let (global, local) = (&self.global_pos_emb, &self.local_pos_emb);
        tokens + positions(global, local, windows.starts(), slots, kinds)
    }

    /// Queries see the history up to the horizon; the history sees what is before it.
    fn sight(&self, [batch, steps]: [usize; 2], history: usize, horizon: Horizon<'_>) -> Sight {
        let queries = self.queries();
        if queries == 0 {
            return Sight::Causal;
        }
        let kinds = 1 + usize::from(self.action_encoder.is_some());
        let row = |sample: usize| {
            let last = match horizon {
                Horizon::Newest => kinds * (steps - 1),
                Horizon::Token(last) => last.get(sample).copied().unwrap_or(0),
            };
            let of_queries = std::iter::repeat_n(queries + last + 1, queries);
            of_queries.chain((0..history).map(move |token| queries + token + 1))
        };
        Sight::First((0..batch).flat_map(row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_network_has_the_published_number_of_parameters() -> Result<(), InfoConError> {
        let config = CotpcConfig::published(51, 8, 200);
        let network = Cotpc::new(&config, &Device::flex())?;
        assert_eq!(network.num_params(), 1_056_315);
        Ok(())
    }
}
