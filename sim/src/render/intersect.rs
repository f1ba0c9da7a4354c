//! Where rays enter the primitives, in the frame of the primitive.

use glam::Vec3;

use super::lanes::{Lanes, Lanes3, nonzero, select, splat, sqrt};
use super::scene::Geometry;

/// Stands for "the ray misses". Finite, so that arithmetic on it stays free of NaN.
pub(super) const MISS: f32 = 1e30;

/// Parameter at which `origin + t * direction` enters the primitive from outside, or [`MISS`] when
/// it does not, or does so at a t not greater than `nearest`. Directions need not be unit vectors.
///
/// Rays that start inside a solid do not see it, so a camera may sit inside the body it is bolted to.
#[inline(always)]
pub(super) fn enter(geometry: Geometry, origin: Lanes3, direction: Lanes3, nearest: f32) -> Lanes {
    let (t, hit) = match geometry {
        Geometry::Cuboid { half } => cuboid(half, origin, direction),
        Geometry::Ball { radius } => ball(radius, origin, direction),
        Geometry::Cylinder {
            half_height,
            radius,
        } => cylinder(half_height, radius, origin, direction),
        Geometry::Capsule {
            half_height,
            radius,
        } => capsule(half_height, radius, origin, direction),
        Geometry::Plane => (
            -origin.z / nonzero(direction.z),
            splat(0.0).cmpeq(splat(0.0)),
        ),
    };
    select(hit & t.cmpgt(splat(nearest)), t, splat(MISS))
}

type Entry = (Lanes, super::lanes::Mask);

/// Times at which a ray crosses the two planes at `-half` and `half`, sorted.
#[inline(always)]
fn slab(half: f32, origin: Lanes, direction: Lanes) -> (Lanes, Lanes) {
    let inverse = splat(1.0) / nonzero(direction);
    let middle = -origin * inverse;
    let reach = inverse.abs() * splat(half);
    (middle - reach, middle + reach)
}

#[inline(always)]
fn cuboid(half: Vec3, origin: Lanes3, direction: Lanes3) -> Entry {
    let (x0, x1) = slab(half.x, origin.x, direction.x);
    let (y0, y1) = slab(half.y, origin.y, direction.y);
    let (z0, z1) = slab(half.z, origin.z, direction.z);
    let enter = x0.max(y0).max(z0);
    let leave = x1.min(y1).min(z1);
    (enter, enter.cmple(leave))
}

#[inline(always)]
fn ball(radius: f32, origin: Lanes3, direction: Lanes3) -> Entry {
    let a = nonzero(direction.dot(direction));
    let b = origin.dot(direction);
    let c = origin.dot(origin) - splat(radius * radius);
    let discriminant = b * b - a * c;
    let root = sqrt(discriminant.max(splat(0.0)));
    ((-b - root) / a, discriminant.cmpge(splat(0.0)))
}

/// Times at which a ray crosses the endless cylinder about z.
#[inline(always)]
fn tube(radius: f32, origin: Lanes3, direction: Lanes3) -> (Lanes, Lanes, super::lanes::Mask) {
    let a = nonzero(direction.x * direction.x + direction.y * direction.y);
    let b = origin.x * direction.x + origin.y * direction.y;
    let c = origin.x * origin.x + origin.y * origin.y - splat(radius * radius);
    let discriminant = b * b - a * c;
    let root = sqrt(discriminant.max(splat(0.0)));
    let inverse = splat(1.0) / a;
    (
        (-b - root) * inverse,
        (-b + root) * inverse,
        discriminant.cmpge(splat(0.0)),
    )
}

#[inline(always)]
fn cylinder(half_height: f32, radius: f32, origin: Lanes3, direction: Lanes3) -> Entry {
    let (side0, side1, hit) = tube(radius, origin, direction);
    let (cap0, cap1) = slab(half_height, origin.z, direction.z);
    let enter = side0.max(cap0);
    (enter, hit & enter.cmple(side1.min(cap1)))
}

#[inline(always)]
fn capsule(half_height: f32, radius: f32, origin: Lanes3, direction: Lanes3) -> Entry {
    let (side, _, hit) = tube(radius, origin, direction);
    let height = origin.z + side * direction.z;
    let limit = splat(half_height);
    let on_side = height.abs().cmple(limit);
    if (on_side | !hit).all() {
        return (side, hit);
    }
    // A ray that enters the endless cylinder beyond an end can enter the capsule only there.
    let end = select(height.cmpgt(splat(0.0)), limit, -limit);
    let (cap, cap_hit) = ball(
        radius,
        Lanes3::new(origin.x, origin.y, origin.z - end),
        direction,
    );
    (select(on_side, side, cap), hit & (on_side | cap_hit))
}
