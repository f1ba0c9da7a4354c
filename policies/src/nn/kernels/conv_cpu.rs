//! Convolution of channels-last images on the CPU, as products of patch matrices.

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::conv::ConvShape;
use super::flex::{primitive, product, values, with_values};
use super::lanes::for_chunks;

/// Multiply-adds per product: enough to pay for it, and below the size from which the product
/// itself would be split over threads.
const WORK: usize = 6_000_000;

impl ConvShape {
    fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }
    fn out_pixels(&self) -> usize {
        self.out_height() * self.out_width()
    }
    fn images_per_product(&self) -> usize {
        let one = self.out_pixels() * self.patch() * self.out_channels;
        (WORK / one.max(1)).max(1)
    }
    /// Whether patches are the pixels themselves.
    fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// A kernel `[out, in, side, side]` as the matrix `[side, side, in; out]` of its products with
    /// patches. In tiles, since a large kernel is read in one order and written in another.
    pub fn kernel_rows(&self, kernel: &[f32]) -> Vec<f32> {
        const TILE: usize = 16;
        let (patch, out) = (self.patch(), self.out_channels);
        let taps = self.kernel * self.kernel;
        let mut rows = vec![0.0; kernel.len()];
        for first_out in (0..out).step_by(TILE) {
            for first in (0..patch).step_by(TILE) {
                for at in first..patch.min(first + TILE) {
                    let row = (at % taps) * self.channels + at / taps;
                    let end = out.min(first_out + TILE);
                    let to = &mut rows[row * out + first_out..row * out + end];
                    for (to, from) in to.iter_mut().zip(first_out..) {
                        *to = kernel[from * patch + at];
                    }
                }
            }
        }
        rows
    }

    fn columns(&self, images: &[f32]) -> FlexTensor {
        let count = images.len() / self.image_len();
        let shape = [count * self.out_pixels(), self.patch()];
        if self.is_pointwise() {
            return primitive(images.to_vec(), &shape);
        }
        let mut columns = vec![0.0; shape[0] * shape[1]];
        let each = self.out_pixels() * self.patch();
        for (image, columns) in images
            .chunks_exact(self.image_len())
            .zip(columns.chunks_exact_mut(each))
        {
            self.gather(image, columns);
        }
        primitive(columns, &shape)
    }

    /// `images` (`batch, height, width, channels`) convolved with `kernel` (`patch, out channels`).
    pub fn forward(&self, images: &[f32], kernel: &FlexTensor) -> Vec<f32> {
        let out_len = self.out_pixels() * self.out_channels;
        let count = self.images_per_product();
        let mut out = vec![0.0; self.batch * out_len];
        for_chunks(&mut out, count * out_len, |index, out| {
            let start = index * count * self.image_len();
            let images = &images[start..][..out.len() / out_len * self.image_len()];
            let result = product(self.columns(images), kernel.clone());
            with_values(&result, |values| out.copy_from_slice(values));
        });
        out
    }

    /// Gradient of the images from that of the output.
    pub fn backward_images(&self, grad: &[f32], kernel: &FlexTensor) -> Vec<f32> {
        let out_len = self.out_pixels() * self.out_channels;
        let count = self.images_per_product();
        let mut images = vec![0.0; self.batch * self.image_len()];
        images
            .par_chunks_mut(count * self.image_len())
            .zip(grad.par_chunks(count * out_len))
            .for_each(|(images, grad)| {
                let rows = grad.len() / self.out_channels;
                let grad = primitive(grad.to_vec(), &[rows, self.out_channels]);
                let columns = product(grad, kernel.transpose(0, 1));
                with_values(&columns, |columns| {
                    if self.is_pointwise() {
                        images.copy_from_slice(columns);
                        return;
                    }
                    let each = self.out_pixels() * self.patch();
                    for (image, columns) in images
                        .chunks_exact_mut(self.image_len())
                        .zip(columns.chunks_exact(each))
                    {
                        self.scatter(columns, image);
                    }
                });
            });
        images
    }

    /// Gradient of the kernel.
    pub fn backward_kernel(&self, images: &[f32], grad: &[f32]) -> Vec<f32> {
        let out_len = self.out_pixels() * self.out_channels;
        let count = self.images_per_product();
        let parts = images
            .par_chunks(count * self.image_len())
            .zip(grad.par_chunks(count * out_len))
            .map(|(images, grad)| {
                let rows = grad.len() / self.out_channels;
                let grad = primitive(grad.to_vec(), &[rows, self.out_channels]);
                values(product(self.columns(images).transpose(0, 1), grad))
            })
            .collect::<Vec<_>>();
        sum(parts, self.patch() * self.out_channels)
    }
}

/// Sum of vectors in their order.
pub fn sum(parts: Vec<Vec<f32>>, len: usize) -> Vec<f32> {
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_else(|| vec![0.0; len]);
    for part in parts {
        for (total, value) in total.iter_mut().zip(part) {
            *total += value;
        }
    }
    total
}
