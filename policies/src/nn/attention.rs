//! Multi-head attention with separate projections, causal or not, over itself or over a context.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::{Device, Tensor, TensorData, activation::softmax};

use super::linear::linear;

/// Shape of an [`Attention`].
#[derive(Clone, Debug)]
pub struct AttentionConfig {
    /// Model width; a multiple of `heads`.
    pub width: usize,
    /// Heads.
    pub heads: usize,
    /// Whether query `i` sees keys `0..=i` only. With a context of another length the mask is
    /// aligned at the top left, as in the authors' code: query `i` sees `0..=min(i, keys - 1)`.
    pub causal: bool,
    /// Bias of the output projection (query, key and value always have one).
    pub output_bias: bool,
    /// Dropout of the attention probabilities.
    pub attention_dropout: f64,
    /// Dropout after the output projection.
    pub output_dropout: f64,
}

/// `softmax(q kᵀ / sqrt(head width)) v` per head, then an output projection.
#[derive(Module, Debug)]
pub struct Attention {
    /// Key projection.
    pub key: Linear,
    /// Query projection.
    pub query: Linear,
    /// Value projection.
    pub value: Linear,
    /// Output projection.
    pub c_proj: Linear,
    /// Dropout of the probabilities.
    pub attention_dropout: Dropout,
    /// Dropout of the output.
    pub output_dropout: Dropout,
    /// Heads.
    pub heads: usize,
    /// See [`AttentionConfig::causal`].
    pub causal: bool,
}

/// Projected keys and values, `[batch, heads, tokens, head width]`: constant while the context is.
#[derive(Clone, Debug)]
pub struct KeyValue {
    /// Keys.
    pub key: Tensor<4>,
    /// Values.
    pub value: Tensor<4>,
}

impl KeyValue {
    /// Every row `times` times in a row along the batch: one observation, several noise draws.
    pub fn repeat_interleave(self, times: usize) -> Self {
        Self {
            key: repeat_interleave(self.key, times),
            value: repeat_interleave(self.value, times),
        }
    }
}

/// Every row of the first axis `times` times in a row.
pub fn repeat_interleave<const D: usize>(input: Tensor<D>, times: usize) -> Tensor<D> {
    if times == 1 {
        return input;
    }
    let mut shape = input.dims();
    let flat = shape[1..].iter().product::<usize>();
    let rows = input.reshape([shape[0], 1, flat]).repeat_dim(1, times);
    shape[0] *= times;
    rows.reshape(shape)
}

impl Attention {
    /// Weights from N(0, 0.02²).
    pub fn new(config: &AttentionConfig, device: &Device) -> Self {
        let width = config.width;
        Self {
            key: linear(width, width, true, device),
            query: linear(width, width, true, device),
            value: linear(width, width, true, device),
            c_proj: linear(width, width, config.output_bias, device),
            attention_dropout: DropoutConfig::new(config.attention_dropout).init(),
            output_dropout: DropoutConfig::new(config.output_dropout).init(),
            heads: config.heads,
            causal: config.causal,
        }
    }

    /// Keys and values of a context, `[batch, tokens, width]`.
    pub fn project(&self, context: Tensor<3>) -> KeyValue {
        KeyValue {
            key: self.split(self.key.forward(context.clone())),
            value: self.split(self.value.forward(context)),
        }
    }

    /// Attention of `input` (`[batch, tokens, width]`) over itself; same shape out.
    pub fn over_self(&self, input: Tensor<3>) -> Tensor<3> {
        let context = self.project(input.clone());
        self.over(input, &context)
    }

    /// Attention of `input` (`[batch, tokens, width]`) over projected keys and values.
    pub fn over(&self, input: Tensor<3>, context: &KeyValue) -> Tensor<3> {
        let [batch, queries, width] = input.dims();
        let [_, _, keys, head] = context.key.dims();
        let query = self.split(self.query.forward(input));
        let scale = (head as f64).sqrt().recip();
        let mut scores = query.matmul(context.key.clone().swap_dims(2, 3)) * scale;
        if self.causal {
            scores = scores.clone() + causal_bias(queries, keys, &scores.device());
        }
        let weights = self.attention_dropout.forward(softmax(scores, 3));
        let mixed = weights
            .matmul(context.value.clone())
            .swap_dims(1, 2)
            .reshape([batch, queries, width]);
        self.output_dropout.forward(self.c_proj.forward(mixed))
    }

    fn split(&self, input: Tensor<3>) -> Tensor<4> {
        let [batch, tokens, width] = input.dims();
        input
            .reshape([batch, tokens, self.heads, width / self.heads])
            .swap_dims(1, 2)
    }
}

/// Zero where query `i` may see key `j`, minus infinity elsewhere: `[1, 1, queries, keys]`.
fn causal_bias(queries: usize, keys: usize, device: &Device) -> Tensor<4> {
    let values = (0..queries)
        .flat_map(|i| (0..keys).map(move |j| if j <= i { 0.0 } else { f32::NEG_INFINITY }))
        .collect::<Vec<f32>>();
    Tensor::from_data(TensorData::new(values, [1, 1, queries, keys]), device)
}
