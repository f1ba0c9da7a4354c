//! Image encoder: four convolutions (fewer for small images), as DrQ-v2 has them (Yarats et al.,
//! arXiv 2107.09645).

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::nn::{BiasConv, BiasConvShape};

/// Channels of every layer.
const CHANNELS: usize = 32;

/// The encoder.
#[derive(Module, Debug)]
pub struct ImageEncoder {
    /// The convolutions.
    pub convnet: Vec<BiasConv>,
}

/// Convolutions for images of a size.
fn layers(size: usize) -> usize {
    match size {
        0..48 => 2,
        48..64 => 3,
        _ => 4,
    }
}

/// Numbers that an image of a size becomes.
pub fn features(size: usize) -> usize {
    let first = size.saturating_sub(3) / 2 + 1;
    let side = first.saturating_sub(2 * (layers(size) - 1));
    CHANNELS * side * side
}

impl ImageEncoder {
    /// An encoder of square images.
    pub fn new(channels: usize, size: usize, device: &Device) -> Self {
        let layer = |index| {
            let (input, stride) = if index == 0 {
                (channels, 2)
            } else {
                (CHANNELS, 1)
            };
            let shape = BiasConvShape {
                input,
                output: CHANNELS,
                kernel: 3,
                stride,
                padding: 0,
            };
            // The gain of ReLU.
            BiasConv::orthogonal(&shape, std::f64::consts::SQRT_2, device)
        };
        Self {
            convnet: (0..layers(size)).map(layer).collect(),
        }
    }

    /// Bytes as numbers, `[batch, size, size, channels]`, to `[batch, features]` in the order
    /// channels, rows, columns.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let centred = images / 255.0 - 0.5;
        let convolutions = self.convnet.iter();
        let map = convolutions.fold(centred, |hidden, layer| relu(layer.forward(hidden)));
        map.permute([0, 3, 1, 2]).flatten(1, 3)
    }
}

/// Pixels by which images of a size are moved at most.
pub const fn shift_padding(size: usize) -> usize {
    size / 21
}

/// Moves each image of `[batch, size, size, channels]`: edges are repeated by
/// [`shift_padding`] pixels on each side and a window of the old size is cut out at the offset,
/// column and row, of each.
pub fn shifted(images: Tensor<4>, offsets: &[[usize; 2]]) -> Tensor<4> {
    let [batch, height, width, _] = images.dims();
    let padding = shift_padding(width);
    if padding == 0 || batch == 0 {
        return images;
    }
    let device = images.device();
    let take = |length: usize, offset: usize| {
        let indices = (0..length).map(|index| {
            let inside = (index + offset).saturating_sub(padding);
            inside.min(length - 1) as i32
        });
        Tensor::<1, burn::tensor::Int>::from_ints(indices.collect::<Vec<_>>().as_slice(), &device)
    };
    let moved = offsets
        .iter()
        .enumerate()
        .take(batch)
        .map(|(row, &[x, y])| {
            let image = images.clone().narrow(0, row, 1);
            image.select(1, take(height, y)).select(2, take(width, x))
        });
    Tensor::cat(moved.collect(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn sizes() {
        let device = Device::flex();
        for (size, wanted) in [(64, 20_000), (48, 11_552), (24, 2_592), (12, 288)] {
            assert_eq!(features(size), wanted);
            let encoder = ImageEncoder::new(2, size, &device);
            let output = encoder.forward(Tensor::zeros([1, size, size, 2], &device));
            assert_eq!(output.dims(), [1, wanted]);
        }
    }

    #[test]
    fn a_shift_repeats_the_edge() {
        let device = Device::flex();
        let row = Tensor::<1, burn::tensor::Int>::arange(0..21, &device).float();
        let images = row.reshape([1, 1, 21, 1]).expand([1, 21, 21, 1]);
        let moved = vec(shifted(images.clone(), &[[0, 2]]));
        close("to the right", &moved[..4], &[0.0, 0.0, 1.0, 2.0], 0.0);
        let still = vec(shifted(images.clone(), &[[1, 1]]));
        close("not at all", &still, &vec(images), 0.0);
    }
}
