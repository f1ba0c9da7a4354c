//! Group norm of channels-last images with what follows it in a residual block.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::{Flex, flex::FlexTensor};
use burn::tensor::{Tensor, activation::relu};

use super::flex::{plain, primitive, tracked, with_values};
use super::norm_cpu::{Moments, NormShape};
use super::record::record;

/// Scale and shift after the norm, `[1 or batch, channels]`.
#[derive(Clone, Debug)]
pub struct Affine {
    /// Factor.
    pub scale: Tensor<2>,
    /// Summand.
    pub shift: Tensor<2>,
}

/// `norm(images) * scale + shift (+ shortcut)`, negative results cut off if `cut`. Images and
/// shortcut are `[batch, height, width, channels]`; the norm's epsilon is 1e-5.
///
/// If `affine` has more rows than there are images, the further ones belong to the first images once
/// more, whose outputs follow those of all images.
pub fn group_norm(
    images: Tensor<4>,
    groups: usize,
    affine: Affine,
    shortcut: Option<Tensor<4>>,
    cut: bool,
) -> Tensor<4> {
    on_cpu(&images, groups, &affine, shortcut.as_ref(), cut)
        .unwrap_or_else(|| composed(images, groups, affine, shortcut, cut))
}

/// Images that appear twice; one row of `affine` belongs to all.
fn again(images: usize, affine: &Affine) -> usize {
    match affine.scale.dims()[0] {
        1 => 0,
        rows => rows.saturating_sub(images),
    }
}

/// The same out of burn's operations.
pub(super) fn composed(
    images: Tensor<4>,
    groups: usize,
    affine: Affine,
    shortcut: Option<Tensor<4>>,
    cut: bool,
) -> Tensor<4> {
    let [batch, height, width, channels] = images.dims();
    let grouped = images.reshape([batch, height * width, groups, channels / groups]);
    let centred = grouped.clone() - grouped.mean_dims(&[1, 3]);
    let variance = centred.clone().square().mean_dims(&[1, 3]);
    let normal = (centred / (variance + 1e-5).sqrt()).reshape([batch, height, width, channels]);
    let wide = |tensor: Tensor<2>| -> Tensor<4> {
        let [rows, channels] = tensor.dims();
        tensor.reshape([rows, 1, 1, channels])
    };
    let again = again(batch, &affine);
    let twice = |tensor: Tensor<4>| match again {
        0 => tensor,
        again => Tensor::cat(vec![tensor.clone(), tensor.narrow(0, 0, again)], 0),
    };
    let mut out = twice(normal) * wide(affine.scale) + wide(affine.shift);
    if let Some(shortcut) = shortcut {
        out = out + twice(shortcut);
    }
    if cut { relu(out) } else { out }
}

/// `None` if the tensors are not on the CPU.
pub(super) fn on_cpu(
    images: &Tensor<4>,
    groups: usize,
    affine: &Affine,
    shortcut: Option<&Tensor<4>>,
    cut: bool,
) -> Option<Tensor<4>> {
    let dims = images.dims();
    let [batch, height, width, channels] = dims;
    let shape = NormShape {
        pixels: height * width,
        channels,
        groups,
        per_image: affine.scale.dims()[0] > 1,
        again: again(batch, affine),
        relu: cut,
    };
    let any_tracked = images.is_autodiff()
        || affine.scale.is_autodiff()
        || shortcut.is_some_and(Tensor::is_autodiff);
    if !any_tracked {
        let inputs = [plain(images)?, plain(&affine.scale)?, plain(&affine.shift)?];
        let shortcut = match shortcut {
            Some(shortcut) => Some(plain(shortcut)?),
            None => None,
        };
        let (out, _) = run(&inputs, shortcut.as_ref(), shape, dims);
        return Some(Tensor::from_primitive::<Flex>(out));
    }
    let inputs = [
        tracked(images)?,
        tracked(&affine.scale)?,
        tracked(&affine.shift)?,
    ];
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| input.into_primitive());
    let shortcut = match shortcut {
        Some(shortcut) => Some(tracked(shortcut)?),
        None => None,
    };
    let fourth = shortcut.as_ref().map(|shortcut| shortcut.node());
    let shortcut = shortcut.map(|shortcut| shortcut.into_primitive());
    let (out, moments) = run(&inputs, shortcut.as_ref(), shape, dims);
    let [images, scale, _] = inputs;
    let state = State {
        images,
        scale,
        out: out.clone(),
        moments,
        shape,
    };
    let out = match fourth {
        Some(fourth) => {
            let [first, second, third] = nodes;
            record([first, second, third, fourth], NormBackward, state, out)
        }
        None => record(nodes, NormBackward, state, out),
    };
    Some(out)
}

fn run(
    [images, scale, shift]: &[FlexTensor; 3],
    shortcut: Option<&FlexTensor>,
    shape: NormShape,
    mut dims: [usize; 4],
) -> (FlexTensor, Moments) {
    dims[0] += shape.again;
    let shortcut = shortcut.map(FlexTensor::to_contiguous);
    let (out, moments) = with_values(images, |images| {
        with_values(scale, |scale| {
            with_values(shift, |shift| {
                let shortcut = shortcut.as_ref().and_then(FlexTensor::as_slice::<f32>);
                shape.forward(images, scale, shift, shortcut)
            })
        })
    });
    (primitive(out, &dims), moments)
}

#[derive(Clone, Debug)]
struct State {
    images: FlexTensor,
    scale: FlexTensor,
    out: FlexTensor,
    moments: Moments,
    shape: NormShape,
}

#[derive(Debug)]
struct NormBackward;

/// Parents: images, scale, shift, and the shortcut if there is one.
impl<const N: usize> Backward<Flex, N> for NormBackward {
    type State = State;

    fn backward(self, ops: Ops<State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State {
            images,
            scale,
            out,
            moments,
            shape,
        } = ops.state;
        let dims = images.layout().shape().to_vec();
        let affine = scale.layout().shape().to_vec();
        let grad = grads.consume::<Flex>(&ops.node);
        let found = with_values(&grad, |grad| {
            with_values(&images, |images| {
                with_values(&out, |out| {
                    with_values(&scale, |scale| {
                        shape.backward(grad, images, out, scale, &moments, N > 3)
                    })
                })
            })
        });
        let values = [
            Some((found.images, dims.clone())),
            Some((found.scale, affine.clone())),
            Some((found.shift, affine)),
            found.shortcut.map(|shortcut| (shortcut, dims)),
        ];
        for (node, value) in ops.parents.into_iter().zip(values) {
            if let (Some(node), Some((value, shape))) = (node, value) {
                grads.register::<Flex>(node.id, primitive(value, &shape));
            }
        }
    }
}
