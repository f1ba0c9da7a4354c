//! Procedural patterns, as factors on the color of a material.

use super::lanes::{Lanes, Lanes3, Mask, fraction, select, splat};
use super::scene::Texture;

/// A pattern at one place.
pub(super) struct Pattern {
    /// Factor on the color, in 0..=1.
    pub(super) shade: Lanes,
    /// 0 or 1; changes where the pattern has an edge worth smoothing.
    pub(super) cell: Lanes,
}

/// Factor of the dark cells of checkers and stripes.
const DARK: f32 = 0.38;

/// The pattern at `p`, a position in the frame of the shape in units of cells.
#[inline(always)]
pub(super) fn pattern(texture: Texture, p: Lanes3) -> Pattern {
    match texture {
        Texture::None => Pattern {
            shade: splat(1.0),
            cell: splat(0.0),
        },
        Texture::Checker => two_tone(odd(p.x.floor() + p.y.floor() + p.z.floor())),
        Texture::Stripes => two_tone(odd((p.x + p.z).floor())),
        Texture::Planks => planks(p),
        Texture::Noise => {
            let smooth =
                value_noise(p) * splat(0.7) + value_noise(p.scaled(splat(2.3))) * splat(0.3);
            Pattern {
                shade: splat(0.5) + smooth * splat(0.5),
                cell: splat(0.0),
            }
        }
    }
}

#[inline(always)]
fn two_tone(dark: Mask) -> Pattern {
    Pattern {
        shade: select(dark, splat(DARK), splat(1.0)),
        cell: select(dark, splat(1.0), splat(0.0)),
    }
}

/// Whether a whole number is odd.
#[inline(always)]
fn odd(value: Lanes) -> Mask {
    fraction(value * splat(0.5)).cmpgt(splat(0.25))
}

#[inline(always)]
fn planks(p: Lanes3) -> Pattern {
    let across = p.x + p.z;
    let board = across.floor();
    // Boards are five cells long and begin at a different place in each row.
    let along = p.y * splat(0.2) + hash(board, splat(3.0));
    let piece = along.floor();
    let tone = hash(board, piece);
    let grain = value_noise(Lanes3::new(
        across * splat(9.0),
        p.y * splat(0.9),
        splat(0.0),
    ));
    let seam = fraction(across).cmplt(splat(0.05)) | fraction(along).cmplt(splat(0.012));
    let wood = splat(0.7) + tone * splat(0.2) + grain * splat(0.1);
    Pattern {
        shade: select(seam, splat(0.42), wood),
        cell: select(seam, splat(1.0), splat(0.0)),
    }
}

/// A number in 0..1 for each pair of whole numbers, without visible order.
#[inline(always)]
fn hash(a: Lanes, b: Lanes) -> Lanes {
    // Products of fractional parts scramble well enough for looks and need no integers.
    let p = fraction(a * splat(0.754_877_7) + b * splat(0.569_840_3) + splat(0.137));
    let q = p * (p + splat(17.31)) * splat(3.917);
    let r = fraction(q) + splat(0.31);
    fraction(r * (r + splat(23.17)) * splat(5.713))
}

/// Smooth noise in 0..1 with one random value per lattice point.
#[inline(always)]
fn value_noise(p: Lanes3) -> Lanes {
    let x0 = p.x.floor();
    let y0 = p.y.floor();
    let z0 = p.z.floor();
    let x = smooth(p.x - x0);
    let y = smooth(p.y - y0);
    let z = smooth(p.z - z0);
    let one = splat(1.0);
    let layer = |z: Lanes| {
        let shift = z * splat(57.0);
        let corner = |dx: f32, dy: f32| hash(x0 + splat(dx) + shift, y0 + splat(dy) - shift);
        let low = mix(corner(0.0, 0.0), corner(1.0, 0.0), x);
        let high = mix(corner(0.0, 1.0), corner(1.0, 1.0), x);
        mix(low, high, y)
    };
    mix(layer(z0), layer(z0 + one), z)
}

#[inline(always)]
fn smooth(t: Lanes) -> Lanes {
    t * t * (splat(3.0) - splat(2.0) * t)
}

#[inline(always)]
fn mix(a: Lanes, b: Lanes, t: Lanes) -> Lanes {
    a + (b - a) * t
}
