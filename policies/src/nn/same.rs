//! Padding by which the output of a window is `ceil(size / stride)`, as Flax and TensorFlow pad:
//! where the border is odd, the larger part lies after the image.

use burn::tensor::Tensor;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::{MaxPoolOptions, PadMode};

use super::kernels::conv2d;
use super::resnet::Conv;

/// Border before and after an axis of `size` numbers.
pub fn same_padding(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let covered = size.div_ceil(stride).saturating_sub(1) * stride + kernel;
    let border = covered.saturating_sub(size);
    (border / 2, border - border / 2)
}

/// Convolution of channels-last images; the layer's own padding plays no part.
pub fn conv_same(layer: &Conv, images: Tensor<4>) -> Tensor<4> {
    let kernel = layer.weight.val();
    let [_, _, side, _] = kernel.dims();
    let [_, height, width, _] = images.dims();
    let borders = [height, width].map(|size| same_padding(size, side, layer.stride));
    let (before, after) = borders[0];
    if before == after && borders[1] == borders[0] {
        return conv2d(images, kernel, layer.stride, before);
    }
    let padded = images.pad([borders[0], borders[1], (0, 0)], PadMode::Constant(0.0));
    conv2d(padded, kernel, layer.stride, 0)
}

/// Maximum over square windows of channels-last images.
pub fn max_pool_same(images: Tensor<4>, side: usize, stride: usize) -> Tensor<4> {
    let [_, height, width, _] = images.dims();
    let borders = [height, width].map(|size| same_padding(size, side, stride));
    let padded = images
        .permute([0, 3, 1, 2])
        // Stands for minus infinity: no feature is smaller.
        .pad(borders, PadMode::Constant(f32::MIN));
    let options = MaxPoolOptions::new([side; 2]).with_stride([stride; 2]);
    max_pool2d(padded, options).permute([0, 2, 3, 1])
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::golden::vec;

    fn image(side: usize, device: &Device) -> Tensor<4> {
        let values = (0..side * side)
            .map(|i| i as f32 - 20.0)
            .collect::<Vec<_>>();
        Tensor::from_data(TensorData::new(values, [1, side, side, 1]), device)
    }

    #[test]
    fn borders() {
        assert_eq!(same_padding(8, 3, 2), (0, 1));
        assert_eq!(same_padding(7, 3, 2), (1, 1));
        assert_eq!(same_padding(5, 3, 1), (1, 1));
        assert_eq!(same_padding(5, 1, 2), (0, 0));
        assert_eq!(same_padding(1, 3, 2), (1, 1));
    }

    #[test]
    fn maxima_of_an_even_image_look_right_and_down() {
        let device = Device::flex();
        let pooled = max_pool_same(image(4, &device), 3, 2);
        assert_eq!(vec(pooled), [-10.0, -9.0, -6.0, -5.0]);
    }

    #[test]
    fn sums_of_an_even_image_look_right_and_down() {
        let device = Device::flex();
        let layer = Conv {
            weight: Param::from_tensor(Tensor::ones([1, 1, 3, 3], &device)),
            stride: 2,
            padding: 1,
            kept: crate::nn::kernels::KeptFilter::default(),
        };
        let ones = Tensor::ones([1, 4, 4, 1], &device);
        assert_eq!(vec(conv_same(&layer, ones)), [9.0, 6.0, 6.0, 4.0]);
        let ones = Tensor::ones([1, 3, 3, 1], &device);
        assert_eq!(vec(conv_same(&layer, ones)), [4.0; 4]);
    }
}
