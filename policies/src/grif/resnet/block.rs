//! Residual blocks and their norms.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::config::{BlockKind, GROUPS, NormKind};
use crate::nn::kernels::group_norm;
use crate::nn::resnet::Conv;
use crate::nn::same::conv_same;
use crate::nn::{Activation, GroupNorm, LayerNorm};

/// Norm of a channels-last map.
#[derive(Module, Debug)]
pub enum Norm {
    /// Over groups of channels.
    Group(GroupNorm),
    /// Over the channels of each pixel.
    Layer(LayerNorm),
}

impl Norm {
    /// Gain one, offset zero.
    pub fn new(kind: NormKind, channels: usize, device: &Device) -> Self {
        match kind {
            NormKind::Group => Self::Group(GroupNorm::with_groups(channels, GROUPS, device)),
            NormKind::Layer => Self::Layer(LayerNorm::new(channels, true, device)),
        }
    }

    /// The norm, plus a shortcut, through an activation; same shape out.
    pub fn forward(
        &self,
        map: Tensor<4>,
        shortcut: Option<Tensor<4>>,
        activation: Option<Activation>,
    ) -> Tensor<4> {
        match self {
            Self::Group(norm) => {
                let cut = activation == Some(Activation::Relu);
                let sum = group_norm(map, norm.groups, norm.affine(), shortcut, cut);
                match activation {
                    Some(activation) if !cut => activation.forward(sum),
                    _ => sum,
                }
            }
            Self::Layer(norm) => {
                let [batch, height, width, channels] = map.dims();
                let pixels = map.reshape([batch, height * width, channels]);
                let normal = norm
                    .forward(pixels)
                    .reshape([batch, height, width, channels]);
                let sum = match shortcut {
                    Some(shortcut) => normal + shortcut,
                    None => normal,
                };
                match activation {
                    Some(activation) => activation.forward(sum),
                    None => sum,
                }
            }
        }
    }
}

/// Convolutions with norms, and a shortcut around them.
#[derive(Module, Debug)]
pub struct Block {
    /// Convolutions; one of them has the stride.
    pub conv: Vec<Conv>,
    /// Norms after them.
    pub norm: Vec<Norm>,
    /// 1x1 convolution of the shortcut, where the shape changes.
    pub conv_proj: Option<Conv>,
    /// Norm after it.
    pub norm_proj: Option<Norm>,
}

/// What a [`Block`] is made of.
#[derive(Clone, Copy, Debug)]
pub struct BlockShape {
    /// Kind.
    pub kind: BlockKind,
    /// Norm.
    pub norm: NormKind,
    /// Channels that enter.
    pub input: usize,
    /// Channels of the inner convolutions.
    pub filters: usize,
    /// Channels that leave.
    pub output: usize,
    /// Stride.
    pub stride: usize,
    /// Whether the map changes in size.
    pub shrinks: bool,
}

impl Block {
    /// Kaiming-normal weights.
    pub fn new(shape: BlockShape, device: &Device) -> Self {
        let BlockShape {
            kind,
            input,
            filters,
            output,
            stride,
            ..
        } = shape;
        let conv = |input, output, side, stride| Conv::new(input, output, side, stride, device);
        let norm = |channels| Norm::new(shape.norm, channels, device);
        let (conv_layers, norms) = match kind {
            BlockKind::Basic => (
                vec![conv(input, output, 3, stride), conv(output, output, 3, 1)],
                vec![norm(output), norm(output)],
            ),
            BlockKind::Bottleneck => (
                vec![
                    conv(input, filters, 1, 1),
                    conv(filters, filters, 3, stride),
                    conv(filters, output, 1, 1),
                ],
                vec![norm(filters), norm(filters), norm(output)],
            ),
        };
        let changes = shape.shrinks || input != output;
        Self {
            conv: conv_layers,
            norm: norms,
            conv_proj: changes.then(|| conv(input, output, 1, stride)),
            norm_proj: changes.then(|| norm(output)),
        }
    }

    /// `[batch, height, width, input]` to `[batch, .., .., output]`. The activation follows every norm
    /// and the sum with the shortcut; the last block of a stage has none at all.
    pub fn forward(&self, map: Tensor<4>, activation: Option<Activation>) -> Tensor<4> {
        let shortcut = match (&self.conv_proj, &self.norm_proj) {
            (Some(conv), Some(norm)) => norm.forward(conv_same(conv, map.clone()), None, None),
            _ => map.clone(),
        };
        let count = self.conv.len();
        let mut shortcut = Some(shortcut);
        let layers = self.conv.iter().zip(&self.norm).enumerate();
        layers.fold(map, |hidden, (index, (conv, norm))| {
            let hidden = conv_same(conv, hidden);
            if index + 1 < count {
                norm.forward(hidden, None, activation)
            } else {
                norm.forward(hidden, shortcut.take(), activation)
            }
        })
    }
}
