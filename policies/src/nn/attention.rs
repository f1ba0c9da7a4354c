//! Multi-head attention with separate projections, causal or not, over itself or over a context.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::{Device, Int, Tensor, TensorData, activation::softmax};

use super::kernels::{attend_cross, attend_self};

pub use super::kernels::Sight;
use super::linear::{dense, dense_joined, linear};

/// Tokens from which on matrix products are faster than the fused kernel, whose scores leave the
/// cache by then.
const LONG: usize = 128;

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

/// Keys and values of a context side by side, `[samples, tokens, 2 * width]`: constant while the
/// context is.
#[derive(Clone, Debug)]
pub struct KeyValue(pub Tensor<3>);

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

    /// Keys and values of a context, `[samples, tokens, width]`.
    pub fn project(&self, context: Tensor<3>) -> KeyValue {
        KeyValue(dense_joined(&[&self.key, &self.value], context))
    }

    /// Attention of `input` (`[batch, tokens, width]`) over itself; same shape out.
    pub fn over_self(&self, input: Tensor<3>) -> Tensor<3> {
        self.over_self_seeing(input, Sight::causal(self.causal))
    }

    /// As [`Attention::over_self`], where tokens see what is given.
    pub fn over_self_seeing(&self, input: Tensor<3>, sight: Sight) -> Tensor<3> {
        let rows = dense_joined(&[&self.query, &self.key, &self.value], input);
        let mixed = attend_rows(rows, self.heads, sight, self.active_dropout());
        self.output_dropout.forward(dense(&self.c_proj, mixed))
    }

    /// Attention of `input` (`[batch, tokens, width]`) over projected keys and values, where
    /// `batch` is a multiple of the context's samples and consecutive rows share one.
    pub fn over(&self, input: Tensor<3>, context: &KeyValue) -> Tensor<3> {
        self.over_seeing(input, context, Sight::causal(self.causal))
    }

    /// As [`Attention::over`], where tokens see what is given.
    pub fn over_seeing(&self, input: Tensor<3>, context: &KeyValue, sight: Sight) -> Tensor<3> {
        let query = dense(&self.query, input);
        let mixed = attend_context(query, context, self.heads, sight, self.active_dropout());
        self.output_dropout.forward(dense(&self.c_proj, mixed))
    }

    fn active_dropout(&self) -> Option<&Dropout> {
        let dropout = &self.attention_dropout;
        (dropout.prob > 0.0 && dropout.training.is_enabled()).then_some(dropout)
    }
}

/// Attention of projected queries, `[batch, tokens, width]`, over a context; see [`Attention::over`].
pub(crate) fn attend_context(
    query: Tensor<3>,
    context: &KeyValue,
    heads: usize,
    sight: Sight,
    dropout: Option<&Dropout>,
) -> Tensor<3> {
    let fused = match dropout {
        None => attend_cross(&query, &context.0, heads, sight.clone()),
        Some(_) => None,
    };
    fused.unwrap_or_else(|| {
        let width = query.dims()[2];
        let times = query.dims()[0] / context.0.dims()[0].max(1);
        let context = repeat_interleave(context.0.clone(), times);
        let key = context.clone().narrow(2, 0, width);
        let value = context.narrow(2, width, width);
        composed([query, key, value], heads, sight, dropout)
    })
}

/// Attention over oneself from rows of query, key and value, `[batch, tokens, 3 * width]`.
pub(crate) fn attend_rows(
    rows: Tensor<3>,
    heads: usize,
    sight: Sight,
    dropout: Option<&Dropout>,
) -> Tensor<3> {
    let long = rows.dims()[1] >= LONG && !rows.is_autodiff();
    let fused = match dropout {
        None if !long => attend_self(&rows, heads, sight.clone()),
        _ => None,
    };
    fused.unwrap_or_else(|| {
        let width = rows.dims()[2] / 3;
        let part = |i: usize| rows.clone().narrow(2, i * width, width);
        composed([part(0), part(1), part(2)], heads, sight, dropout)
    })
}

/// Attention out of burn's operations; query, key and value are `[batch, tokens, width]`.
pub(super) fn composed(
    parts: [Tensor<3>; 3],
    heads: usize,
    sight: Sight,
    dropout: Option<&Dropout>,
) -> Tensor<3> {
    let [batch, queries, _] = parts[0].dims();
    let keys = parts[1].dims()[1];
    let device = parts[0].device();
    let bias = match sight {
        Sight::All => None,
        Sight::Causal => Some(causal_bias(queries, keys, &device)),
        Sight::First(seen) => Some(first_bias(&seen, [batch, queries, keys], &device)),
    };
    attend_biased(parts, heads, bias, dropout)
}

/// As [`composed`], with `bias` (`[batch or 1, 1, queries or 1, keys]`) added to the scores.
pub(crate) fn attend_biased(
    parts: [Tensor<3>; 3],
    heads: usize,
    bias: Option<Tensor<4>>,
    dropout: Option<&Dropout>,
) -> Tensor<3> {
    let [batch, queries, width] = parts[0].dims();
    let head = width / heads;
    let [query, key, value] = parts.map(|part| -> Tensor<4> {
        let [batch, tokens, _] = part.dims();
        part.reshape([batch, tokens, heads, head]).swap_dims(1, 2)
    });
    let mut scores = query.matmul(key.swap_dims(2, 3)) * (head as f64).sqrt().recip();
    if let Some(bias) = bias {
        scores = scores + bias;
    }
    let mut weights = softmax(scores, 3);
    if let Some(dropout) = dropout {
        weights = dropout.forward(weights);
    }
    weights
        .matmul(value)
        .swap_dims(1, 2)
        .reshape([batch, queries, width])
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

/// Zero where a key may be seen, minus infinity elsewhere: `[batch, 1, 1, keys]` from one switch per
/// sample and key.
pub(crate) fn key_bias(seen: &[bool], batch: usize, device: &Device) -> Tensor<4> {
    let values = seen
        .iter()
        .map(|&seen| if seen { 0.0 } else { f32::NEG_INFINITY })
        .collect::<Vec<f32>>();
    let keys = values.len() / batch.max(1);
    Tensor::from_data(TensorData::new(values, [batch, 1, 1, keys]), device)
}

/// Zero where query `i` may see key `j`, minus infinity elsewhere: `[1, 1, queries, keys]`.
fn causal_bias(queries: usize, keys: usize, device: &Device) -> Tensor<4> {
    let values = (0..queries)
        .flat_map(|i| (0..keys).map(move |j| if j <= i { 0.0 } else { f32::NEG_INFINITY }))
        .collect::<Vec<f32>>();
    Tensor::from_data(TensorData::new(values, [1, 1, queries, keys]), device)
}

/// Zero where a query of a sample may see a key, minus infinity elsewhere: `[batch, 1, queries,
/// keys]`.
fn first_bias(seen: &[usize], shape: [usize; 3], device: &Device) -> Tensor<4> {
    let [batch, queries, keys] = shape;
    let seen = seen.iter().map(|&seen| seen as i64).collect::<Vec<_>>();
    let seen = TensorData::new(seen, [batch, 1, queries, 1]);
    let seen: Tensor<4, Int> = Tensor::from_data(seen, device);
    let keys_at: Tensor<1, Int> = Tensor::arange(0..keys as i64, device);
    let shape = [batch, 1, queries, keys];
    let hidden = keys_at
        .reshape([1, 1, 1, keys])
        .expand(shape)
        .greater_equal(seen.expand(shape));
    Tensor::zeros(shape, device).mask_fill(hidden, f32::NEG_INFINITY)
}
