//! Convolution with bias of channels-last images.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

use super::kernels::conv2d;
use crate::host;

/// Sizes of a [`BiasConv`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BiasConvShape {
    /// Channels in.
    pub input: usize,
    /// Channels out.
    pub output: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Stride.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: usize,
}

/// A convolution with a square kernel.
#[derive(Module, Debug)]
pub struct BiasConv {
    /// `[out, in, side, side]`.
    pub weight: Param<Tensor<4>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// Stride.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: usize,
}

impl BiasConv {
    /// Kaiming-uniform weights and bias, PyTorch's own.
    pub fn new(shape: &BiasConvShape, device: &Device) -> Self {
        let initial = Initializer::KaimingUniform {
            gain: 1.0 / 3f64.sqrt(),
            fan_out_only: false,
        };
        let BiasConvShape {
            input,
            output,
            kernel,
            ..
        } = *shape;
        let fan = input * kernel * kernel;
        Self {
            weight: initial.init_with([output, input, kernel, kernel], Some(fan), None, device),
            bias: initial.init_with([output], Some(fan), None, device),
            stride: shape.stride,
            padding: shape.padding,
        }
    }

    /// The kernel's rows as a matrix orthogonal with a gain, bias zero.
    pub fn orthogonal(shape: &BiasConvShape, gain: f64, device: &Device) -> Self {
        let BiasConvShape {
            input,
            output,
            kernel,
            ..
        } = *shape;
        let initial = Initializer::Orthogonal { gain };
        // The initial kernel is made outside any graph, where it can be reshaped.
        let matrix =
            initial.init::<2, _>([output, input * kernel * kernel], &device.clone().inner());
        let weight = matrix.val().reshape([output, input, kernel, kernel]);
        Self {
            weight: Param::from_data(host::data(weight), device),
            bias: Initializer::Zeros.init([output], device),
            stride: shape.stride,
            padding: shape.padding,
        }
    }

    /// `[batch, height, width, in] -> [batch, .., .., out]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let map = conv2d(images, self.weight.val(), self.stride, self.padding);
        map + self.bias.val().unsqueeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn a_sum_over_two_by_two_by_hand() {
        let device = Device::flex();
        let shape = BiasConvShape {
            input: 1,
            output: 1,
            kernel: 2,
            stride: 1,
            padding: 0,
        };
        let mut layer = BiasConv::new(&shape, &device);
        layer.weight = Param::from_data([[[[1.0f32, 1.0], [1.0, 1.0]]]], &device);
        layer.bias = Param::from_data([0.5f32], &device);
        let image = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &device);
        let output = layer.forward(image.reshape([1, 2, 3, 1]));
        close("sums", &vec(output), &[12.5, 16.5], 1e-6);
    }
}
