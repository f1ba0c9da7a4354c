//! Procedural patterns, as factors on the color of a material.
//!
//! Edges of patterns are averaged over the footprint of a pixel in closed form, so they stay smooth
//! at any distance without more rays, and a far pattern fades to its mean.

use super::lanes::{Lanes, Lanes3, fraction, splat};
use super::scene::Texture;

/// Factor on the color in the dark cells of checkers and stripes.
const DARK: f32 = 0.38;
/// Factor on the color in the seams between boards.
const SEAM: f32 = 0.42;

/// The factor on the color, in 0..=1, at a position in cells. `size` is the width of the footprint
/// of a pixel along each axis, in cells and greater than zero.
#[inline(always)]
pub(super) fn shade(texture: Texture, p: Lanes3, size: Lanes3) -> Lanes {
    match texture {
        Texture::None => splat(1.0),
        Texture::Checker => {
            two_tone(square_wave(p.x, size.x) * square_wave(p.y, size.y) * square_wave(p.z, size.z))
        }
        Texture::Stripes => two_tone(square_wave(p.x + p.z, size.x + size.z)),
        Texture::Planks => planks(p, size),
        Texture::Noise => {
            let coarse = value_noise(p.x, p.y, p.z);
            let double = splat(2.3);
            let fine = value_noise(p.x * double, p.y * double, p.z * double);
            splat(0.45) + coarse * splat(0.38) + fine * splat(0.17)
        }
    }
}

/// Light where the wave is 1, dark where it is -1.
#[inline(always)]
fn two_tone(wave: Lanes) -> Lanes {
    splat((1.0 + DARK) * 0.5) + wave * splat((1.0 - DARK) * 0.5)
}

/// 1 in even cells and -1 in odd ones, averaged over a footprint.
#[inline(always)]
fn square_wave(position: Lanes, size: Lanes) -> Lanes {
    // Distance to the middle of an even cell, in double cells: 0.25 at the edge.
    let distance = (fraction(position * splat(0.5) + splat(0.25)) - splat(0.5)).abs();
    let ramp = (splat(1.0) - distance * splat(4.0)) / size;
    ramp.max(splat(-1.0)).min(splat(1.0))
}

/// How much of a footprint lies in the band `0..width` at the beginning of each cell.
#[inline(always)]
fn band(position: Lanes, width: f32, size: Lanes) -> Lanes {
    let half = splat(width * 0.5);
    let distance = (fraction(position - half + splat(0.5)) - splat(0.5)).abs();
    let overlap = half + size * splat(0.5) - distance;
    overlap.max(splat(0.0)).min(size).min(splat(width)) / size.min(splat(1.0))
}

#[inline(always)]
fn planks(p: Lanes3, size: Lanes3) -> Lanes {
    let across = p.x + p.z;
    let across_size = size.x + size.z;
    let board = across.floor();
    // Boards are five cells long and begin at a different place in each row.
    let along = p.y * splat(0.2) + hash(board, splat(3.0));
    let tone = hash(board, along.floor());
    let grain = value_noise(across * splat(9.0), p.y * splat(0.9), splat(0.0));
    let visible = (splat(1.5) - across_size * splat(6.0))
        .max(splat(0.0))
        .min(splat(1.0));
    let wood = splat(0.75) + tone * splat(0.2) + (grain - splat(0.5)) * visible * splat(0.1);
    let seam = band(across, 0.05, across_size).max(band(along, 0.012, size.y * splat(0.2)));
    wood + (splat(SEAM) - wood) * seam
}

/// A number in 0..1 for each pair of whole numbers, without visible order.
#[inline(always)]
fn hash(a: Lanes, b: Lanes) -> Lanes {
    // Products of fractional parts scramble well enough for looks and need no integers.
    let p = fraction(a * splat(0.754_877_7) + b * splat(0.569_840_3) + splat(0.137));
    fraction(p * (p + splat(17.31)) * splat(39.173))
}

/// Smooth noise in 0..1 with one random value per lattice point.
#[inline(always)]
fn value_noise(x: Lanes, y: Lanes, z: Lanes) -> Lanes {
    let (x0, y0, z0) = (x.floor(), y.floor(), z.floor());
    let (x, y, z) = (smooth(x - x0), smooth(y - y0), smooth(z - z0));
    let one = splat(1.0);
    let layer = |z: Lanes| {
        let shift = z * splat(57.0);
        let (x0, y0) = (x0 + shift, y0 - shift);
        let low = mix(hash(x0, y0), hash(x0 + one, y0), x);
        let high = mix(hash(x0, y0 + one), hash(x0 + one, y0 + one), x);
        mix(low, high, y)
    };
    let near = layer(z0);
    if z.cmpeq(splat(0.0)).all() {
        return near;
    }
    mix(near, layer(z0 + one), z)
}

#[inline(always)]
fn smooth(t: Lanes) -> Lanes {
    t * t * (splat(3.0) - splat(2.0) * t)
}

#[inline(always)]
fn mix(a: Lanes, b: Lanes, t: Lanes) -> Lanes {
    a + (b - a) * t
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    /// Mean of `f` over a footprint, by sums.
    fn mean(f: impl Fn(f32) -> f32, at: f32, size: f32) -> f32 {
        let n = 4000;
        (0..n)
            .map(|i| f(at + size * ((i as f32 + 0.5) / n as f32 - 0.5)))
            .sum::<f32>()
            / n as f32
    }

    #[test]
    fn filtered_edges_are_the_means_of_hard_ones() {
        let hard_wave = |u: f32| {
            if u.floor().rem_euclid(2.0) < 0.5 {
                1.0
            } else {
                -1.0
            }
        };
        let hard_band = |u: f32| f32::from(u.rem_euclid(1.0) < 0.05);
        for at in (-60..60).map(|i| i as f32 * 0.137) {
            for size in [0.01, 0.04, 0.2, 0.7, 0.9] {
                let wave = square_wave(splat(at), splat(size)).to_array()[0];
                assert!(
                    (wave - mean(hard_wave, at, size)).abs() < 2e-2,
                    "{at} {size}"
                );
                let seam = band(splat(at), 0.05, splat(size)).to_array()[0];
                assert!(
                    (seam - mean(hard_band, at, size)).abs() < 2e-2,
                    "{at} {size} {seam}"
                );
            }
        }
    }

    #[test]
    fn shades_stay_in_range_and_vary() {
        for texture in Texture::ALL {
            let (mut low, mut high) = (f32::MAX, f32::MIN);
            for i in -40..40 {
                for j in -40..40 {
                    let p = Lanes3::new(
                        splat(i as f32 * 0.23),
                        splat(j as f32 * 0.31),
                        splat((i * j) as f32 * 0.07),
                    );
                    let size = splat(0.02);
                    let value = shade(texture, p, Lanes3::new(size, size, size)).to_array()[0];
                    low = low.min(value);
                    high = high.max(value);
                }
            }
            assert!(low >= 0.3 && high <= 1.0, "{texture:?} {low} {high}");
            assert!(
                texture == Texture::None || high - low > 0.2,
                "{texture:?} {low} {high}"
            );
        }
    }

    #[test]
    fn hash_spreads_evenly() {
        let mut counts = [0_u32; 10];
        for i in -50..50 {
            for j in -50..50 {
                let value = hash(splat(i as f32), splat(j as f32)).to_array()[0];
                counts[(value * 10.0) as usize] += 1;
            }
        }
        assert!(counts.iter().all(|n| (800..1200).contains(n)), "{counts:?}");
    }
}
