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

/// What the network predicts.
#[derive(Clone, Debug)]
pub struct CotPrediction {
    /// The action in every state that was asked for, `[batch, steps or 1, action_dim]`.
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

    /// Predictions in all states of windows, as in training. The queries of a window see its
    /// history up to the token in `horizon`, which is drawn, so that key states are predicted from
    /// beginnings of any length. Short windows leave empty slots to their right.
    pub fn forward(&self, windows: &Windows, horizon: &[usize]) -> CotPrediction {
        let [batch, steps] = windows.shape();
        let (queries, kinds) = (self.queries(), self.kinds());
        let slots = self.context.max(steps);
        let seen = |sample: usize| horizon.get(sample).copied().unwrap_or(0);
        let sight = self.sight(batch, slots * kinds, seen);
        let mut tokens = self.tokens(windows, slots);
        let mut of_queries = Vec::with_capacity(self.blocks.block_list.len());
        for block in &self.blocks.block_list {
            tokens = block.forward_seeing(tokens, sight.clone());
            of_queries.push(self.of_queries(&tokens));
        }
        let history = tokens.narrow(1, queries, steps * kinds);
        let hidden = self.ln.forward(of_kind(history, 0, kinds));
        CotPrediction {
            actions: self.action_predictor.forward(hidden),
            key_states: self.key_states(&of_queries),
        }
    }

    /// The prediction in the newest state alone, while acting: queries see the whole history.
    pub fn newest(&self, windows: &Windows) -> CotPrediction {
        let [batch, steps] = windows.shape();
        let (queries, kinds) = (self.queries(), self.kinds());
        // The newest state is the last token: no one sees the open slot of its action.
        let newest = kinds * (steps - 1);
        let mut tokens = self
            .tokens(windows, steps)
            .narrow(1, 0, queries + newest + 1);
        let sight = self.sight(batch, newest + 1, |_| newest);
        let blocks = self.blocks.block_list.len();
        let mut of_queries = Vec::with_capacity(blocks);
        for (index, block) in self.blocks.block_list.iter().enumerate() {
            let read = self.key_state_layers.contains(&index);
            tokens = if index + 1 == blocks && !read {
                block.forward_last(tokens)
            } else {
                block.forward_seeing(tokens, sight.clone())
            };
            of_queries.push(if read { self.of_queries(&tokens) } else { None });
        }
        let [_, count, _] = tokens.dims();
        let tokens = tokens.narrow(1, count - 1, 1);
        CotPrediction {
            actions: self.action_predictor.forward(self.ln.forward(tokens)),
            key_states: self.key_states(&of_queries),
        }
    }

    /// The query tokens of a sequence; `None` without any.
    fn of_queries(&self, tokens: &Tensor<3>) -> Option<Tensor<3>> {
        let queries = self.queries();
        (queries > 0).then(|| tokens.clone().narrow(1, 0, queries))
    }

    /// Key states by every predictor, from the query tokens after every block.
    fn key_states(&self, of_queries: &[Option<Tensor<3>>]) -> Vec<Tensor<3>> {
        let predictors = self.key_state_predictors.iter();
        let read = predictors.zip(&self.key_state_layers);
        let predict = |(predictor, &layer): (&ReluMlp, &usize)| {
            let hidden = of_queries.get(layer)?.clone()?;
            Some(predictor.forward(hidden))
        };
        read.filter_map(predict).collect()
    }

    /// Tokens per step.
    fn kinds(&self) -> usize {
        1 + usize::from(self.action_encoder.is_some())
    }

    /// Number of query tokens.
    pub fn queries(&self) -> usize {
        let table = self.key_state_pos_emb.as_ref();
        table.map_or(0, |table| table.val().dims()[1])
    }

    /// Queries, then the history with positions: `[batch, queries + slots * kinds, width]`.
    fn tokens(&self, windows: &Windows, slots: usize) -> Tensor<3> {
        let [batch, steps] = windows.shape();
        let states = self.state_encoder.forward(windows.states());
        let [_, _, width] = states.dims();
        let (mut history, kinds) = match &self.action_encoder {
            Some(encoder) => {
                let actions = action_tokens(encoder, windows, width);
                (interleave(vec![states, actions]), 2)
            }
            None => (states, 1),
        };
        if slots > steps {
            let empty = Tensor::zeros([batch, (slots - steps) * kinds, width], &windows.device());
            history = Tensor::cat(vec![history, empty], 1);
        }
        let (global, local) = (&self.global_pos_emb, &self.local_pos_emb);
        let history = history + positions(global, local, windows.starts(), slots, kinds);
        match &self.key_state_pos_emb {
            Some(queries) => Tensor::cat(vec![repeat_interleave(queries.val(), batch), history], 1),
            None => history,
        }
    }

    /// Queries see each other and the history up to a token that may differ between samples; the
    /// history sees what is before it.
    fn sight(&self, batch: usize, history: usize, horizon: impl Fn(usize) -> usize) -> Sight {
        let queries = self.queries();
        if queries == 0 {
            return Sight::Causal;
        }
        let row = |sample: usize| {
            let of_queries = std::iter::repeat_n(queries + horizon(sample) + 1, queries);
            of_queries.chain((0..history).map(move |token| queries + token + 1))
        };
        Sight::First((0..batch).flat_map(row).collect())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    #[test]
    fn the_published_network_has_the_published_number_of_parameters() -> Result<(), InfoConError> {
        let config = CotpcConfig::published(51, 8, 200);
        let network = Cotpc::new(&config, &Device::flex())?;
        assert_eq!(network.num_params(), 1_056_315);
        Ok(())
    }

    /// With and without actions and key states, the latter read from the first and the last block.
    #[test]
    fn acting_is_training_with_the_horizon_at_the_newest_state() -> Result<(), InfoConError> {
        let device = Device::flex();
        for (actions, key_states) in [(false, 0), (true, 0), (false, 2), (true, 2)] {
            let config = CotpcConfig {
                width: 8,
                heads: 2,
                layers: 2,
                hidden: 8,
                context: 4,
                actions,
                key_states,
                key_state_layers: vec![0, 1],
                key_state_hidden: 4,
                ..CotpcConfig::published(3, 2, 9)
            };
            for layers in [vec![0], vec![0, 1]] {
                let config = CotpcConfig {
                    key_state_layers: layers,
                    ..config.clone()
                };
                let network = Cotpc::new(&config, &device)?;
                let random = |shape: [usize; 3]| -> Tensor<3> {
                    Tensor::random(shape, Distribution::Normal(0.0, 9.0), &device)
                };
                for steps in [1, 3, 4] {
                    let actions = Some(random([2, steps, 2]));
                    let windows = config.windows(random([2, steps, 3]), actions, vec![0, 5])?;
                    let horizon = [config.kinds() * (steps - 1); 2];
                    let all = network.forward(&windows, &horizon);
                    let one = network.newest(&windows);
                    close(all.actions.narrow(1, steps - 1, 1), one.actions);
                    assert_eq!(all.key_states.len(), one.key_states.len());
                    for (all, one) in all.key_states.into_iter().zip(one.key_states) {
                        close(all, one);
                    }
                }
            }
        }
        Ok(())
    }

    fn close(a: Tensor<3>, b: Tensor<3>) {
        assert_eq!(a.dims(), b.dims());
        for (a, b) in crate::host::values(a)
            .into_iter()
            .zip(crate::host::values(b))
        {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}
