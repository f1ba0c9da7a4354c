//! The inner loops of a kernel's gradient: products of a pixel's surroundings with its gradient,
//! summed over the pixels in registers.

use pulp::{Arch, Simd, WithSimd};

use super::conv_tiles::{QUAD, panel_width};

/// Sizes of a sum over the pixels of one image.
#[derive(Clone, Copy, Debug)]
pub struct KernelSum {
    /// Rows of the kernel.
    pub rows: usize,
    /// Values of the image that a row meets, a multiple of [`QUAD`].
    pub run: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Rows and columns of the output.
    pub out: [usize; 2],
    /// Values between rows of the image with its border.
    pub row: usize,
    /// Values between the beginnings of the runs of two output rows.
    pub down: usize,
    /// Values between the beginnings of the runs of two output columns.
    pub right: usize,
}

impl KernelSum {
    const fn width(&self) -> usize {
        panel_width(self.outputs)
    }

    /// Numbers of the sum.
    pub fn len(&self) -> usize {
        self.outputs.div_ceil(self.width()) * self.rows * self.run * self.width()
    }

    /// Numbers of a gradient in panels.
    pub fn panels_len(&self) -> usize {
        self.outputs.div_ceil(self.width()) * self.out[0] * self.out[1] * self.width()
    }

    /// Where the sum for a row, a value of its run and an output channel lies.
    pub const fn index(&self, row: usize, at: usize, output: usize) -> usize {
        let (panel, lane) = (output / self.width(), output % self.width());
        ((panel * self.rows + row) * self.run + at) * self.width() + lane
    }

    /// A gradient, `[pixels, outputs]`, as `[panels, pixels, width]`; what fills up the last panel
    /// stays as it is.
    pub fn panels(&self, grad: &[f32], panels: &mut [f32]) {
        let width = self.width();
        let each = panels.chunks_exact_mut((self.out[0] * self.out[1] * width).max(1));
        for (panel, first) in each.zip((0..self.outputs).step_by(width)) {
            let count = width.min(self.outputs - first);
            let pixels = grad.chunks_exact(self.outputs);
            for (to, from) in panel.chunks_exact_mut(width).zip(pixels) {
                to[..count].copy_from_slice(&from[first..first + count]);
            }
        }
    }

    /// Adds the products of an image with its border and a gradient in panels to `sum`.
    pub fn add(&self, image: &[f32], grad: &[f32], sum: &mut [f32]) {
        Arch::new().dispatch(Add {
            sizes: *self,
            image,
            grad,
            sum,
        });
    }
}

struct Add<'a> {
    sizes: KernelSum,
    image: &'a [f32],
    grad: &'a [f32],
    sum: &'a mut [f32],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (S::F32_LANES, self.sizes.width()) {
            (16, 16) => self.run::<S, 1, 12>(simd),
            (16, _) => self.run::<S, 2, 12>(simd),
            (8, 16) => self.run::<S, 2, 4>(simd),
            (8, _) => self.run::<S, 4, 2>(simd),
            (4, 16) => self.run::<S, 4, 4>(simd),
            (4, _) => self.run::<S, 8, 2>(simd),
            (_, 16) => self.run::<S, 16, 1>(simd),
            _ => self.run::<S, 32, 1>(simd),
        }
    }
}

impl Add<'_> {
    #[inline(always)]
    fn run<S: Simd, const VECTORS: usize, const VALUES: usize>(self, simd: S) {
        let sizes = self.sizes;
        let width = sizes.width();
        let [height, columns] = sizes.out;
        let grads = self.grad.chunks_exact((height * columns * width).max(1));
        let sums = (self.sum).chunks_exact_mut((sizes.rows * sizes.run * width).max(1));
        for (grad, sums) in grads.zip(sums) {
            let (grad, _) = S::as_simd_f32s(grad);
            let (grad, _) = grad.as_chunks::<VECTORS>();
            for (row, sums) in sums.chunks_exact_mut(sizes.run * width).enumerate() {
                let (sums, _) = S::as_mut_simd_f32s(sums);
                let (mut sums, _) = sums.as_chunks_mut::<VECTORS>();
                let mut from = row * sizes.row;
                while !sums.is_empty() {
                    let count = match sums.len() {
                        len if len >= VALUES => VALUES,
                        len if len >= 2 * QUAD => 2 * QUAD,
                        _ => QUAD,
                    };
                    let (now, later) = sums.split_at_mut(count);
                    let image = &self.image[from..];
                    if count == VALUES {
                        tile::<S, VECTORS, VALUES>(simd, sizes, image, grad, now);
                    } else if count == 2 * QUAD {
                        tile::<S, VECTORS, 8>(simd, sizes, image, grad, now);
                    } else {
                        tile::<S, VECTORS, QUAD>(simd, sizes, image, grad, now);
                    }
                    from += count;
                    sums = later;
                }
            }
        }
    }
}

/// The sums of `VALUES` values that follow each other in a run.
#[inline(always)]
fn tile<S: Simd, const VECTORS: usize, const VALUES: usize>(
    simd: S,
    sizes: KernelSum,
    image: &[f32],
    grad: &[[S::f32s; VECTORS]],
    total: &mut [[S::f32s; VECTORS]],
) {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; VALUES];
    for (row, grad) in grad.chunks_exact(sizes.out[1].max(1)).enumerate() {
        let image = &image[row * sizes.down..];
        for (column, grad) in grad.iter().enumerate() {
            let run = image.get(column * sizes.right..);
            let Some(values) = run.and_then(|run| run.first_chunk::<VALUES>()) else {
                return;
            };
            for (sums, value) in sums.iter_mut().zip(values) {
                let value = simd.splat_f32s(*value);
                for (sum, grad) in sums.iter_mut().zip(grad) {
                    *sum = simd.mul_add_e_f32s(value, *grad, *sum);
                }
            }
        }
    }
    for (total, sums) in total.iter_mut().zip(sums) {
        for (total, sum) in total.iter_mut().zip(sums) {
            *total = simd.add_f32s(*total, sum);
        }
    }
}
