//! Regions of the image plane, and of the plane across the light, that a shape cannot leave.
//!
//! They may be too large, never too small: they only decide which shapes a tile has to look at.

use glam::{Mat3, Vec2, Vec3};

use super::camera::{NEAR, View};
use super::scene::Geometry;

/// A rectangle cut by one slanted band, which fits long thin shapes that lie diagonally.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Region {
    pub(super) low: Vec2,
    pub(super) high: Vec2,
    /// The band holds the points p with `|across . p + offset| <= reach`.
    across: Vec2,
    offset: f32,
    reach: f32,
}

impl Region {
    pub(super) const ALL: Self = Self::rectangle(Vec2::NEG_INFINITY, Vec2::INFINITY);
    pub(super) const EMPTY: Self = Self::rectangle(Vec2::INFINITY, Vec2::NEG_INFINITY);

    pub(super) const fn rectangle(low: Vec2, high: Vec2) -> Self {
        Self {
            low,
            high,
            across: Vec2::ZERO,
            offset: 0.0,
            reach: f32::INFINITY,
        }
    }

    /// Grows the rectangle to hold a point.
    pub(super) fn add(&mut self, point: Vec2) {
        self.low = Vec2::new(self.low.x.min(point.x), self.low.y.min(point.y));
        self.high = Vec2::new(self.high.x.max(point.x), self.high.y.max(point.y));
    }

    /// Grows the rectangle by more than the rounding errors of rays and projections.
    fn padded(mut self) -> Self {
        let pad = |v: f32| 1e-5 + 1e-5 * v.abs();
        self.low -= Vec2::new(pad(self.low.x), pad(self.low.y));
        self.high += Vec2::new(pad(self.high.x), pad(self.high.y));
        self
    }

    /// Whether the rectangle of `tile` may share a point with this region.
    #[inline(always)]
    pub(super) fn meets(&self, tile: &Self) -> bool {
        let inside = self.low.x <= tile.high.x
            && self.high.x >= tile.low.x
            && self.low.y <= tile.high.y
            && self.high.y >= tile.low.y;
        if !inside {
            return false;
        }
        let middle = (tile.low + tile.high) * 0.5;
        let half = (tile.high - tile.low) * 0.5;
        let distance = self.across.x * middle.x + self.across.y * middle.y + self.offset;
        let reach = self.across.x.abs() * half.x + self.across.y.abs() * half.y + self.reach;
        distance.abs() <= reach
    }
}

/// Where a shape may throw shadows, in coordinates across the light.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shadow {
    pub(super) region: Region,
    /// Points that are at least as far towards the lamp are not shaded.
    pub(super) top: f32,
}

/// Where the shape can appear on the image plane at depth 1, and a bound on how near it comes.
pub(super) fn image_bounds(
    geometry: Geometry,
    view: &View,
    at: Vec3,
    pose: &Mat3,
) -> (Region, f32) {
    let to_view = view.axes.transpose();
    let centre = to_view * (at - view.eye);
    // Columns: the axes of the shape in the frame of the camera.
    let axes = to_view * *pose;
    let Some(half) = half_extents(geometry) else {
        return (Region::ALL, NEAR);
    };
    let reach = extent(geometry, axes.row(2));
    if centre.z + reach < NEAR {
        return (Region::EMPTY, NEAR);
    }
    let near = ((centre.z - reach) * 0.9999).max(NEAR);
    let round = match geometry {
        Geometry::Ball { radius } => ball_region(&[centre], radius),
        Geometry::Capsule {
            half_height,
            radius,
        } => {
            let end = axes.z_axis * half_height;
            ball_region(&[centre - end, centre + end], radius)
        }
        _ => None,
    };
    let mut region = round.unwrap_or_else(|| box_region(centre, &axes, half));
    if let Some((axis, radius)) = spine(half) {
        let end = axes * axis;
        let normal = (centre - end).cross(centre + end).normalize_or_zero();
        region.across = Vec2::new(normal.x, normal.y);
        region.offset = normal.z;
        // Points of the shape are within a radius of the plane through the eye and the spine; on the
        // image plane the distance is divided by the depth.
        region.reach = radius / near * 1.0001 + 1e-5;
    }
    (region.padded(), near)
}

/// The region across the light in which the shape may throw shadows.
pub(super) fn shadow_bounds(geometry: Geometry, light: &Mat3, at: Vec3, pose: &Mat3) -> Shadow {
    let Some(half) = half_extents(geometry) else {
        return Shadow {
            region: Region::EMPTY,
            top: f32::NEG_INFINITY,
        };
    };
    let to_light = light.transpose();
    let centre = to_light * at;
    let axes = to_light * *pose;
    let reach = Vec3::new(
        extent(geometry, axes.row(0)),
        extent(geometry, axes.row(1)),
        extent(geometry, axes.row(2)),
    );
    let flat = Vec2::new(centre.x, centre.y);
    let half_size = Vec2::new(reach.x, reach.y);
    let mut region = Region::rectangle(flat - half_size, flat + half_size);
    if let Some((axis, radius)) = spine(half) {
        let end = axes * axis;
        region.across = Vec2::new(-end.y, end.x).normalize_or_zero();
        region.offset = -(region.across.x * flat.x + region.across.y * flat.y);
        region.reach = radius * 1.0001 + 1e-5;
    }
    Shadow {
        region: region.padded(),
        top: centre.z + reach.z,
    }
}

/// Half extents of the box about a shape; none for the endless plane.
fn half_extents(geometry: Geometry) -> Option<Vec3> {
    match geometry {
        Geometry::Cuboid { half } => Some(half),
        Geometry::Ball { radius } => Some(Vec3::splat(radius)),
        Geometry::Cylinder {
            half_height,
            radius,
        } => Some(Vec3::new(radius, radius, half_height)),
        Geometry::Capsule {
            half_height,
            radius,
        } => Some(Vec3::new(radius, radius, half_height + radius)),
        Geometry::Plane => None,
    }
}

/// Half of the width of a shape along a unit direction given in its own frame.
fn extent(geometry: Geometry, direction: Vec3) -> f32 {
    let d = Vec3::new(direction.x.abs(), direction.y.abs(), direction.z.abs());
    match geometry {
        Geometry::Cuboid { half } => d.dot(half),
        Geometry::Ball { radius } => radius,
        Geometry::Cylinder {
            half_height,
            radius,
        } => d.z * half_height + (d.x * d.x + d.y * d.y).sqrt() * radius,
        Geometry::Capsule {
            half_height,
            radius,
        } => d.z * half_height + radius,
        Geometry::Plane => f32::INFINITY,
    }
}

/// The half axis of a long box and the radius of a cylinder around it that holds the box.
fn spine(half: Vec3) -> Option<(Vec3, f32)> {
    let axes = [Vec3::X * half.x, Vec3::Y * half.y, Vec3::Z * half.z];
    let others = [(half.y, half.z), (half.z, half.x), (half.x, half.y)];
    let longest = if half.x >= half.y && half.x >= half.z {
        0
    } else if half.y >= half.z {
        1
    } else {
        2
    };
    let (a, b) = others[longest];
    let radius = (a * a + b * b).sqrt();
    (axes[longest].length_squared() > 2.0 * radius * radius).then_some((axes[longest], radius))
}

/// Rectangle of the images of balls; none if one of them reaches the plane of the pinhole.
fn ball_region(centres: &[Vec3], radius: f32) -> Option<Region> {
    let mut region = Region::EMPTY;
    for c in centres {
        if c.z <= radius * 1.01 + NEAR {
            return None;
        }
        // Slopes of the two tangents from the eye, in the plane of the depth and one image axis.
        let scale = 1.0 / (c.z * c.z - radius * radius);
        let tangents = |side: f32| {
            let root = (side * side + c.z * c.z - radius * radius).sqrt() * radius;
            ((side * c.z - root) * scale, (side * c.z + root) * scale)
        };
        let (left, right) = tangents(c.x);
        let (top, bottom) = tangents(c.y);
        region.add(Vec2::new(left, top));
        region.add(Vec2::new(right, bottom));
    }
    Some(region)
}

/// Rectangle of the image of the part of a box that is in front of the camera.
fn box_region(centre: Vec3, axes: &Mat3, half: Vec3) -> Region {
    let corner = |index: usize| {
        let sign = |bit: usize| if index & bit == 0 { -1.0 } else { 1.0 };
        centre + *axes * (half * Vec3::new(sign(1), sign(2), sign(4)))
    };
    let mut region = Region::EMPTY;
    for index in 0..8 {
        let a = corner(index);
        if a.z >= NEAR {
            region.add(Vec2::new(a.x / a.z, a.y / a.z));
            continue;
        }
        // Of the three edges that leave a corner behind the camera, take what is in front.
        for bit in [1, 2, 4] {
            let b = corner(index ^ bit);
            if b.z > NEAR {
                let cut = a + (b - a) * ((NEAR - a.z) / (b.z - a.z));
                region.add(Vec2::new(cut.x / NEAR, cut.y / NEAR));
            }
        }
    }
    region
}
