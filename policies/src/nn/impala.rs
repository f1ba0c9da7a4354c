//! Residual image encoder of IMPALA (Espeholt et al., arXiv 1802.01561), channels last.
//!
//! Field names and layouts (kernels are `(height, width, in, out)`) follow Flax.

use burn::module::{Initializer, Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::{MaxPoolOptions, PadMode};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::kernels::conv2d;

/// Stands for minus infinity in the border of a maximum: no feature is smaller.
const BORDER: f32 = f32::MIN;

/// Shape of an [`Impala`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpalaConfig {
    /// Channels of each stack.
    pub stacks: Vec<usize>,
    /// Residual blocks per stack.
    pub blocks: usize,
}

impl ImpalaConfig {
    /// The shape of a name that the authors of HILP use: `impala`, `impala_small`, `impala_debug`.
    pub fn named(name: &str) -> Option<Self> {
        let (stacks, blocks): (&[usize], _) = match name {
            "impala" => (&[16, 32, 32], 2),
            "impala_small" => (&[16, 32, 32], 1),
            "impala_debug" => (&[4, 4], 1),
            _ => return None,
        };
        Some(Self {
            stacks: stacks.to_vec(),
            blocks,
        })
    }

    /// Numbers that an image of a size becomes.
    pub fn features(&self, height: usize, width: usize) -> usize {
        let halve = |size: usize| self.stacks.iter().fold(size, |size, _| size.div_ceil(2));
        self.stacks
            .last()
            .map_or(0, |channels| halve(height) * halve(width) * channels)
    }

    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        (self.stacks.is_empty() || self.stacks.contains(&0))
            .then(|| "an image encoder needs stacks with channels".into())
    }
}

/// Convolution 3x3 with bias that keeps the size.
#[derive(Module, Debug)]
pub struct SameConv {
    /// `[3, 3, in, out]`.
    pub kernel: Param<Tensor<4>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
}

impl SameConv {
    fn new(input: usize, output: usize, device: &Device) -> Self {
        let kernel = Initializer::XavierUniform { gain: 1.0 };
        let shape = [3, 3, input, output];
        Self {
            kernel: kernel.init_with(shape, Some(9 * input), Some(9 * output), device),
            bias: Initializer::Zeros.init([output], device),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let kernel = self.kernel.val().permute([3, 2, 0, 1]);
        conv2d(images, kernel, 1, 1) + self.bias.val().unsqueeze()
    }
}

/// A convolution, a maximum that halves the size, residual blocks.
#[derive(Module, Debug)]
pub struct Stack {
    /// The first convolution, then two per block.
    pub convs: Vec<SameConv>,
}

impl Stack {
    fn new(input: usize, channels: usize, blocks: usize, device: &Device) -> Self {
        let inputs = std::iter::once(input).chain(std::iter::repeat_n(channels, 2 * blocks));
        Self {
            convs: inputs
                .map(|input| SameConv::new(input, channels, device))
                .collect(),
        }
    }

    /// `[batch, height, width, in] -> [batch, height / 2, width / 2, channels]`, rounded up.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let Some((first, blocks)) = self.convs.split_first() else {
            return images;
        };
        let hidden = halved(first.forward(images));
        let blocks = blocks.as_chunks::<2>().0.iter();
        blocks.fold(hidden, |hidden, [one, two]| {
            let inner = one.forward(relu(hidden.clone()));
            hidden + two.forward(relu(inner))
        })
    }
}

/// The encoder.
#[derive(Module, Debug)]
pub struct Impala {
    /// The stacks.
    pub stacks: Vec<Stack>,
}

impl Impala {
    /// An encoder of images with `channels`.
    pub fn new(config: &ImpalaConfig, channels: usize, device: &Device) -> Self {
        let inputs = std::iter::once(&channels).chain(&config.stacks);
        Self {
            stacks: inputs
                .zip(&config.stacks)
                .map(|(&input, &output)| Stack::new(input, output, config.blocks, device))
                .collect(),
        }
    }

    /// Bytes as numbers, `[batch, height, width, channels]`, to `[batch, features]`: the last map
    /// in the order rows, columns, channels.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let hidden = images / 255.0;
        let stacks = self.stacks.iter();
        let map = stacks.fold(hidden, |hidden, stack| stack.forward(hidden));
        let [batch, height, width, channels] = map.dims();
        relu(map).reshape([batch, height * width * channels])
    }
}

/// Maximum over 3x3 windows with stride 2 that covers every pixel, as Flax pads it: at an even size
/// the border lies after the image only.
fn halved(images: Tensor<4>) -> Tensor<4> {
    let [_, height, width, _] = images.dims();
    let border = |size: usize| {
        let whole = (2 * size.div_ceil(2) + 1).saturating_sub(size);
        (whole / 2, whole - whole / 2)
    };
    let padded = images
        .permute([0, 3, 1, 2])
        .pad([border(height), border(width)], PadMode::Constant(BORDER));
    max_pool2d(padded, MaxPoolOptions::new([3, 3]).with_stride([2, 2])).permute([0, 2, 3, 1])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::golden::vec;

    #[test]
    fn the_border_lies_behind_even_and_around_odd_sizes() {
        let device = Device::flex();
        let row = |values: &[f32]| {
            let image = Tensor::<1>::from_floats(values, &device);
            vec(halved(image.reshape([1, 1, values.len(), 1])))
        };
        assert_eq!(row(&[-1.0, -2.0, -3.0, -4.0]), [-1.0, -3.0]);
        assert_eq!(row(&[-5.0, -2.0, -3.0]), [-2.0, -2.0]);
    }

    #[test]
    fn sizes() {
        let config = ImpalaConfig::named("impala_small").unwrap();
        assert_eq!(config.features(64, 64), 2048);
        let device = Device::flex();
        let encoder = Impala::new(&config, 3, &device);
        let output = encoder.forward(Tensor::zeros([2, 9, 12, 3], &device));
        assert_eq!(output.dims(), [2, config.features(9, 12)]);
        assert!(ImpalaConfig::named("vgg").is_none());
        let none = ImpalaConfig {
            stacks: vec![],
            blocks: 1,
        };
        assert!(none.problem().is_some());
    }
}
