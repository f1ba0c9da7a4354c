//! Layer norm with a gain and an offset that may differ from sample to sample.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::conv_cpu::sum;
use super::flex::{like, plain, primitive, tracked, with_values};
use super::layer_norm_cpu::LayerShape;
use super::norm::Affine;
use super::record::record;

/// Added to the variance by [`layer_norm`].
pub const EPSILON: f32 = 1e-5;

/// `norm(input) * scale + shift` over the last axis of `[batch, tokens, width]`; the affine tensors
/// are `[batch or 1, width]`; epsilon 1e-5.
pub fn layer_norm(input: Tensor<3>, affine: Affine) -> Tensor<3> {
    layer_norm_with(input, affine, EPSILON)
}

/// As [`layer_norm`] with another epsilon.
pub fn layer_norm_with(input: Tensor<3>, affine: Affine, epsilon: f32) -> Tensor<3> {
    on_cpu(&input, &affine, epsilon).unwrap_or_else(|| composed(input, affine, epsilon))
}

/// The same out of burn's operations.
pub(super) fn composed(input: Tensor<3>, affine: Affine, epsilon: f32) -> Tensor<3> {
    let centred = input.clone() - input.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    centred / (variance + epsilon).sqrt() * affine.scale.unsqueeze_dim(1)
        + affine.shift.unsqueeze_dim(1)
}

/// `None` if the tensors are not on the CPU.
pub(super) fn on_cpu(input: &Tensor<3>, affine: &Affine, epsilon: f32) -> Option<Tensor<3>> {
    let dims = input.dims();
    let shape = LayerShape {
        tokens: dims[1],
        width: dims[2],
        per_sample: affine.scale.dims()[0] > 1,
        epsilon,
    };
    if !input.is_autodiff() && !affine.scale.is_autodiff() && !affine.shift.is_autodiff() {
        let inputs = [plain(input)?, plain(&affine.scale)?, plain(&affine.shift)?];
        let output = run(&inputs, shape, dims);
        return Some(Tensor::from_primitive::<Flex>(output));
    }
    let inputs = [
        tracked(input)?,
        tracked(&affine.scale)?,
        tracked(&affine.shift)?,
    ];
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| input.into_primitive());
    let output = run(&inputs, shape, dims);
    let [input, scale, _] = inputs;
    let state = State {
        input,
        scale,
        shape,
    };
    Some(record(nodes, LayerNormBackward, state, output))
}

fn run([input, scale, shift]: &[FlexTensor; 3], shape: LayerShape, dims: [usize; 3]) -> FlexTensor {
    let output = with_values(input, |input| {
        with_values(scale, |scale| {
            with_values(shift, |shift| shape.forward(input, scale, shift))
        })
    });
    primitive(output, &dims)
}

#[derive(Clone, Debug)]
struct State {
    input: FlexTensor,
    scale: FlexTensor,
    shape: LayerShape,
}

#[derive(Debug)]
struct LayerNormBackward;

/// Parents: input, scale, shift.
impl Backward<Flex, 3> for LayerNormBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State {
            input,
            scale,
            shape,
        } = ops.state;
        let grad = grads.consume::<Flex>(&ops.node);
        let (result, scales, shifts) = with_values(&grad, |grad| {
            with_values(&input, |input| {
                with_values(&scale, |scale| shape.backward(grad, input, scale))
            })
        });
        let [input_node, scale_node, shift_node] = ops.parents;
        if let Some(node) = input_node {
            grads.register::<Flex>(node.id, like(result, &input));
        }
        for (node, parts) in [(scale_node, scales), (shift_node, shifts)] {
            if let Some(node) = node {
                let value = if shape.per_sample {
                    parts.concat()
                } else {
                    sum(parts, shape.width)
                };
                grads.register::<Flex>(node.id, like(value, &scale));
            }
        }
    }
}
