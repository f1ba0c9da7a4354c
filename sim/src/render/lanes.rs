//! Arithmetic on four rays at once.
//!
//! Only correctly rounded operations are offered (+ - * / sqrt, comparison, selection, floor), and
//! never a fused multiply-add, so every machine computes the same bits. No operation may meet a NaN
//! that can reach a pixel, because machines differ there; [`nonzero`] and the limits on scenes exist
//! for that.

use core::ops::{Add, BitAnd, BitAndAssign, BitOr, BitOrAssign, Div, Mul, Neg, Not, Sub};

use glam::Vec3;
use wide::f32x4;

/// One number of each of four rays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes(f32x4);

/// One yes (all bits) or no (no bits) of each of four rays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask(f32x4);

macro_rules! operator {
    ($type:ident, $trait:ident, $method:ident) => {
        impl $trait for $type {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self($trait::$method(self.0, other.0))
            }
        }
    };
}
operator!(Lanes, Add, add);
operator!(Lanes, Sub, sub);
operator!(Lanes, Mul, mul);
operator!(Lanes, Div, div);
operator!(Mask, BitAnd, bitand);
operator!(Mask, BitOr, bitor);

impl Neg for Lanes {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Not for Mask {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl BitAndAssign for Mask {
    #[inline(always)]
    fn bitand_assign(&mut self, other: Self) {
        *self = *self & other;
    }
}

impl BitOrAssign for Mask {
    #[inline(always)]
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

macro_rules! comparison {
    ($name:ident, $method:ident) => {
        #[inline(always)]
        pub(super) fn $name(self, other: Self) -> Mask {
            Mask(self.0.$method(other.0))
        }
    };
}

impl Lanes {
    #[inline(always)]
    pub(super) const fn new(a: f32, b: f32, c: f32, d: f32) -> Self {
        Self(f32x4::new([a, b, c, d]))
    }

    #[inline(always)]
    pub(super) const fn from_array(values: [f32; 4]) -> Self {
        Self(f32x4::new(values))
    }

    #[inline(always)]
    pub(super) fn to_array(self) -> [f32; 4] {
        self.0.to_array()
    }

    comparison!(cmpeq, simd_eq);
    comparison!(cmpne, simd_ne);
    comparison!(cmplt, simd_lt);
    comparison!(cmple, simd_le);
    comparison!(cmpgt, simd_gt);
    comparison!(cmpge, simd_ge);

    #[inline(always)]
    pub(super) fn min(self, other: Self) -> Self {
        Self(self.0.fast_min(other.0))
    }

    #[inline(always)]
    pub(super) fn max(self, other: Self) -> Self {
        Self(self.0.fast_max(other.0))
    }

    #[inline(always)]
    pub(super) fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// Largest whole number that is not greater, for values within 2^31.
    #[inline(always)]
    pub(super) fn floor(self) -> Self {
        // The method of the library calls a function per lane on plain x86-64.
        let whole = f32x4::from_i32x4(self.0.fast_trunc_int());
        Self(whole - (whole.simd_gt(self.0) & f32x4::ONE))
    }

    #[inline(always)]
    pub(super) fn min_element(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        a.min(b).min(c.min(d))
    }

    #[inline(always)]
    pub(super) fn max_element(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        a.max(b).max(c.max(d))
    }
}

impl Mask {
    /// No lane.
    pub(super) const NONE: Self = Self(f32x4::ZERO);

    #[inline(always)]
    pub(super) fn any(self) -> bool {
        self.0.any()
    }

    #[inline(always)]
    pub(super) fn all(self) -> bool {
        self.0.all()
    }
}

/// All lanes hold `value`.
#[inline(always)]
pub(super) const fn splat(value: f32) -> Lanes {
    Lanes(f32x4::new([value; 4]))
}

/// `yes` where `mask`, else `no`.
#[inline(always)]
pub(super) fn select(mask: Mask, yes: Lanes, no: Lanes) -> Lanes {
    Lanes(mask.0.select(yes.0, no.0))
}

/// Square root of each lane; negative lanes must have been clamped before.
#[inline(always)]
pub(super) fn sqrt(value: Lanes) -> Lanes {
    Lanes(value.0.sqrt())
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
