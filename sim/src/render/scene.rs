//! What is to be drawn: shapes with materials, one light, and how the empty space looks.

use glam::{Quat, Vec3};

/// A primitive in its own frame, centred on the origin. Sizes in metres, greater than zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Geometry {
    /// A box.
    Cuboid {
        /// Half extents along x, y and z.
        half: Vec3,
    },
    /// A sphere.
    Ball {
        /// Radius.
        radius: f32,
    },
    /// A cylinder with flat ends along z.
    Cylinder {
        /// Half of the length along z.
        half_height: f32,
        /// Radius.
        radius: f32,
    },
    /// A cylinder with hemispherical ends along z.
    Capsule {
        /// Half of the length of the straight part along z.
        half_height: f32,
        /// Radius of the straight part and of the ends.
        radius: f32,
    },
    /// The plane z = 0, endless, seen from both sides. It receives shadows and casts none.
    Plane,
}

/// A procedural pattern that scales the color of a material between about 0.4 and 1.
///
/// Patterns are solid: a function of the position in the frame of the shape, so they move with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Texture {
    /// Plain color.
    #[default]
    None,
    /// Light and dark cubes with edges of one cell.
    Checker,
    /// Light and dark bands of one cell along x + z.
    Stripes,
    /// Boards one cell wide that run along y, with grain and dark seams.
    Planks,
    /// Smooth blotches about one cell large.
    Noise,
}

impl Texture {
    /// All textures, in a fixed order.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::Checker,
        Self::Stripes,
        Self::Planks,
        Self::Noise,
    ];
}

/// How the surface of a shape looks. All surfaces are matt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Material {
    /// Linear red, green and blue, each in 0..=1.
    pub color: [f32; 3],
    /// Pattern on top of the color.
    pub texture: Texture,
    /// Cells of the pattern per metre.
    pub texture_scale: f32,
}

impl Material {
    /// A plain color (linear red, green and blue in 0..=1).
    pub const fn plain(color: [f32; 3]) -> Self {
        Self {
            color,
            texture: Texture::None,
            texture_scale: 1.0,
        }
    }

    /// A color with a pattern of `texture_scale` cells per metre.
    pub const fn textured(color: [f32; 3], texture: Texture, texture_scale: f32) -> Self {
        Self {
            color,
            texture,
            texture_scale,
        }
    }
}

/// A primitive with its pose in the world and its material.
///
/// A shape with a size that is not positive, with a zero quaternion, or with a number that is not
/// finite or beyond a thousand kilometres is not drawn. The quaternion need not be normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// The primitive.
    pub geometry: Geometry,
    /// Position of its centre in the world (m).
    pub position: Vec3,
    /// Rotation from the frame of the shape to the world.
    pub rotation: Quat,
    /// Its looks.
    pub material: Material,
}

/// A lamp so far away that its rays are parallel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Light {
    /// Points *to* the lamp; any length. Straight up is used if it has no direction.
    pub direction: Vec3,
    /// Linear brightness that the lamp adds to a white surface facing it; usually 0..=1.
    pub intensity: f32,
}

/// Everything that a camera can see.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The shapes, in any order. At most [`crate::render::MAX_SHAPES`].
    pub shapes: Vec<Shape>,
    /// The one lamp.
    pub light: Light,
    /// Linear brightness of a white surface that the lamp does not reach; usually 0..=1. Surfaces
    /// that look up get a little more than those that look down.
    pub ambient: f32,
    /// Whether shapes cast hard shadows.
    pub shadows: bool,
    /// Linear color where no shape is.
    pub background: [f32; 3],
}

impl Default for Scene {
    /// An empty room in daylight.
    fn default() -> Self {
        Self {
            shapes: Vec::new(),
            light: Light {
                direction: Vec3::new(0.25, 0.45, 1.0),
                intensity: 0.62,
            },
            ambient: 0.34,
            shadows: true,
            background: [0.42, 0.52, 0.62],
        }
    }
}
