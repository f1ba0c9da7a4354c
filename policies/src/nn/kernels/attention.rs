//! Softmax attention between projected rows.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::attention_cpu::{AttentionShape, Layout, Sight};
use super::flex::{like, plain, primitive, tracked, with_values};
use super::record::record;

/// Attention over oneself: `rows` are `[batch, tokens, 3 * width]` (query, key, value) and the result
/// is `[batch, tokens, width]`. `None` if the tensor is not on the CPU.
pub fn attend_self(rows: &Tensor<3>, heads: usize, sight: Sight) -> Option<Tensor<3>> {
    let [batch, tokens, three] = rows.dims();
    let width = three / 3;
    let shape = AttentionShape {
        batch,
        share: 1,
        queries: tokens,
        keys: tokens,
        heads,
        width,
        sight,
    };
    let at = Layout {
        query_row: three,
        key_row: three,
        key_start: width,
    };
    let run = |rows: &FlexTensor| with_values(rows, |rows| shape.forward(rows, rows, at));
    let dims = [batch, tokens, width];
    if !rows.is_autodiff() {
        let (mixed, _) = run(&plain(rows)?);
        return Some(Tensor::from_primitive::<Flex>(primitive(mixed, &dims)));
    }
    let rows = tracked(rows)?;
    let node = rows.node();
    let rows = rows.into_primitive();
    let (mixed, weights) = run(&rows);
    let state = SelfState {
        rows,
        weights: flat(weights),
        shape,
        at,
    };
    Some(record([node], SelfBackward, state, primitive(mixed, &dims)))
}

/// Attention over a context: `query` is `[batch, queries, width]`, `context` `[samples, keys,
/// 2 * width]` (key, value), where `batch` is a multiple of `samples` and consecutive queries share
/// a context. `None` if the tensors are not on the CPU.
pub fn attend_cross(
    query: &Tensor<3>,
    context: &Tensor<3>,
    heads: usize,
    sight: Sight,
) -> Option<Tensor<3>> {
    let dims = query.dims();
    let [batch, queries, width] = dims;
    let [samples, keys, two] = context.dims();
    let shape = AttentionShape {
        batch,
        share: batch / samples.max(1),
        queries,
        keys,
        heads,
        width,
        sight,
    };
    let at = Layout {
        query_row: width,
        key_row: two,
        key_start: 0,
    };
    let run = |query: &FlexTensor, context: &FlexTensor| {
        with_values(query, |query| {
            with_values(context, |context| shape.forward(query, context, at))
        })
    };
    if !query.is_autodiff() && !context.is_autodiff() {
        let (mixed, _) = run(&plain(query)?, &plain(context)?);
        return Some(Tensor::from_primitive::<Flex>(primitive(mixed, &dims)));
    }
    let (query, context) = (tracked(query)?, tracked(context)?);
    let nodes = [query.node(), context.node()];
    let (query, context) = (query.into_primitive(), context.into_primitive());
    let (mixed, weights) = run(&query, &context);
    let state = CrossState {
        query,
        context,
        weights: flat(weights),
        shape,
        at,
    };
    Some(record(nodes, CrossBackward, state, primitive(mixed, &dims)))
}

/// Cheap to clone, as the tape needs.
fn flat(values: Vec<f32>) -> FlexTensor {
    let len = values.len();
    primitive(values, &[len])
}

#[derive(Clone, Debug)]
struct SelfState {
    rows: FlexTensor,
    weights: FlexTensor,
    shape: AttentionShape,
    at: Layout,
}

#[derive(Debug)]
struct SelfBackward;

impl Backward<Flex, 1> for SelfBackward {
    type State = SelfState;

    fn backward(self, ops: Ops<SelfState, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let SelfState {
            rows,
            weights,
            shape,
            at,
        } = ops.state;
        let grad = grads.consume::<Flex>(&ops.node);
        let [node] = ops.parents;
        let Some(node) = node else { return };
        let value = with_values(&grad, |grad| {
            with_values(&rows, |rows| {
                with_values(&weights, |weights| {
                    shape.backward_self(grad, rows, weights, at)
                })
            })
        });
        grads.register::<Flex>(node.id, like(value, &rows));
    }
}

#[derive(Clone, Debug)]
struct CrossState {
    query: FlexTensor,
    context: FlexTensor,
    weights: FlexTensor,
    shape: AttentionShape,
    at: Layout,
}

#[derive(Debug)]
struct CrossBackward;

/// Parents: queries, context.
impl Backward<Flex, 2> for CrossBackward {
    type State = CrossState;

    fn backward(self, ops: Ops<CrossState, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let CrossState {
            query,
            context,
            weights,
            shape,
            at,
        } = ops.state;
        let grad = grads.consume::<Flex>(&ops.node);
        let (query_grad, context_grad) = with_values(&grad, |grad| {
            with_values(&query, |query| {
                with_values(&context, |context| {
                    with_values(&weights, |weights| {
                        shape.backward_cross(grad, query, context, weights, at)
                    })
                })
            })
        });
        let [query_node, context_node] = ops.parents;
        if let Some(node) = query_node {
            grads.register::<Flex>(node.id, like(query_grad, &query));
        }
        if let Some(node) = context_node {
            grads.register::<Flex>(node.id, like(context_grad, &context));
        }
    }
}
