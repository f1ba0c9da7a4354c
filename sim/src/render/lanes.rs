//! Arithmetic on four rays at once.
//!
//! `glam::Vec4` is one SIMD register on x86-64 and AArch64. Only correctly rounded operations are
//! used (+ - * / sqrt, comparison, selection, floor), and never a fused multiply-add, so every
//! machine computes the same bits. No operation here is allowed to meet a NaN, because the minimum
//! of a NaN and a number differs between machines; [`nonzero`] exists for that.

use glam::{BVec4A, Vec3, Vec4};

/// One number of each of four rays.
pub(super) type Lanes = Vec4;
/// One yes or no of each of four rays.
pub(super) type Mask = BVec4A;

/// All lanes hold `value`.
#[inline(always)]
pub(super) const fn splat(value: f32) -> Lanes {
    Lanes::splat(value)
}

/// `yes` where `mask`, else `no`.
#[inline(always)]
pub(super) fn select(mask: Mask, yes: Lanes, no: Lanes) -> Lanes {
    Lanes::select(mask, yes, no)
}

/// Square root of each lane; negative lanes must have been clamped before.
#[inline(always)]
pub(super) fn sqrt(value: Lanes) -> Lanes {
    // The method of glam calls a library function per lane; this becomes one instruction.
    let [a, b, c, d] = value.to_array();
    Lanes::new(a.sqrt(), b.sqrt(), c.sqrt(), d.sqrt())
}

/// The value, or a tiny number where it is so small that dividing by it would overflow.
#[inline(always)]
pub(super) fn nonzero(value: Lanes) -> Lanes {
    select(value.abs().cmplt(splat(1e-12)), splat(1e-12), value)
}

/// Part after the point, in 0..1, also of negative numbers.
#[inline(always)]
pub(super) fn fraction(value: Lanes) -> Lanes {
    value - value.floor()
}

/// One vector of each of four rays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes3 {
    pub(super) x: Lanes,
    pub(super) y: Lanes,
    pub(super) z: Lanes,
}

impl Lanes3 {
    #[inline(always)]
    pub(super) const fn new(x: Lanes, y: Lanes, z: Lanes) -> Self {
        Self { x, y, z }
    }

    #[inline(always)]
    pub(super) const fn splat(value: Vec3) -> Self {
        Self {
            x: splat(value.x),
            y: splat(value.y),
            z: splat(value.z),
        }
    }

    /// `self + scale * other`.
    #[inline(always)]
    pub(super) fn plus_scaled(self, scale: Lanes, other: Self) -> Self {
        Self {
            x: self.x + scale * other.x,
            y: self.y + scale * other.y,
            z: self.z + scale * other.z,
        }
    }

    #[inline(always)]
    pub(super) fn scaled(self, scale: Lanes) -> Self {
        Self {
            x: self.x * scale,
            y: self.y * scale,
            z: self.z * scale,
        }
    }

    #[inline(always)]
    pub(super) fn dot(self, other: Self) -> Lanes {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    #[inline(always)]
    pub(super) fn select(mask: Mask, yes: Self, no: Self) -> Self {
        Self {
            x: select(mask, yes.x, no.x),
            y: select(mask, yes.y, no.y),
            z: select(mask, yes.z, no.z),
        }
    }
}
