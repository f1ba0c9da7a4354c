//! Products of few rows with a matrix that stays the same, as in planning one chunk.
//!
//! With a dozen rows a product is little more than reading the matrix once, so that its layout
//! decides: here columns lie in panels that are read from beginning to end, and the sums of all rows
//! over a panel's columns stay in registers. A panel is read at [`STREAMS`] places at once, because
//! one core hides little of the memory's delay with a single stream. The order of additions is the
//! same whatever the processor's vectors.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::aligned::{Aligned, LINE};

/// Columns of a panel: two of the widest vectors.
const PANEL: usize = 32;

/// Places at which a panel is read.
const STREAMS: usize = 4;

/// Multiplications per thread that are worth waking it.
const WORTH: usize = 2_000_000;

/// A matrix, and what is added to its products.
#[derive(Debug)]
pub struct Packed {
    inputs: usize,
    outputs: usize,
    /// `[panels, inputs, PANEL]`, filled up with zeros.
    panels: Aligned,
    offset: Option<Vec<f32>>,
}

/// One matrix of several that lie side by side: `[inputs, outputs]`, row-major, and its offset.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Columns.
    pub outputs: usize,
    /// Numbers.
    pub weight: &'a [f32],
    /// Numbers, or none for zeros.
    pub offset: Option<&'a [f32]>,
}

/// Memory for the products of one thread, used again and again.
#[derive(Debug, Default)]
pub struct Scratch {
    columns: Vec<f32>,
    sums: Vec<f32>,
}

impl Packed {
    /// Matrices of `inputs` rows side by side.
    pub fn new(inputs: usize, parts: &[Part<'_>]) -> Self {
        let outputs = parts.iter().map(|part| part.outputs).sum::<usize>();
        let mut panels = Aligned::zeros(outputs.div_ceil(PANEL) * inputs * PANEL);
        let mut first = 0;
        for part in parts {
            let rows = part.weight.chunks_exact(part.outputs.max(1));
            for (input, row) in rows.take(inputs).enumerate() {
                for (column, value) in row.iter().enumerate() {
                    let (panel, lane) = ((first + column) / PANEL, (first + column) % PANEL);
                    panels.get_mut()[(panel * inputs + input) * PANEL + lane] = *value;
                }
            }
            first += part.outputs;
        }
        let offset = parts.iter().any(|part| part.offset.is_some()).then(|| {
            let offsets = parts.iter().flat_map(|part| {
                (0..part.outputs).map(|at| part.offset.map_or(0.0, |offset| offset[at]))
            });
            offsets.collect()
        });
        Self {
            inputs,
            outputs,
            panels,
            offset,
        }
    }

    /// Columns of the matrix.
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Bytes of the matrix.
    pub fn bytes(&self) -> usize {
        self.panels.len() * size_of::<f32>()
    }

    /// `rows * matrix + offset`: `[count, inputs]` to `[count, outputs]`, both row-major.
    pub fn product(&self, rows: &[f32], out: &mut [f32], scratch: &mut Scratch) {
        let count = rows.len() / self.inputs.max(1);
        if count == 0 || self.outputs == 0 || self.inputs == 0 {
            return;
        }
        let block = rows_at_once();
        let Scratch { columns, sums } = scratch;
        transpose(rows, self.inputs, block, columns);
        sums.resize(self.outputs.div_ceil(PANEL) * count * PANEL, 0.0);
        let panels = self.panels.get().par_chunks_exact(self.inputs * PANEL);
        let tiles = sums.par_chunks_exact_mut(count * PANEL);
        let columns = columns.as_slice();
        let one = |panel: &[f32], tile: &mut [f32]| {
            Arch::new().dispatch(Tiles {
                panel,
                columns,
                inputs: self.inputs,
                block,
                tile,
            });
        };
        if rayon::current_num_threads() > 1 && count * self.panels.len() > 2 * WORTH {
            panels.zip(tiles).for_each(|(panel, tile)| one(panel, tile));
        } else {
            let panels = self.panels.get().chunks_exact(self.inputs * PANEL);
            let tiles = sums.chunks_exact_mut(count * PANEL);
            panels.zip(tiles).for_each(|(panel, tile)| one(panel, tile));
        }
        self.scatter(sums, count, out);
    }

    /// From tiles, `[panels, count, PANEL]`, to rows.
    fn scatter(&self, sums: &[f32], count: usize, out: &mut [f32]) {
        for (row, out) in out.chunks_exact_mut(self.outputs).take(count).enumerate() {
            for (panel, out) in out.chunks_mut(PANEL).enumerate() {
                let sums = &sums[(panel * count + row) * PANEL..][..out.len()];
                match &self.offset {
                    Some(offset) => {
                        let offset = &offset[panel * PANEL..];
                        for ((out, sum), offset) in out.iter_mut().zip(sums).zip(offset) {
                            *out = sum + offset;
                        }
                    }
                    None => out.copy_from_slice(sums),
                }
            }
        }
    }
}

/// Rows whose sums over a panel fit into the registers.
fn rows_at_once() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            if S::F32_LANES >= LINE { 12 } else { 3 }
        }
    }
    Arch::new().dispatch(Lanes)
}

/// Rows in blocks of `block`, each block `[inputs, rows of the block]`.
fn transpose(rows: &[f32], inputs: usize, block: usize, columns: &mut Vec<f32>) {
    columns.clear();
    for rows in rows.chunks(block * inputs) {
        let count = rows.len() / inputs;
        let start = columns.len();
        columns.resize(start + count * inputs, 0.0);
        for (row, values) in rows.chunks_exact(inputs).enumerate() {
            let column = columns[start..].iter_mut().skip(row).step_by(count);
            for (column, value) in column.zip(values) {
                *column = *value;
            }
        }
    }
}

/// The products of all rows with one panel.
struct Tiles<'a> {
    panel: &'a [f32],
    columns: &'a [f32],
    inputs: usize,
    block: usize,
    tile: &'a mut [f32],
}

impl WithSimd for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 2>(simd),
            8 => self.run::<S, 4>(simd),
            4 => self.run::<S, 8>(simd),
            _ => self.run::<S, PANEL>(simd),
        }
    }
}

impl Tiles<'_> {
    #[inline(always)]
    fn run<S: Simd, const VECTORS: usize>(self, simd: S) {
        let (panel, _) = S::as_simd_f32s(self.panel);
        let (panel, _) = panel.as_chunks::<VECTORS>();
        let columns = self.columns.chunks(self.block * self.inputs);
        let tiles = self.tile.chunks_mut(self.block * PANEL);
        for (columns, tile) in columns.zip(tiles) {
            match columns.len() / self.inputs {
                1 => sums::<S, VECTORS, 1>(simd, panel, columns, tile),
                2 => sums::<S, VECTORS, 2>(simd, panel, columns, tile),
                3 => sums::<S, VECTORS, 3>(simd, panel, columns, tile),
                4 => sums::<S, VECTORS, 4>(simd, panel, columns, tile),
                5 => sums::<S, VECTORS, 5>(simd, panel, columns, tile),
                6 => sums::<S, VECTORS, 6>(simd, panel, columns, tile),
                7 => sums::<S, VECTORS, 7>(simd, panel, columns, tile),
                8 => sums::<S, VECTORS, 8>(simd, panel, columns, tile),
                9 => sums::<S, VECTORS, 9>(simd, panel, columns, tile),
                10 => sums::<S, VECTORS, 10>(simd, panel, columns, tile),
                11 => sums::<S, VECTORS, 11>(simd, panel, columns, tile),
                _ => sums::<S, VECTORS, 12>(simd, panel, columns, tile),
            }
        }
    }
}

/// `tile = columnsᵀ * panel` for `ROWS` rows.
#[inline(always)]
fn sums<S: Simd, const VECTORS: usize, const ROWS: usize>(
    simd: S,
    panel: &[[S::f32s; VECTORS]],
    columns: &[f32],
    tile: &mut [f32],
) {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    let (columns, _) = columns.as_chunks::<ROWS>();
    let part = panel.len() / STREAMS;
    let parts = |at: usize| {
        let (weights, values) = (&panel[at * part..], &columns[at * part..]);
        weights.iter().zip(values).take(part)
    };
    let streams = parts(0).zip(parts(1)).zip(parts(2).zip(parts(3)));
    for ((first, second), (third, fourth)) in streams {
        add(simd, &mut sums, first);
        add(simd, &mut sums, second);
        add(simd, &mut sums, third);
        add(simd, &mut sums, fourth);
    }
    let rest = STREAMS * part;
    for pair in panel[rest..].iter().zip(&columns[rest..]) {
        add(simd, &mut sums, pair);
    }
    let (tile, _) = S::as_mut_simd_f32s(tile);
    let (tile, _) = tile.as_chunks_mut::<VECTORS>();
    for (tile, sums) in tile.iter_mut().zip(sums) {
        *tile = sums;
    }
}

/// Adds the products of one input.
#[inline(always)]
fn add<S: Simd, const VECTORS: usize, const ROWS: usize>(
    simd: S,
    sums: &mut [[S::f32s; VECTORS]; ROWS],
    (weights, values): (&[S::f32s; VECTORS], &[f32; ROWS]),
) {
    for (sums, value) in sums.iter_mut().zip(values) {
        let value = simd.splat_f32s(*value);
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum = simd.mul_add_e_f32s(value, *weight, *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn products_are_those_of_the_matrix() {
        let mut scratch = Scratch::default();
        for (count, inputs, outputs) in [(1, 5, 7), (10, 64, 96), (13, 33, 100), (27, 8, 32)] {
            let rows = numbers(count * inputs, 1);
            let first = numbers(inputs * outputs, 2);
            let second = numbers(inputs * 3, 3);
            let offset = numbers(outputs, 4);
            let packed = Packed::new(
                inputs,
                &[
                    Part {
                        outputs,
                        weight: &first,
                        offset: Some(&offset),
                    },
                    Part {
                        outputs: 3,
                        weight: &second,
                        offset: None,
                    },
                ],
            );
            let mut out = vec![f32::NAN; count * (outputs + 3)];
            packed.product(&rows, &mut out, &mut scratch);
            for (row, out) in out.chunks_exact(outputs + 3).enumerate() {
                for (column, out) in out.iter().enumerate() {
                    let value = |input: usize| match column.checked_sub(outputs) {
                        None => first[input * outputs + column],
                        Some(column) => second[input * 3 + column],
                    };
                    let sum = (0..inputs).map(|i| rows[row * inputs + i] * value(i));
                    let expected = sum.sum::<f32>() + offset.get(column).unwrap_or(&0.0);
                    assert!((out - expected).abs() < 1e-4, "{row} {column}");
                }
            }
        }
    }

    #[test]
    fn no_rows_are_no_work() {
        let packed = Packed::new(4, &[]);
        packed.product(&[], &mut [], &mut Scratch::default());
    }
}
