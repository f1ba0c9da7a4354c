//! What a ray finds where it meets a solid: the direction of the surface and its color.

use glam::Vec3;

use super::lanes::{Lanes, Lanes3, Mask, nonzero, select, splat, sqrt};
use super::scene::{Geometry, Texture};
use super::solid::Solid;
use super::texture;

/// The surface where four rays meet one solid.
pub(super) struct Surface {
    /// Cosine of the angle to the lamp.
    pub(super) towards_light: Lanes,
    /// Cosine of the angle to the bright part of the sky.
    pub(super) towards_sky: Lanes,
    /// Linear color without light.
    pub(super) color: Lanes3,
    /// Which flat or smooth part of the surface it is, 0..=6.
    pub(super) part: Lanes,
}

/// The direction of the surface in the frame of the shape.
struct Facing {
    /// Unit vector against the ray.
    normal: Lanes3,
    part: Lanes,
    /// Where the surface is a flat face across one of the axes.
    flat: Mask,
}

impl Solid {
    /// The surface at `depth` along the rays. Lanes in which the ray misses hold finite nonsense.
    #[inline(always)]
    pub(super) fn surface(&self, x: Lanes, y: Lanes, depth: Lanes) -> Surface {
        let direction = self.directions(x, y);
        let place = Lanes3::splat(self.eye).plus_scaled(depth, direction);
        let facing = self.facing(place, direction);
        let [red, green, blue] = self.material.color;
        let mut color = Lanes3::splat(Vec3::new(red, green, blue));
        if self.material.texture != Texture::None {
            color = color.scaled(self.pattern(place, direction, depth, &facing));
        }
        Surface {
            towards_light: facing.normal.dot(Lanes3::splat(self.light)),
            towards_sky: facing.normal.dot(Lanes3::splat(self.sky)),
            color,
            part: facing.part,
        }
    }

    /// The factor on the color at a place.
    #[inline(always)]
    fn pattern(&self, place: Lanes3, direction: Lanes3, depth: Lanes, facing: &Facing) -> Lanes {
        let normal = facing.normal;
        // How far the place moves on the surface per pixel to the right and down.
        let slope = splat(-1.0) / nonzero(normal.dot(direction));
        let moves = |axis: Vec3| {
            let axis = Lanes3::splat(axis);
            let step = axis.plus_scaled(normal.dot(axis) * slope, direction);
            Lanes3::new(step.x.abs(), step.y.abs(), step.z.abs())
        };
        let (right, down) = (moves(self.axes.x_axis), moves(self.axes.y_axis));
        let scale = depth * splat(self.cells_per_pixel);
        let size =
            |right: Lanes, down: Lanes| ((right + down) * scale).max(splat(1e-4)).min(splat(1e4));
        // A face that lies exactly between two cells of a solid pattern would flicker, so across a
        // flat face the pattern is taken from the middle of a cell.
        let cells = splat(self.material.texture_scale);
        let position = |place: Lanes, normal: Lanes| {
            let across = select(facing.flat, normal.abs(), splat(0.0));
            let cell = place * cells * (splat(1.0) - across) + across * splat(0.5);
            // Beyond whole numbers that fit, the pattern would be nonsense.
            cell.max(splat(-1e6)).min(splat(1e6))
        };
        texture::shade(
            self.material.texture,
            Lanes3::new(
                position(place.x, normal.x),
                position(place.y, normal.y),
                position(place.z, normal.z),
            ),
            Lanes3::new(
                size(right.x, down.x),
                size(right.y, down.y),
                size(right.z, down.z),
            ),
        )
    }

    #[inline(always)]
    fn facing(&self, p: Lanes3, direction: Lanes3) -> Facing {
        let zero = splat(0.0);
        let one = splat(1.0);
        let none = Mask::NONE;
        // The face that a ray enters looks against the ray.
        let against = |d: Lanes| select(d.cmpgt(zero), -one, one);
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
                let normal = Lanes3::new(
                    select(is_x, against(direction.x), zero),
                    select(is_y, against(direction.y), zero),
                    select(is_z, against(direction.z), zero),
                );
                let axis = select(is_x, one, select(is_y, splat(3.0), splat(5.0)));
                let sum = normal.x + normal.y + normal.z;
                Facing {
                    normal,
                    part: axis + select(sum.cmpgt(zero), one, zero),
                    flat: !none,
                }
            }
            Geometry::Ball { radius } => Facing {
                normal: p.scaled(splat(1.0 / radius)),
                part: zero,
                flat: none,
            },
            Geometry::Cylinder {
                half_height,
                radius,
            } => {
                let radial = sqrt(p.x * p.x + p.y * p.y);
                let on_cap = (p.z.abs() - splat(half_height)).cmpgt(radial - splat(radius));
                let up = against(direction.z);
                let side = Lanes3::new(p.x, p.y, zero).scaled(splat(1.0 / radius));
                let normal = Lanes3::select(on_cap, Lanes3::new(zero, zero, up), side);
                let part = select(on_cap, splat(1.5) + up * splat(0.5), zero);
                Facing {
                    normal,
                    part,
                    flat: on_cap,
                }
            }
            Geometry::Capsule {
                half_height,
                radius,
            } => {
                let limit = splat(half_height);
                let on_spine = p.z.min(limit).max(-limit);
                let normal = Lanes3::new(p.x, p.y, p.z - on_spine).scaled(splat(1.0 / radius));
                Facing {
                    normal,
                    part: zero,
                    flat: none,
                }
            }
            Geometry::Plane => {
                let normal = Lanes3::new(zero, zero, against(direction.z));
                Facing {
                    normal,
                    part: zero,
                    flat: !none,
                }
            }
        }
    }
}
