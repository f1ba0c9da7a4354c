//! Shapes made ready for one frame: local frames, bounds on the image and along the light.

use glam::{Mat3, Vec3};

use super::bounds::{Region, Shadow, image_bounds, shadow_bounds};
use super::camera::{NEAR, View, rotation_matrix};
use super::intersect::{MISS, enter};
use super::lanes::{Lanes, Lanes3, splat};
use super::scene::{Geometry, Material, Shape};

/// Positions and sizes beyond this (m) are not drawn: their squares would lose all precision.
const FAR: f32 = 1e6;

/// A shape of the scene with everything that does not change from ray to ray.
#[derive(Clone, Copy, Debug)]
pub(super) struct Solid {
    pub(super) geometry: Geometry,
    pub(super) material: Material,
    /// Number of the shape in the scene.
    pub(super) id: f32,
    /// The eye, and the three axes of the camera, in the frame of the shape.
    pub(super) eye: Vec3,
    pub(super) axes: Mat3,
    /// Cells of the pattern per pixel at depth 1.
    pub(super) cells_per_pixel: f32,
    /// Directions to the lamp and to the bright part of the sky, in the frame of the shape.
    pub(super) light: Vec3,
    pub(super) sky: Vec3,
    /// Where it can appear on the image plane at depth 1.
    pub(super) bounds: Region,
    /// No point of it has less depth than this (m).
    pub(super) near: f32,
    pub(super) shadow: Shadow,
}

/// Directions that light comes from, in the world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lighting {
    /// Unit axes; the last points to the lamp.
    pub(super) axes: Mat3,
    /// Unit vector to the brightest part of the sky.
    pub(super) sky: Vec3,
}

impl Lighting {
    /// Light from a lamp in this direction, which is straight up if it has none.
    pub(super) fn new(to_lamp: Vec3) -> Self {
        let z = to_lamp.normalize_or(Vec3::Z);
        let across = if z.x.abs() < 0.7 { Vec3::X } else { Vec3::Y };
        let x = across.cross(z).normalize_or(Vec3::Y);
        // The sky is brighter on one side, so that faces in the shade still differ.
        let sky = Vec3::new(0.4, -0.3, 0.866);
        Self {
            axes: Mat3::from_cols(x, z.cross(x), z),
            sky,
        }
    }
}

impl Solid {
    /// Makes a shape ready; `None` if it cannot be seen nor cast a shadow because it is degenerate.
    pub(super) fn new(shape: &Shape, id: usize, view: &View, lighting: &Lighting) -> Option<Self> {
        let reachable = shape.position.to_array().into_iter().all(|p| p.abs() < FAR);
        if !reachable || !is_solid(shape.geometry) {
            return None;
        }
        let pose = rotation_matrix(shape.rotation)?;
        let to_local = pose.transpose();
        let (bounds, near) = image_bounds(shape.geometry, view, shape.position, &pose);
        Some(Self {
            geometry: shape.geometry,
            material: shape.material,
            id: id as f32,
            eye: to_local * (view.eye - shape.position),
            axes: to_local * view.axes,
            cells_per_pixel: view.pixel * shape.material.texture_scale.abs(),
            light: to_local * lighting.axes.z_axis,
            sky: to_local * lighting.sky,
            bounds,
            near,
            shadow: shadow_bounds(shape.geometry, &lighting.axes, shape.position, &pose),
        })
    }

    /// Makes all tiles look at it, as a check on the bounds.
    #[cfg(test)]
    pub(super) fn forget_bounds(&mut self) {
        let casts = self.geometry != Geometry::Plane;
        self.bounds = Region::ALL;
        self.near = NEAR;
        self.shadow.region = if casts { Region::ALL } else { Region::EMPTY };
        self.shadow.top = f32::INFINITY;
    }

    /// Directions of the rays through image plane points (x, y), in the frame of the shape.
    #[inline(always)]
    pub(super) fn directions(&self, x: Lanes, y: Lanes) -> Lanes3 {
        Lanes3::splat(self.axes.z_axis)
            .plus_scaled(x, Lanes3::splat(self.axes.x_axis))
            .plus_scaled(y, Lanes3::splat(self.axes.y_axis))
    }

    /// Depths at which rays from the eye enter, or [`MISS`].
    #[inline(always)]
    pub(super) fn depths(&self, x: Lanes, y: Lanes) -> Lanes {
        enter(
            self.geometry,
            Lanes3::splat(self.eye),
            self.directions(x, y),
            NEAR,
        )
    }

    /// Whether the shape is between the lamp and the points at `depth` along rays from the eye.
    #[inline(always)]
    pub(super) fn blocks(&self, x: Lanes, y: Lanes, depth: Lanes) -> super::lanes::Mask {
        // Start a little off the surface: touching solids must not shade each other's faces.
        const OFF_SURFACE: f32 = 1e-4;
        let origin = Lanes3::splat(self.eye).plus_scaled(depth, self.directions(x, y));
        enter(
            self.geometry,
            origin,
            Lanes3::splat(self.light),
            OFF_SURFACE,
        )
        .cmplt(splat(MISS))
    }
}

/// Whether all sizes are positive and below [`FAR`].
fn is_solid(geometry: Geometry) -> bool {
    let positive = |size: f32| size > 0.0 && size < FAR;
    match geometry {
        Geometry::Cuboid { half } => half.to_array().into_iter().all(positive),
        Geometry::Ball { radius } => positive(radius),
        Geometry::Cylinder {
            half_height,
            radius,
        }
        | Geometry::Capsule {
            half_height,
            radius,
        } => positive(half_height) && positive(radius),
        Geometry::Plane => true,
    }
}
