//! The inner loops of convolutions: sums over the pixels' surroundings that stay in registers.
//!
//! An image lies in memory with its border of zeros, channels last, so that what a row of the kernel
//! meets is one run of values. The sums of a dozen pixels over a panel of output channels take up
//! the registers; no matrix of patches is written. The order of additions is the same whatever the
//! processor's vectors.

use pulp::{Arch, Simd, WithSimd};

use super::aligned::Aligned;

/// Values of a run that are read without looking at its end; runs are filled up to multiples.
pub const QUAD: usize = 4;

/// Output channels of a panel: two of the widest vectors, or one if that leaves less empty.
const WIDE: usize = 32;
const NARROW: usize = 16;

/// Channels of the panels in which so many outputs are computed.
pub const fn panel_width(outputs: usize) -> usize {
    let last = outputs % WIDE;
    if last > 0 && last <= NARROW {
        NARROW
    } else {
        WIDE
    }
}

/// A kernel as the inner loops read it.
#[derive(Debug)]
pub struct Filter {
    /// `[panels, rows, run, width]`, filled up with zeros.
    panels: Aligned,
    width: usize,
    rows: usize,
    run: usize,
    outputs: usize,
}

/// Where a pixel's surroundings begin, and where its outputs are to go.
#[derive(Clone, Copy, Debug)]
pub struct Pixel {
    /// First value of the first run.
    pub from: usize,
    /// First output.
    pub to: usize,
}

impl Filter {
    /// A kernel of `rows` runs of `len` values each; `value(row, at, output)`.
    pub fn new(
        outputs: usize,
        rows: usize,
        len: usize,
        value: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let width = panel_width(outputs);
        let run = len.next_multiple_of(QUAD);
        let mut panels = Aligned::zeros(outputs.div_ceil(width) * rows * run * width);
        let panel_len = (rows * run * width).max(1);
        let each = panels.get_mut().chunks_exact_mut(panel_len);
        for (panel, first) in each.zip((0..outputs).step_by(width)) {
            let last = outputs.min(first + width);
            for (row, weights) in panel.chunks_exact_mut(run * width).enumerate() {
                for (at, weights) in weights.chunks_exact_mut(width).take(len).enumerate() {
                    for (weight, output) in weights.iter_mut().zip(first..last) {
                        *weight = value(row, at, output);
                    }
                }
            }
        }
        Self {
            panels,
            width,
            rows,
            run,
            outputs,
        }
    }

    /// Writes all outputs of `pixels` of an image whose rows are `row` values apart.
    pub fn apply(&self, image: &[f32], row: usize, pixels: &[Pixel], out: &mut [f32]) {
        Arch::new().dispatch(Apply {
            filter: self,
            image,
            row,
            pixels,
            out,
        });
    }
}

struct Apply<'a> {
    filter: &'a Filter,
    image: &'a [f32],
    row: usize,
    pixels: &'a [Pixel],
    out: &'a mut [f32],
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (S::F32_LANES, self.filter.width) {
            (16, NARROW) => self.run::<S, 1, 12>(simd),
            (16, _) => self.run::<S, 2, 12>(simd),
            (8, NARROW) => self.run::<S, 2, 6>(simd),
            (8, _) => self.run::<S, 4, 3>(simd),
            (4, NARROW) => self.run::<S, 4, 4>(simd),
            (4, _) => self.run::<S, 8, 2>(simd),
            (_, NARROW) => self.run::<S, NARROW, 1>(simd),
            _ => self.run::<S, WIDE, 1>(simd),
        }
    }
}

impl Apply<'_> {
    #[inline(always)]
    fn run<S: Simd, const VECTORS: usize, const PIXELS: usize>(mut self, simd: S) {
        let filter = self.filter;
        let panel_len = (filter.rows * filter.run * filter.width).max(1);
        let panels = filter.panels.get().chunks_exact(panel_len);
        for (panel, first) in panels.zip((0..filter.outputs).step_by(filter.width)) {
            let (panel, _) = S::as_simd_f32s(panel);
            let (panel, _) = panel.as_chunks::<VECTORS>();
            let mut rest = self.pixels;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(PIXELS));
                if now.len() <= 4 && PIXELS > 4 {
                    self.block::<S, VECTORS, 4>(simd, panel, now, first);
                } else {
                    self.block::<S, VECTORS, PIXELS>(simd, panel, now, first);
                }
                rest = later;
            }
        }
    }

    /// Outputs `first..` of up to `PIXELS` pixels.
    #[inline(always)]
    fn block<S: Simd, const VECTORS: usize, const PIXELS: usize>(
        &mut self,
        simd: S,
        panel: &[[S::f32s; VECTORS]],
        pixels: &[Pixel],
        first: usize,
    ) {
        let Some(last) = pixels.last() else { return };
        let mut starts = [last.from; PIXELS];
        for (start, pixel) in starts.iter_mut().zip(pixels) {
            *start = pixel.from;
        }
        let run = self.filter.run;
        let sums = sums::<S, VECTORS, PIXELS>(simd, self.image, self.row, starts, panel, run);
        let width = self.filter.width.min(self.filter.outputs - first);
        for (pixel, sums) in pixels.iter().zip(&sums) {
            let out = &mut self.out[pixel.to + first..][..width];
            let (whole, _) = S::as_mut_simd_f32s(out);
            if whole.len() == VECTORS {
                whole.copy_from_slice(sums);
            } else {
                out.copy_from_slice(&bytemuck::cast_slice::<S::f32s, f32>(sums)[..width]);
            }
        }
    }
}

/// Sums of `PIXELS` pixels over a panel.
#[inline(always)]
fn sums<S: Simd, const VECTORS: usize, const PIXELS: usize>(
    simd: S,
    image: &[f32],
    row: usize,
    starts: [usize; PIXELS],
    panel: &[[S::f32s; VECTORS]],
    run: usize,
) -> [[S::f32s; VECTORS]; PIXELS] {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; PIXELS];
    for (index, weights) in panel.chunks_exact(run).enumerate() {
        let mut runs: [&[[f32; QUAD]]; PIXELS] = [&[]; PIXELS];
        for (pixel, start) in runs.iter_mut().zip(starts) {
            *pixel = image[start + index * row..][..run].as_chunks::<QUAD>().0;
        }
        let (weights, _) = weights.as_chunks::<QUAD>();
        for (at, weights) in weights.iter().enumerate() {
            let mut quads = [&[0.0; QUAD]; PIXELS];
            for (quad, run) in quads.iter_mut().zip(&runs) {
                *quad = &run[at];
            }
            for (value, weights) in weights.iter().enumerate() {
                for (sums, quad) in sums.iter_mut().zip(&quads) {
                    let value = simd.splat_f32s(quad[value]);
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = simd.mul_add_e_f32s(value, *weight, *sum);
                    }
                }
            }
        }
    }
    sums
}
