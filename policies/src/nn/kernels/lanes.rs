//! Loops over numbers in the widest vectors that the processor has.
//!
//! The compiler vectorises plain loops for the least processor of its target. Loops that run inside
//! [`widest`] are compiled for the better ones too, and the choice is made at run time.

use rayon::prelude::*;

/// Runs `f`, compiled for the widest vectors. What `f` calls must be `#[inline(always)]`.
///
/// A closure longer than a simple loop becomes a function of its own, compiled for the least
/// processor: in its place goes a type whose [`pulp::NullaryFnOnce::call`] is `#[inline(always)]`.
#[inline]
pub fn widest<F: pulp::NullaryFnOnce>(f: F) -> F::Output {
    pulp::Arch::new().dispatch(f)
}

/// Accumulators of a sum: enough to fill a 512-bit register.
const LANES: usize = 16;

/// Sum of `f(a, b)` over pairs. The order of additions is fixed, so that the result is the same on
/// every processor.
#[inline(always)]
pub fn sum_pairs(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f(*a, *b);
        }
    }
    let mut rest = 0.0;
    for (a, b) in a_rest.iter().zip(b_rest) {
        rest += f(*a, *b);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0] + rest
}

/// Dot product.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    sum_pairs(a, b, |a, b| a * b)
}

/// `to += factor * from`.
#[inline(always)]
pub fn add_scaled(to: &mut [f32], factor: f32, from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}

/// `e^x`, to about 2 units in the last place; 0 below -87, and at most e^88.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    /// Adding it rounds to an integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let rounded = x * LOG2_E + ROUND;
    let whole = rounded - ROUND;
    // ln 2 in two parts keeps the remainder exact.
    let rest = (x - whole * 0.693_359_4) - whole * -2.121_944_4e-4;
    let series = 1.0 / 5040.0;
    let series = series * rest + 1.0 / 720.0;
    let series = series * rest + 1.0 / 120.0;
    let series = series * rest + 1.0 / 24.0;
    let series = series * rest + 1.0 / 6.0;
    let series = series * rest + 0.5;
    let series = series * rest + 1.0;
    let series = series * rest + 1.0;
    let exponent = rounded
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .wrapping_add(127);
    series * f32::from_bits(exponent << 23)
}

/// Calls `f` with the number and the values of every chunk of `out`, in parallel if there are
/// several. A single chunk, as in inference, is not worth waking another thread.
pub fn for_chunks(out: &mut [f32], len: usize, f: impl Fn(usize, &mut [f32]) + Sync + Send) {
    if out.len() <= len {
        f(0, out);
    } else {
        out.par_chunks_mut(len)
            .enumerate()
            .for_each(|(index, out)| f(index, out));
    }
}
