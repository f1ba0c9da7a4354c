//! Convolution of channels-last images on the CPU, forwards and backwards.

use rayon::prelude::*;

use super::aligned::Aligned;
use super::conv::ConvShape;
use super::conv_gradient::KernelSum;
use super::conv_tiles::{Filter, Pixel, QUAD};
use super::lanes::for_chunks;

/// Multiply-adds that are worth waking another thread.
const WORTH: usize = 2_000_000;

/// Pieces of a batch over which a kernel's gradient is summed side by side. Not the number of
/// threads, on which results must not depend.
const PIECES: usize = 8;

/// An image with zeros around it.
#[derive(Clone, Copy, Debug)]
struct Bordered {
    rows: usize,
    columns: usize,
    channels: usize,
    /// Zeros above and on the left.
    before: usize,
}

impl Bordered {
    const fn row(&self) -> usize {
        self.columns * self.channels
    }

    /// Zeros, some more than the image has: the last run is read to a multiple of [`QUAD`].
    fn zeros(&self) -> Vec<f32> {
        vec![0.0; self.rows * self.row() + QUAD]
    }

    /// An image, `width` pixels wide, with its border in `room`, or itself if it needs none for runs of
    /// `run` values.
    fn around<'a>(
        &self,
        image: &'a [f32],
        width: usize,
        run: usize,
        room: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        let len = self.rows * self.row();
        if self.before == 0 && self.columns == width && image.len() >= len {
            // No run ends outside.
            if run.is_multiple_of(QUAD) {
                return image;
            }
        }
        if room.is_empty() {
            *room = self.zeros();
        }
        self.fill(image, width, room);
        room
    }

    /// Writes an image, `width` pixels wide, inside the border.
    fn fill(&self, image: &[f32], width: usize, to: &mut [f32]) {
        let count = width.min(self.columns.saturating_sub(self.before)) * self.channels;
        let rows = self.rows.saturating_sub(self.before);
        for (row, image) in image
            .chunks_exact(width * self.channels)
            .take(rows)
            .enumerate()
        {
            let start = (row + self.before) * self.row() + self.before * self.channels;
            to[start..start + count].copy_from_slice(&image[..count]);
        }
    }
}

impl ConvShape {
    const fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }
    fn out_pixels(&self) -> usize {
        self.out_height() * self.out_width()
    }
    fn out_len(&self) -> usize {
        self.out_pixels() * self.out_channels
    }
    fn is_empty(&self) -> bool {
        self.batch * self.image_len() * self.out_len() == 0
    }

    /// Values of an image that a row of the kernel meets.
    const fn run(&self) -> usize {
        self.kernel * self.channels
    }

    /// The images as a kernel needs them.
    fn bordered(&self) -> Bordered {
        let needed = |out: usize| out.saturating_sub(1) * self.stride + self.kernel;
        Bordered {
            rows: needed(self.out_height()),
            // Without a border images are read where they lie.
            columns: match self.padding {
                0 => self.width,
                _ => needed(self.out_width()),
            },
            channels: self.channels,
            before: self.padding,
        }
    }

    /// A kernel `[out, in, side, side]` for [`ConvShape::forward`].
    pub fn filter(&self, kernel: &[f32]) -> Filter {
        let (side, channels) = (self.kernel, self.channels);
        let area = side * side;
        Filter::new(
            self.out_channels,
            side,
            side * channels,
            |row, at, output| {
                let (column, channel) = (at / channels, at % channels);
                kernel[(output * channels + channel) * area + row * side + column]
            },
        )
    }

    /// `images` (`batch, height, width, channels`) convolved to `batch, .., .., out channels`.
    pub fn forward(&self, images: &[f32], filter: &Filter) -> Vec<f32> {
        let mut out = vec![0.0; self.batch * self.out_len()];
        if self.is_empty() {
            return out;
        }
        let bordered = self.bordered();
        let down = self.stride * bordered.row();
        let right = self.stride * self.channels;
        let out_row = self.out_width() * self.out_channels;
        let pixels = (0..self.out_pixels())
            .map(|index| {
                let (row, column) = (index / self.out_width(), index % self.out_width());
                Pixel {
                    from: row * down + column * right,
                    to: index * self.out_channels,
                }
            })
            .collect::<Vec<_>>();
        if self.batch == 1 {
            let mut room = Vec::new();
            let image = bordered.around(images, self.width, self.run(), &mut room);
            let row_work = out_row * self.patch();
            let band = WORTH.div_ceil(row_work).clamp(1, self.out_height());
            let own = &pixels[..band * self.out_width()];
            for_chunks(&mut out, band * out_row, |index, out| {
                let count = out.len() / self.out_channels;
                let image = &image[index * band * down..];
                filter.apply(image, bordered.row(), &own[..count], out);
            });
        } else {
            out.par_chunks_mut(self.out_len())
                .zip(images.par_chunks(self.image_len()))
                .for_each_init(Vec::new, |room, (out, image)| {
                    let image = bordered.around(image, self.width, self.run(), room);
                    filter.apply(image, bordered.row(), &pixels, out);
                });
        }
        out
    }

    /// Gradient of the images from that of the output.
    ///
    /// Pixels of an image that lie `stride` apart meet the same part of the kernel, turned around:
    /// for each such phase the gradient is a convolution of stride 1 with that part.
    pub fn backward_images(&self, grad: &[f32], kernel: &[f32]) -> Vec<f32> {
        let mut images = vec![0.0; self.batch * self.image_len()];
        if self.is_empty() {
            return images;
        }
        let taps = self.kernel.div_ceil(self.stride);
        let last = |size: usize, out: usize| {
            (size - 1 + self.padding)
                .div_euclid(self.stride)
                .max(out - 1)
        };
        let bordered = Bordered {
            rows: taps + last(self.height, self.out_height()),
            columns: taps + last(self.width, self.out_width()),
            channels: self.out_channels,
            before: taps - 1,
        };
        let phases = (0..self.stride * self.stride)
            .filter_map(|phase| {
                self.phase([phase / self.stride, phase % self.stride], bordered, kernel)
            })
            .collect::<Vec<_>>();
        images
            .par_chunks_mut(self.image_len())
            .zip(grad.par_chunks(self.out_len()))
            .for_each_init(Vec::new, |room, (image, grad)| {
                let grad = bordered.around(grad, self.out_width(), self.out_channels, room);
                for (filter, pixels) in &phases {
                    filter.apply(grad, bordered.row(), pixels, image);
                }
            });
        images
    }

    /// The part of the kernel and the pixels of one phase; `None` if no part of the kernel meets
    /// them.
    fn phase(
        &self,
        phase: [usize; 2],
        bordered: Bordered,
        kernel: &[f32],
    ) -> Option<(Filter, Vec<Pixel>)> {
        let (side, stride) = (self.kernel, self.stride);
        let [rows, columns] = phase.map(|first| side.saturating_sub(first).div_ceil(stride));
        if rows * columns == 0 {
            return None;
        }
        let (inputs, area) = (self.channels, side * side);
        let filter = Filter::new(
            inputs,
            rows,
            columns * self.out_channels,
            |row, at, input| {
                let (column, output) = (at / self.out_channels, at % self.out_channels);
                let row = phase[0] + stride * (rows - 1 - row);
                let column = phase[1] + stride * (columns - 1 - column);
                kernel[(output * inputs + input) * area + row * side + column]
            },
        );
        // Pixels along one axis: `stride * step + phase - padding`, by their step.
        let along = |size: usize, first: usize| {
            let begin = self.padding.saturating_sub(first).div_ceil(stride);
            (begin..)
                .map(move |step| (step, stride * step + first - self.padding))
                .take_while(move |(_, at)| *at < size)
        };
        let (up, left) = (bordered.before + 1 - rows, bordered.before + 1 - columns);
        let pixels = along(self.height, phase[0])
            .flat_map(|(down, y)| {
                along(self.width, phase[1]).map(move |(right, x)| Pixel {
                    from: (down + up) * bordered.row() + (right + left) * self.out_channels,
                    to: (y * self.width + x) * inputs,
                })
            })
            .collect();
        Some((filter, pixels))
    }

    /// Gradient of the kernel, `[out, in, side, side]`.
    pub fn backward_kernel(&self, images: &[f32], grad: &[f32]) -> Vec<f32> {
        let (side, channels) = (self.kernel, self.channels);
        let area = side * side;
        let mut kernel = vec![0.0; self.out_channels * channels * area];
        if self.is_empty() {
            return kernel;
        }
        let bordered = self.bordered();
        let sizes = KernelSum {
            rows: side,
            run: self.run().next_multiple_of(QUAD),
            outputs: self.out_channels,
            out: [self.out_height(), self.out_width()],
            row: bordered.row(),
            down: self.stride * bordered.row(),
            right: self.stride * channels,
        };
        let count = self.batch.div_ceil(PIECES);
        let parts = images
            .par_chunks(count * self.image_len())
            .zip(grad.par_chunks(count * self.out_len()))
            .map(|(images, grads)| {
                let mut sum = vec![0.0; sizes.len()];
                let mut room = Vec::new();
                let mut panels = Aligned::zeros(sizes.panels_len());
                for (image, grad) in images
                    .chunks_exact(self.image_len())
                    .zip(grads.chunks_exact(self.out_len()))
                {
                    let image = bordered.around(image, self.width, self.run(), &mut room);
                    sizes.panels(grad, panels.get_mut());
                    sizes.add(image, panels.get(), &mut sum);
                }
                sum
            })
            .collect::<Vec<_>>();
        let total = sum(parts, sizes.len());
        for (index, value) in kernel.iter_mut().enumerate() {
            let (pair, tap) = (index / area, index % area);
            let (output, channel) = (pair / channels, pair % channels);
            let at = (tap % side) * channels + channel;
            *value = total[sizes.index(tap / side, at, output)];
        }
        kernel
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
