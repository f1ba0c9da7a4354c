//! Images as rows of patches, and the convolution that embeds them.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

/// `[batch, side, side, channels]` to `[batch, patches, patch * patch * channels]`, patches row by
/// row, ordered (row, column, channel) inside a patch. `side` is a multiple of `patch`.
pub fn patches_of(images: Tensor<4>, patch: usize) -> Tensor<3> {
    let [batch, side, _, channels] = images.dims();
    let grid = side / patch;
    images
        .reshape([batch * grid, patch, grid, patch * channels])
        .swap_dims(1, 2)
        .reshape([batch, grid * grid, patch * patch * channels])
}

/// Convolution whose stride is the side of its kernel.
#[derive(Module, Debug)]
pub struct PatchConv {
    /// Kernel, `[width, channels, patch, patch]`.
    pub weight: Param<Tensor<4>>,
    /// Offset, `[width]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl PatchConv {
    /// Xavier-uniform weights, zero bias.
    pub fn new([channels, width]: [usize; 2], patch: usize, bias: bool, device: &Device) -> Self {
        Self {
            weight: Initializer::XavierUniform { gain: 1.0 }.init_with(
                [width, channels, patch, patch],
                Some(channels * patch * patch),
                Some(width),
                device,
            ),
            bias: bias.then(|| Initializer::Zeros.init([width], device)),
        }
    }

    /// Side of a patch [pixels].
    pub fn patch(&self) -> usize {
        self.weight.dims()[2]
    }

    /// Images `[batch, side, side, channels]` to tokens `[batch, patches, width]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<3> {
        self.embed(patches_of(images, self.patch()))
    }

    /// Rows of [`patches_of`] to tokens `[batch, patches, width]`.
    pub fn embed(&self, patches: Tensor<3>) -> Tensor<3> {
        let kernel = self.weight.val();
        let [width, channels, patch, _] = kernel.dims();
        let kernel = kernel
            .permute([2, 3, 1, 0])
            .reshape([channels * patch * patch, width]);
        let [batch, count, area] = patches.dims();
        let rows = patches.reshape([batch * count, area]);
        let bias = self.bias.as_ref().map(Param::val);
        burn::tensor::module::linear(rows, kernel, bias).reshape([batch, count, width])
    }
}

/// Named as in the authors' files of MDT and Voltron: `patch2embed.proj`.
#[derive(Module, Debug)]
pub struct PatchEmbedding {
    /// The convolution.
    pub proj: PatchConv,
}

impl PatchEmbedding {
    /// Of color images, with an offset.
    pub fn new(width: usize, patch: usize, device: &Device) -> Self {
        Self {
            proj: PatchConv::new([3, width], patch, true, device),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn patches_are_read_row_by_row() {
        let device = Device::flex();
        let values = (0..16).map(|i| i as f32).collect::<Vec<_>>();
        let images = Tensor::<4>::from_data(TensorData::new(values, [1, 4, 4, 1]), &device);
        let patches = patches_of(images, 2).into_data();
        let expected = [
            0.0f32, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0, 8.0, 9.0, 12.0, 13.0, 10.0, 11.0, 14.0, 15.0,
        ];
        assert_eq!(patches.as_slice::<f32>().ok(), Some(&expected[..]));
    }
}
