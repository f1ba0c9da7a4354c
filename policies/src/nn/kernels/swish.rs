//! The gated unit of SwishGLU (Shazeer, arXiv 2002.05202): `value * gate * sigmoid(gate)`.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, activation::silu};

use super::flex::{like, plain, primitive, tracked, with_values};
use super::lanes::{exp, for_chunks, widest};
use super::record::record;

/// Rows per parallel piece.
const ROWS: usize = 16;

/// Rows of values and gates side by side, `[batch, tokens, 2 * hidden]`, to `[batch, tokens, hidden]`.
pub fn swish_gate(both: Tensor<3>) -> Tensor<3> {
    on_cpu(&both).unwrap_or_else(|| composed(both))
}

/// The same out of burn's operations.
pub(super) fn composed(both: Tensor<3>) -> Tensor<3> {
    let hidden = both.dims()[2] / 2;
    both.clone().narrow(2, 0, hidden) * silu(both.narrow(2, hidden, hidden))
}

/// `None` if the tensor is not on the CPU.
pub(super) fn on_cpu(both: &Tensor<3>) -> Option<Tensor<3>> {
    let [batch, tokens, width] = both.dims();
    let dims = [batch, tokens, width / 2];
    if !both.is_autodiff() {
        return Some(Tensor::from_primitive::<Flex>(run(&plain(both)?, dims)));
    }
    let both = tracked(both)?;
    let node = both.node();
    let both = both.into_primitive();
    let output = run(&both, dims);
    Some(record([node], SwishBackward, (both, dims[2]), output))
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

fn run(both: &FlexTensor, dims: [usize; 3]) -> FlexTensor {
    let hidden = dims[2];
    let mut output = vec![0.0; dims.iter().product()];
    with_values(both, |both| {
        for_chunks(&mut output, ROWS * hidden.max(1), |index, output| {
            let rows = both[index * ROWS * 2 * hidden..].chunks_exact(2 * hidden);
            for (output, row) in output.chunks_exact_mut(hidden).zip(rows) {
                let (values, gates) = row.split_at(hidden);
                widest(|| {
                    for ((output, value), gate) in output.iter_mut().zip(values).zip(gates) {
                        *output = value * gate * sigmoid(*gate);
                    }
                });
            }
        });
    });
    primitive(output, &dims)
}

#[derive(Debug)]
struct SwishBackward;

impl Backward<Flex, 1> for SwishBackward {
    type State = (FlexTensor, usize);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let [node] = ops.parents;
        let Some(node) = node else { return };
        let (both, hidden) = ops.state;
        let value = with_values(&both, |both| {
            with_values(&grad, |grad| backward(both, grad, hidden))
        });
        grads.register::<Flex>(node.id, like(value, &both));
    }
}

/// Gradient of values and gates from that of the output.
fn backward(both: &[f32], grad: &[f32], hidden: usize) -> Vec<f32> {
    let mut result = vec![0.0; both.len()];
    for_chunks(&mut result, ROWS * 2 * hidden.max(1), |index, result| {
        let rows = both[index * ROWS * 2 * hidden..].chunks_exact(2 * hidden);
        let grads = grad[index * ROWS * hidden..].chunks_exact(hidden);
        let results = result.chunks_exact_mut(2 * hidden);
        for ((result, row), grad) in results.zip(rows).zip(grads) {
            let (values, gates) = row.split_at(hidden);
            let (value_grads, gate_grads) = result.split_at_mut(hidden);
            widest(|| {
                for ((result, gate), grad) in value_grads.iter_mut().zip(gates).zip(grad) {
                    *result = grad * gate * sigmoid(*gate);
                }
            });
            widest(|| {
                let numbers = gate_grads.iter_mut().zip(values).zip(gates).zip(grad);
                for (((result, value), gate), grad) in numbers {
                    let open = sigmoid(*gate);
                    *result = grad * value * open * (1.0 + gate * (1.0 - open));
                }
            });
        }
    });
    result
}
