//! From a feature map to a vector.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor, TensorData, activation::softmax};

use super::linear::linear_default;
use burn::nn::Linear;

/// Expected image coordinates of learned keypoints (Levine et al., arXiv 1504.00702): a linear map
/// of the channels per pixel, a softmax over the pixels with a learned temperature, and the mean of
/// the pixel coordinates, in [-1, 1], under it.
///
/// Keeps positions that an average over the map throws away, which a small network with few
/// demonstrations cannot afford to lose.
#[derive(Module, Debug)]
pub struct SpatialSoftmax {
    /// Channels to keypoint scores.
    pub score: Linear,
    /// Logarithm of the inverse temperature, `[1]`.
    pub sharpness: Param<Tensor<1>>,
}

impl SpatialSoftmax {
    /// `keypoints` maps over `channels`.
    pub fn new(channels: usize, keypoints: usize, device: &Device) -> Self {
        Self {
            score: linear_default(channels, keypoints, device),
            sharpness: Initializer::Zeros.init([1], device),
        }
    }

    /// `[batch, height, width, channels] -> [batch, 2 * keypoints]`, columns first, then rows.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let [batch, height, width, channels] = input.dims();
        let device = input.device();
        let pixels = input.reshape([batch, height * width, channels]);
        let scores = self.score.forward(pixels).swap_dims(1, 2);
        let sharpness = self.sharpness.val().exp().reshape([1, 1, 1]);
        let weights = softmax(scores * sharpness, 2);
        let points = weights.matmul(pixel_coordinates(height, width, &device));
        let keypoints = points.dims()[1];
        points.swap_dims(1, 2).reshape([batch, 2 * keypoints])
    }
}

/// Column and row of every pixel centre in [-1, 1]: `[1, height * width, 2]`.
fn pixel_coordinates(height: usize, width: usize, device: &Device) -> Tensor<3> {
    let centre = |i: usize, n: usize| (2 * i + 1) as f32 / n as f32 - 1.0;
    let values = (0..height)
        .flat_map(|row| {
            (0..width).flat_map(move |column| [centre(column, width), centre(row, height)])
        })
        .collect::<Vec<f32>>();
    Tensor::from_data(TensorData::new(values, [1, height * width, 2]), device)
}
