//! Softmax attention on the CPU, one sample at a time: sequences are short, so scores stay in cache.

use std::sync::Arc;

use pulp::NullaryFnOnce;
use rayon::prelude::*;

use super::lanes::{add_scaled, dot, exp, widest};

/// Which keys a query sees: always the first of them, up to some number.
#[derive(Clone, Debug)]
pub enum Sight {
    /// All.
    All,
    /// Query `i` sees keys `0..=i`.
    Causal,
    /// As many as stands here for every sample and query, row-major.
    First(Arc<[usize]>),
}

impl Sight {
    /// [`Sight::Causal`] or [`Sight::All`].
    pub const fn causal(causal: bool) -> Self {
        if causal { Self::Causal } else { Self::All }
    }
}

/// Sizes of an attention over rows that hold several vectors side by side.
#[derive(Clone, Debug)]
pub struct AttentionShape {
    /// Samples of queries.
    pub batch: usize,
    /// Samples of queries per sample of keys.
    pub share: usize,
    /// Query tokens.
    pub queries: usize,
    /// Key tokens.
    pub keys: usize,
    /// Heads.
    pub heads: usize,
    /// Width of queries, keys and values.
    pub width: usize,
    /// Which keys queries see.
    pub sight: Sight,
}

/// Where queries, keys and values lie in their rows.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Numbers in a row of queries.
    pub query_row: usize,
    /// Numbers in a row of keys and values.
    pub key_row: usize,
    /// Start of the keys in their row; values follow.
    pub key_start: usize,
}

impl AttentionShape {
    const fn head(&self) -> usize {
        self.width / self.heads
    }
    fn scale(&self) -> f32 {
        (self.head() as f32).sqrt().recip()
    }
    const fn scores(&self) -> usize {
        self.heads * self.queries * self.keys
    }
    fn seen(&self, sample: usize, query: usize) -> usize {
        let seen = match &self.sight {
            Sight::All => self.keys,
            Sight::Causal => query + 1,
            Sight::First(seen) => seen
                .get(sample * self.queries + query)
                .copied()
                .unwrap_or(self.keys),
        };
        seen.min(self.keys)
    }

    /// Mixed values, `batch, queries, width`, and the weights, `batch, heads, queries, keys`.
    pub fn forward(&self, query: &[f32], key: &[f32], at: Layout) -> (Vec<f32>, Vec<f32>) {
        let mut mixed = vec![0.0; self.batch * self.queries * self.width];
        let mut weights = vec![0.0; self.batch * self.scores()];
        let one = |index: usize, mixed: &mut [f32], weights: &mut [f32]| {
            let query = &query[index * self.queries * at.query_row..];
            let key = &key[index / self.share * self.keys * at.key_row..];
            widest(ForwardSample {
                shape: self,
                sample: index,
                query,
                key,
                at,
                mixed,
                weights,
            });
        };
        let (mixed_len, weights_len) = (self.queries * self.width, self.scores());
        if self.batch == 1 {
            one(0, &mut mixed, &mut weights);
        } else {
            mixed
                .par_chunks_exact_mut(mixed_len)
                .zip(weights.par_chunks_exact_mut(weights_len))
                .enumerate()
                .for_each(|(index, (mixed, weights))| one(index, mixed, weights));
        }
        (mixed, weights)
    }

    /// One sample into memory of the caller: mixed values, `queries, width`, and room for the
    /// weights, `heads, queries, keys`.
    pub fn mix(
        &self,
        query: &[f32],
        key: &[f32],
        at: Layout,
        mixed: &mut [f32],
        weights: &mut Vec<f32>,
    ) {
        mixed.fill(0.0);
        weights.resize(self.scores(), 0.0);
        widest(ForwardSample {
            shape: self,
            sample: 0,
            query,
            key,
            at,
            mixed,
            weights,
        });
    }

    /// Gradients of queries and of keys and values, when they are different tensors.
    pub fn backward_cross(
        &self,
        grad: &[f32],
        query: &[f32],
        key: &[f32],
        weights: &[f32],
        at: Layout,
    ) -> (Vec<f32>, Vec<f32>) {
        let mut query_grad = vec![0.0; query.len()];
        let mut key_grad = vec![0.0; key.len()];
        let (query_len, key_len) = (self.queries * at.query_row, self.keys * at.key_row);
        query_grad
            .par_chunks_exact_mut(query_len * self.share)
            .zip(key_grad.par_chunks_exact_mut(key_len))
            .enumerate()
            .for_each(|(sample, (query_grad, key_grad))| {
                let mut scores = vec![0.0; self.keys];
                let key = &key[sample * key_len..];
                for (draw, query_grad) in query_grad.chunks_exact_mut(query_len).enumerate() {
                    let index = sample * self.share + draw;
                    let grad = &grad[index * self.queries * self.width..];
                    let query = &query[index * query_len..];
                    let weights = &weights[index * self.scores()..];
                    widest(BackwardSample {
                        shape: self,
                        sample: index,
                        grad,
                        query,
                        key,
                        weights,
                        at,
                        query_grad,
                        key_grad,
                        scores: &mut scores,
                    });
                }
            });
        (query_grad, key_grad)
    }

    /// Gradient of rows that hold queries, keys and values.
    pub fn backward_self(
        &self,
        grad: &[f32],
        rows: &[f32],
        weights: &[f32],
        at: Layout,
    ) -> Vec<f32> {
        let mut rows_grad = vec![0.0; rows.len()];
        let len = self.queries * at.query_row;
        rows_grad
            .par_chunks_exact_mut(len)
            .enumerate()
            .for_each(|(index, rows_grad)| {
                let mut scores = vec![0.0; self.keys];
                // Queries' part apart, since one slice cannot be written through two names.
                let mut query_grad = vec![0.0; len];
                let rows = &rows[index * len..];
                let grad = &grad[index * self.queries * self.width..];
                let weights = &weights[index * self.scores()..];
                widest(BackwardSample {
                    shape: self,
                    sample: index,
                    grad,
                    query: rows,
                    key: rows,
                    weights,
                    at,
                    query_grad: &mut query_grad,
                    key_grad: rows_grad,
                    scores: &mut scores,
                });
                widest(|| add_scaled(rows_grad, 1.0, &query_grad));
            });
        rows_grad
    }
}

/// Mixed values and weights of one sample.
struct ForwardSample<'a> {
    shape: &'a AttentionShape,
    sample: usize,
    query: &'a [f32],
    key: &'a [f32],
    at: Layout,
    mixed: &'a mut [f32],
    weights: &'a mut [f32],
}

impl NullaryFnOnce for ForwardSample<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            shape,
            sample,
            query,
            key,
            at,
            mixed,
            weights,
        } = self;
        let (head, scale) = (shape.head(), shape.scale());
        for h in 0..shape.heads {
            for i in 0..shape.queries {
                let seen = shape.seen(sample, i);
                let q = &query[i * at.query_row + h * head..][..head];
                let row = &mut weights[(h * shape.queries + i) * shape.keys..][..seen];
                let mut most = f32::NEG_INFINITY;
                for (j, score) in row.iter_mut().enumerate() {
                    let k = &key[j * at.key_row + at.key_start + h * head..][..head];
                    *score = dot(q, k) * scale;
                    most = most.max(*score);
                }
                let mut total = 0.0;
                for score in row.iter_mut() {
                    *score = exp(*score - most);
                    total += *score;
                }
                let out = &mut mixed[i * shape.width + h * head..][..head];
                for (j, weight) in row.iter_mut().enumerate() {
                    *weight /= total;
                    let v = &key[j * at.key_row + at.key_start + shape.width + h * head..][..head];
                    add_scaled(out, *weight, v);
                }
            }
        }
    }
}

/// Adds the gradients of one sample of queries to `query_grad` (its rows) and `key_grad`.
struct BackwardSample<'a> {
    shape: &'a AttentionShape,
    sample: usize,
    grad: &'a [f32],
    query: &'a [f32],
    key: &'a [f32],
    weights: &'a [f32],
    at: Layout,
    query_grad: &'a mut [f32],
    key_grad: &'a mut [f32],
    /// Room for one number per key.
    scores: &'a mut [f32],
}

impl NullaryFnOnce for BackwardSample<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            shape,
            sample,
            grad,
            query,
            key,
            weights,
            at,
            query_grad,
            key_grad,
            scores,
        } = self;
        let (head, scale, width) = (shape.head(), shape.scale(), shape.width);
        for h in 0..shape.heads {
            for i in 0..shape.queries {
                let seen = shape.seen(sample, i);
                let q = &query[i * at.query_row + h * head..][..head];
                let out = &grad[i * width + h * head..][..head];
                let row = &weights[(h * shape.queries + i) * shape.keys..][..seen];
                let mut common = 0.0;
                for (j, (weight, score)) in row.iter().zip(scores.iter_mut()).enumerate() {
                    let start = j * at.key_row + at.key_start + width + h * head;
                    *score = dot(out, &key[start..][..head]);
                    common += weight * *score;
                    add_scaled(&mut key_grad[start..][..head], *weight, out);
                }
                let q_grad = &mut query_grad[i * at.query_row + h * head..][..head];
                for (j, (weight, score)) in row.iter().zip(scores.iter()).enumerate() {
                    let slope = weight * (score - common) * scale;
                    let start = j * at.key_row + at.key_start + h * head;
                    add_scaled(q_grad, slope, &key[start..][..head]);
                    add_scaled(&mut key_grad[start..][..head], slope, q);
                }
            }
        }
    }
}
