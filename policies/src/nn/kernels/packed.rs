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

/// How exactly the numbers of a matrix are kept. Products and sums are always of 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// As they are: 32 bits.
    #[default]
    Single,
    /// Rounded to 16 bits of which 8 are the exponent (bfloat16): half of the bytes to read, and a
    /// relative error of at most 2⁻⁹ per number.
    Brief,
}

/// A matrix, and what is added to its products.
#[derive(Debug)]
pub struct Packed {
    inputs: usize,
    outputs: usize,
    panels: Panels,
    offset: Option<Vec<f32>>,
}

/// The numbers of a matrix, filled up with zeros.
#[derive(Debug)]
enum Panels {
    /// `[panels, inputs, PANEL]`.
    Single(Aligned),
    /// `[panels, inputs, PANEL / 2]`: the numbers of columns `i` (low bits) and `i + PANEL / 2`
    /// (high bits) of a panel together, so that they are taken apart without shuffling.
    Brief(Aligned<u32>),
}

impl Panels {
    fn zeros(precision: Precision, len: usize) -> Self {
        match precision {
            Precision::Single => Self::Single(Aligned::zeros(len)),
            Precision::Brief => Self::Brief(Aligned::zeros(len / 2)),
        }
    }

    /// Writes the number of a `lane` in the `row`-th row of all panels.
    fn set(&mut self, row: usize, lane: usize, value: f32) {
        match self {
            Self::Single(panels) => panels.get_mut()[row * PANEL + lane] = value,
            Self::Brief(panels) => {
                let half = PANEL / 2;
                let pair = &mut panels.get_mut()[row * half + lane % half];
                let shift = if lane < half { 0 } else { 16 };
                *pair = (*pair & !(0xffff << shift)) | (brief(value) << shift);
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Single(panels) => panels.len() * size_of::<f32>(),
            Self::Brief(panels) => panels.len() * size_of::<u32>(),
        }
    }
}

/// The upper 16 bits of the nearest bfloat16; of two equally near the even one.
fn brief(value: f32) -> u32 {
    let bits = value.to_bits();
    if value.is_nan() {
        // Rounding could carry into the exponent.
        return (bits >> 16) | 1;
    }
    (bits + 0x7fff + ((bits >> 16) & 1)) >> 16
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
    pub fn new(inputs: usize, parts: &[Part<'_>], precision: Precision) -> Self {
        let outputs = parts.iter().map(|part| part.outputs).sum::<usize>();
        let mut panels = Panels::zeros(precision, outputs.div_ceil(PANEL) * inputs * PANEL);
        let mut first = 0;
        for part in parts {
            let rows = part.weight.chunks_exact(part.outputs.max(1));
            for (input, row) in rows.take(inputs).enumerate() {
                for (column, value) in row.iter().enumerate() {
                    let (panel, lane) = ((first + column) / PANEL, (first + column) % PANEL);
                    panels.set(panel * inputs + input, lane, *value);
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
        self.panels.bytes()
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
        let rows = Rows {
            columns: columns.as_slice(),
            inputs: self.inputs,
            block,
        };
        match &self.panels {
            Panels::Single(panels) => rows.times(panels.get(), PANEL, sums, |panel, tile| {
                Arch::new().dispatch(Tiles { panel, rows, tile });
            }),
            Panels::Brief(panels) => rows.times(panels.get(), PANEL / 2, sums, |panel, tile| {
                Arch::new().dispatch(BriefTiles { panel, rows, tile });
            }),
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

/// The rows of a product, transposed in blocks.
#[derive(Clone, Copy)]
struct Rows<'a> {
    columns: &'a [f32],
    inputs: usize,
    block: usize,
}

impl Rows<'_> {
    /// Calls `one` with every panel, `width` numbers per input, and its tile of the sums.
    fn times<T: Sync>(
        &self,
        panels: &[T],
        width: usize,
        sums: &mut [f32],
        one: impl Fn(&[T], &mut [f32]) + Sync + Send,
    ) {
        let count = self.columns.len() / self.inputs;
        let work = panels.len() / width * PANEL * count;
        let panels = panels.chunks_exact(self.inputs * width);
        if rayon::current_num_threads() > 1 && work > 2 * WORTH {
            let tiles = sums.par_chunks_exact_mut(count * PANEL);
            let panels = panels.collect::<Vec<_>>();
            panels
                .into_par_iter()
                .zip(tiles)
                .for_each(|(panel, tile)| one(panel, tile));
        } else {
            let tiles = sums.chunks_exact_mut(count * PANEL);
            panels.zip(tiles).for_each(|(panel, tile)| one(panel, tile));
        }
    }

    /// The products with one panel, whose vectors of an input `read` gives.
    #[inline(always)]
    fn tile<S: Simd, T, const VECTORS: usize>(
        &self,
        simd: S,
        panel: &[T],
        read: impl Fn(&T) -> [S::f32s; VECTORS] + Copy,
        tile: &mut [f32],
    ) {
        let columns = self.columns.chunks(self.block * self.inputs);
        let tiles = tile.chunks_mut(self.block * PANEL);
        for (columns, tile) in columns.zip(tiles) {
            match columns.len() / self.inputs {
                1 => sums::<S, T, VECTORS, 1>(simd, panel, read, columns, tile),
                2 => sums::<S, T, VECTORS, 2>(simd, panel, read, columns, tile),
                3 => sums::<S, T, VECTORS, 3>(simd, panel, read, columns, tile),
                4 => sums::<S, T, VECTORS, 4>(simd, panel, read, columns, tile),
                5 => sums::<S, T, VECTORS, 5>(simd, panel, read, columns, tile),
                6 => sums::<S, T, VECTORS, 6>(simd, panel, read, columns, tile),
                7 => sums::<S, T, VECTORS, 7>(simd, panel, read, columns, tile),
                8 => sums::<S, T, VECTORS, 8>(simd, panel, read, columns, tile),
                9 => sums::<S, T, VECTORS, 9>(simd, panel, read, columns, tile),
                10 => sums::<S, T, VECTORS, 10>(simd, panel, read, columns, tile),
                11 => sums::<S, T, VECTORS, 11>(simd, panel, read, columns, tile),
                _ => sums::<S, T, VECTORS, 12>(simd, panel, read, columns, tile),
            }
        }
    }
}

/// The products of all rows with one panel.
struct Tiles<'a> {
    panel: &'a [f32],
    rows: Rows<'a>,
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
        self.rows.tile(simd, panel, |vectors| *vectors, self.tile);
    }
}

/// As [`Tiles`], with a panel of bfloat16.
struct BriefTiles<'a> {
    panel: &'a [u32],
    rows: Rows<'a>,
    tile: &'a mut [f32],
}

impl WithSimd for BriefTiles<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 1, 2>(simd),
            8 => self.run::<S, 2, 4>(simd),
            4 => self.run::<S, 4, 8>(simd),
            _ => self.run::<S, { PANEL / 2 }, PANEL>(simd),
        }
    }
}

impl BriefTiles<'_> {
    #[inline(always)]
    fn run<S: Simd, const PAIRS: usize, const VECTORS: usize>(self, simd: S) {
        let (panel, _) = S::as_simd_u32s(self.panel);
        let (panel, _) = panel.as_chunks::<PAIRS>();
        let shift = simd.splat_u32s(16);
        let upper = simd.splat_u32s(0xffff_0000);
        let read = |pairs: &[S::u32s; PAIRS]| {
            let mut vectors = [simd.splat_f32s(0.0); VECTORS];
            for (at, pair) in pairs.iter().enumerate() {
                let low = simd.wrapping_dyn_shl_u32s(*pair, shift);
                vectors[at] = simd.transmute_f32s_u32s(low);
                vectors[PAIRS + at] = simd.transmute_f32s_u32s(simd.and_u32s(*pair, upper));
            }
            vectors
        };
        self.rows.tile(simd, panel, read, self.tile);
    }
}

/// `tile = columnsᵀ * panel` for `ROWS` rows.
#[inline(always)]
fn sums<S: Simd, T, const VECTORS: usize, const ROWS: usize>(
    simd: S,
    panel: &[T],
    read: impl Fn(&T) -> [S::f32s; VECTORS],
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
        for (weights, values) in [first, second, third, fourth] {
            add(simd, &mut sums, &read(weights), values);
        }
    }
    let rest = STREAMS * part;
    for (weights, values) in panel[rest..].iter().zip(&columns[rest..]) {
        add(simd, &mut sums, &read(weights), values);
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
    weights: &[S::f32s; VECTORS],
    values: &[f32; ROWS],
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
        let sizes = [(1, 5, 7), (10, 64, 96), (13, 33, 100), (27, 8, 32)];
        let both = [Precision::Single, Precision::Brief];
        for ((count, inputs, outputs), precision) in sizes
            .into_iter()
            .flat_map(|size| both.map(|precision| (size, precision)))
        {
            let kept = |value: f32| match precision {
                Precision::Single => value,
                Precision::Brief => f32::from_bits(brief(value) << 16),
            };
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
                precision,
            );
            let mut out = vec![f32::NAN; count * (outputs + 3)];
            packed.product(&rows, &mut out, &mut scratch);
            for (row, out) in out.chunks_exact(outputs + 3).enumerate() {
                for (column, out) in out.iter().enumerate() {
                    let value = |input: usize| match column.checked_sub(outputs) {
                        None => first[input * outputs + column],
                        Some(column) => second[input * 3 + column],
                    };
                    let sum = (0..inputs).map(|i| rows[row * inputs + i] * kept(value(i)));
                    let expected = sum.sum::<f32>() + offset.get(column).unwrap_or(&0.0);
                    assert!((out - expected).abs() < 1e-4, "{row} {column}");
                }
            }
        }
    }

    #[test]
    fn brief_numbers_are_the_nearest() {
        let cases: [(f32, u32); 7] = [
            (1.0, 0x3f80),
            (-2.0, 0xc000),
            // Between 0x3f80 and 0x3f81: the even one, and beyond the middle the upper one.
            (f32::from_bits(0x3f80_8000), 0x3f80),
            (f32::from_bits(0x3f80_8001), 0x3f81),
            (f32::from_bits(0x3f81_8000), 0x3f82),
            (f32::INFINITY, 0x7f80),
            (f32::MAX, 0x7f80),
        ];
        for (value, bits) in cases {
            assert_eq!(brief(value), bits, "{value}");
        }
        let nan = f32::from_bits(0x7fff_ffff);
        assert!(f32::from_bits(brief(nan) << 16).is_nan());
    }

    #[test]
    fn no_rows_are_no_work() {
        let packed = Packed::new(4, &[], Precision::Single);
        packed.product(&[], &mut [], &mut Scratch::default());
    }
}
