//! A gated residual branch: `trunk + branch * gate`.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::flex::{plain, primitive, tracked, with_values};
use super::lanes::{for_chunks, widest};
use super::record::record;

/// `trunk` and `branch` are `[batch, tokens, width]`, `gate` is `[batch or 1, 1, width]`.
pub fn gated_residual(trunk: Tensor<3>, branch: Tensor<3>, gate: Tensor<3>) -> Tensor<3> {
    on_cpu(&trunk, &branch, &gate).unwrap_or_else(|| trunk + branch * gate)
}

pub(super) fn on_cpu(trunk: &Tensor<3>, branch: &Tensor<3>, gate: &Tensor<3>) -> Option<Tensor<3>> {
    let dims = trunk.dims();
    let shared = gate.dims()[0] == 1;
    if !trunk.is_autodiff() && !branch.is_autodiff() && !gate.is_autodiff() {
        let inputs = [plain(trunk)?, plain(branch)?, plain(gate)?];
        return Some(Tensor::from_primitive::<Flex>(run(&inputs, dims, shared)));
    }
    let inputs = [tracked(trunk)?, tracked(branch)?, tracked(gate)?];
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| input.into_primitive());
    let output = run(&inputs, dims, shared);
    let [_, branch, gate] = inputs;
    let state = State {
        branch,
        gate,
        dims,
        shared,
    };
    Some(record(nodes, ResidualBackward, state, output))
}

fn run([trunk, branch, gate]: &[FlexTensor; 3], dims: [usize; 3], shared: bool) -> FlexTensor {
    let [batch, tokens, width] = dims;
    let mut output = vec![0.0; batch * tokens * width];
    with_values(trunk, |trunk| {
        with_values(branch, |branch| {
            with_values(gate, |gate| {
                for_chunks(&mut output, tokens * width, |index, output| {
                    let start = index * tokens * width;
                    let gate = &gate[if shared { 0 } else { index * width }..][..width];
                    let rows = output
                        .chunks_exact_mut(width)
                        .zip(trunk[start..].chunks_exact(width))
                        .zip(branch[start..].chunks_exact(width));
                    widest(|| {
                        for ((output, trunk), branch) in rows {
                            for (((output, trunk), branch), gate) in
                                output.iter_mut().zip(trunk).zip(branch).zip(gate)
                            {
                                *output = trunk + branch * gate;
                            }
                        }
                    });
                });
            });
        });
    });
    primitive(output, &dims)
}

#[derive(Clone, Debug)]
struct State {
    branch: FlexTensor,
    gate: FlexTensor,
    dims: [usize; 3],
    shared: bool,
}

#[derive(Debug)]
struct ResidualBackward;

/// Parents: trunk, branch, gate.
impl Backward<Flex, 3> for ResidualBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State {
            branch,
            gate,
            dims,
            shared,
        } = ops.state;
        let [batch, tokens, width] = dims;
        let grad = grads.consume::<Flex>(&ops.node);
        let [trunk_node, branch_node, gate_node] = ops.parents;
        if let Some(node) = gate_node {
            let mut value = vec![0.0; batch * width];
            with_values(&grad, |grad| {
                with_values(&branch, |branch| {
                    for_chunks(&mut value, width, |index, value| {
                        let start = index * tokens * width;
                        let rows = grad[start..start + tokens * width]
                            .chunks_exact(width)
                            .zip(branch[start..].chunks_exact(width));
                        widest(|| {
                            for (grad, branch) in rows {
                                for ((value, grad), branch) in
                                    value.iter_mut().zip(grad).zip(branch)
                                {
                                    *value += grad * branch;
                                }
                            }
                        });
                    });
                });
            });
            if shared {
                value = super::conv_cpu::sum(
                    value.chunks_exact(width).map(<[f32]>::to_vec).collect(),
                    width,
                );
            }
            let rows = value.len() / width;
            grads.register::<Flex>(node.id, primitive(value, &[rows, 1, width]));
        }
        if let Some(node) = branch_node {
            let zero = primitive(vec![0.0; batch * tokens * width], &dims);
            let value = run(&[zero, grad.clone(), gate], dims, shared);
            grads.register::<Flex>(node.id, value);
        }
        if let Some(node) = trunk_node {
            grads.register::<Flex>(node.id, grad);
        }
    }
}
