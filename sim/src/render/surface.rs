//! What a ray finds where it meets a solid: the direction of the surface and its color.

use glam::Vec3;

use super::lanes::{Lanes, Lanes3, select, splat, sqrt};
use super::scene::{Geometry, Texture};
use super::solid::Solid;
use super::texture::pattern;

/// The surface where four rays meet one solid.
pub(super) struct Surface {
    /// Cosine of the angle to the lamp.
    pub(super) towards_light: Lanes,
    /// Cosine of the angle to the bright part of the sky.
    pub(super) towards_sky: Lanes,
    /// Linear color without light.
    pub(super) color: Lanes3,
    /// Which flat or smooth part of the surface it is, 0..=6, and which cell of the pattern, 0 or 1.
    pub(super) part: Lanes,
    pub(super) cell: Lanes,
}

impl Solid {
    /// The surface at `depth` along the rays. Lanes in which the ray misses hold finite nonsense.
    #[inline(always)]
    pub(super) fn surface(&self, x: Lanes, y: Lanes, depth: Lanes) -> Surface {
        let direction = self.directions(x, y);
        let place = Lanes3::splat(self.eye).plus_scaled(depth, direction);
        let (normal, part, flat) = self.normal(place, direction);
        let [red, green, blue] = self.material.color;
        let color = Lanes3::splat(Vec3::new(red, green, blue));
        let (color, cell) = if self.material.texture == Texture::None {
            (color, splat(0.0))
        } else {
            // Solid patterns flicker on a face that lies exactly on a border between cells, so the
            // coordinate across a flat face is left out.
            let drawn = Lanes3::new(place.x * flat.x, place.y * flat.y, place.z * flat.z);
            let found = pattern(
                self.material.texture,
                drawn.scaled(splat(self.material.texture_scale)),
            );
            (color.scaled(found.shade), found.cell)
        };
        Surface {
            towards_light: normal.dot(Lanes3::splat(self.light)),
            towards_sky: normal.dot(Lanes3::splat(self.sky)),
            color,
            part,
            cell,
        }
    }

    /// Unit normal, part of the surface, and 0 for the coordinate across a flat face, else 1.
    #[inline(always)]
    fn normal(&self, p: Lanes3, direction: Lanes3) -> (Lanes3, Lanes, Lanes3) {
        let zero = splat(0.0);
        let one = splat(1.0);
        let all = Lanes3::new(one, one, one);
        match self.geometry {
            Geometry::Cuboid { half } => {
                let outside = |p: Lanes, half: f32| p.abs() - splat(half);
                let (dx, dy, dz) = (
                    outside(p.x, half.x),
                    outside(p.y, half.y),
                    outside(p.z, half.z),
                );
                let is_x = dx.cmpge(dy) & dx.cmpge(dz);
                let is_y = !is_x & dy.cmpge(dz);
                let is_z = !(is_x | is_y);
                // The face that a ray enters looks against the ray.
                let sign = |d: Lanes| select(d.cmpgt(zero), -one, one);
                let (sx, sy, sz) = (sign(direction.x), sign(direction.y), sign(direction.z));
                let normal = Lanes3::new(
                    select(is_x, sx, zero),
                    select(is_y, sy, zero),
                    select(is_z, sz, zero),
                );
                let part = select(is_x, splat(1.0), select(is_y, splat(3.0), splat(5.0)));
                let signs = normal.x + normal.y + normal.z;
                let part = part + select(signs.cmpgt(zero), one, zero);
                let flat = Lanes3::new(
                    select(is_x, zero, one),
                    select(is_y, zero, one),
                    select(is_z, zero, one),
                );
                (normal, part, flat)
            }
            Geometry::Ball { radius } => (p.scaled(splat(1.0 / radius)), zero, all),
            Geometry::Cylinder {
                half_height,
                radius,
            } => {
                let radial = sqrt(p.x * p.x + p.y * p.y);
                let on_cap = (p.z.abs() - splat(half_height)).cmpgt(radial - splat(radius));
                let sign = select(direction.z.cmpgt(zero), -one, one);
                let side = Lanes3::new(p.x, p.y, zero).scaled(splat(1.0 / radius));
                let normal = Lanes3::select(on_cap, Lanes3::new(zero, zero, sign), side);
                let part = select(on_cap, splat(1.5) + sign * splat(0.5), zero);
                let flat = Lanes3::new(one, one, select(on_cap, zero, one));
                (normal, part, flat)
            }
            Geometry::Capsule {
                half_height,
                radius,
            } => {
                let limit = splat(half_height);
                let on_spine = p.z.min(limit).max(-limit);
                let normal = Lanes3::new(p.x, p.y, p.z - on_spine).scaled(splat(1.0 / radius));
                (normal, zero, all)
            }
            Geometry::Plane => {
                let sign = select(direction.z.cmpgt(zero), -one, one);
                (
                    Lanes3::new(zero, zero, sign),
                    zero,
                    Lanes3::new(one, one, zero),
                )
            }
        }
    }
}
