//! Operations that are written out for the CPU where no gradients are taken.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::flex::{plain, primitive, with_values};
use super::lanes::{for_chunks, sum_pairs, widest};

/// Tokens per parallel piece.
const TOKENS: usize = 16;

/// `x / max(|x| / sqrt(width), least) * gain` over the last axis of `[batch, tokens, width]`; `gain` is
/// `[width]`. `None` if gradients are taken or the tensors are not on the CPU.
pub fn rms_norm(input: &Tensor<3>, gain: &Tensor<1>, least: f32) -> Option<Tensor<3>> {
    if input.is_autodiff() || gain.is_autodiff() {
        return None;
    }
    let dims = input.dims();
    let width = dims[2].max(1);
    let mut output = vec![0.0; dims.iter().product()];
    with_values(&plain(input)?, |input| {
        with_values(&plain(gain)?, |gain| {
            for_chunks(&mut output, TOKENS * width, |index, output| {
                let tokens = input[index * TOKENS * width..].chunks_exact(width);
                for (output, token) in output.chunks_exact_mut(width).zip(tokens) {
                    widest(|| {
                        let squares = sum_pairs(token, token, |a, b| a * b);
                        let recip = (squares / width as f32).sqrt().max(least).recip();
                        for ((output, value), gain) in output.iter_mut().zip(token).zip(gain) {
                            *output = value * recip * gain;
                        }
                    });
                }
            });
            Some(())
        })
    })?;
    let output = primitive(output, &dims);
    Some(Tensor::from_primitive::<Flex>(output))
}

/// Greatest values of windows of `side`, `[batch, height, width, channels]`, with a border of
/// `padding` that never counts. `None` if gradients are taken or the tensor is not on the CPU.
pub fn max_pool(
    images: &Tensor<4>,
    side: usize,
    stride: usize,
    padding: usize,
) -> Option<Tensor<4>> {
    if images.is_autodiff() {
        return None;
    }
    let [batch, height, width, channels] = images.dims();
    let out = |size: usize| Some((size + 2 * padding).checked_sub(side)? / stride + 1);
    let (rows, columns) = (out(height)?, out(width)?);
    let dims = [batch, rows, columns, channels];
    let mut output = vec![f32::NEG_INFINITY; dims.iter().product()];
    // Pixels of the image that a window meets along one axis.
    let window = |at: usize, size: usize| {
        let first = (at * stride).saturating_sub(padding);
        first..(at * stride + side).saturating_sub(padding).min(size)
    };
    with_values(&plain(images)?, |images| {
        for_chunks(&mut output, (columns * channels).max(1), |index, output| {
            let (image, row) = (index / rows, index % rows);
            for (column, output) in output.chunks_exact_mut(channels).enumerate() {
                for y in window(row, height) {
                    let line = (image * height + y) * width;
                    for x in window(column, width) {
                        greater(output, &images[(line + x) * channels..][..channels]);
                    }
                }
            }
        });
    });
    let output = primitive(output, &dims);
    Some(Tensor::from_primitive::<Flex>(output))
}

/// `to = max(to, from)`; what is not a number stays so.
fn greater(to: &mut [f32], from: &[f32]) {
    widest(|| {
        for (to, from) in to.iter_mut().zip(from) {
            let keep = *to > *from || to.is_nan();
            *to = if keep { *to } else { *from };
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use burn::nn::PaddingConfig2d;
    use burn::nn::pool::MaxPool2dConfig;
    use burn::tensor::{Device, Distribution};

    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn roots_of_mean_squares_by_hand() {
        let device = Device::flex();
        let input = Tensor::<3>::from_data([[[3.0, 4.0], [0.0, 0.0]]], &device);
        let gain = Tensor::<1>::from_data([1.0, 2.0], &device);
        let output = rms_norm(&input, &gain, 1e-8).unwrap();
        let root = 12.5f32.sqrt();
        close(
            "norm",
            &vec(output),
            &[3.0 / root, 8.0 / root, 0.0, 0.0],
            1e-6,
        );
    }

    #[test]
    fn windows_are_those_of_burn() {
        let device = Device::flex();
        let normal = Distribution::Normal(0.0, 1.0);
        for (side, stride, padding) in [(3, 2, 1), (2, 2, 0), (3, 1, 1)] {
            let images = Tensor::<4>::random([2, 9, 8, 5], normal, &device);
            let theirs = MaxPool2dConfig::new([side; 2])
                .with_strides([stride; 2])
                .with_padding(PaddingConfig2d::Explicit(
                    padding, padding, padding, padding,
                ))
                .init()
                .forward(images.clone().permute([0, 3, 1, 2]))
                .permute([0, 2, 3, 1]);
            let ours = max_pool(&images, side, stride, padding).unwrap();
            assert_eq!(ours.dims(), theirs.dims());
            assert_eq!(vec(ours), vec(theirs));
        }
    }
}
