//! Pictures of primitives by ray casting, without a GPU and the same on every machine.
//!
//! Every pixel is the exact intersection of a ray with boxes, balls, cylinders, capsules and
//! planes, lit by one lamp with hard shadows, with procedural patterns for texture. Rays go four
//! at a time; tiles of 8 x 8 pixels first find the few shapes that they can meet, by bounds on the
//! image, and the few that can shade them, by bounds across the light. Pixels at edges are traced
//! again with four rays.
//!
//! The pixel path uses + - * / and the square root only (gamma is a square root), which IEEE 754
//! defines to the last bit; the one tangent, of the field of view, comes from `libm`. So equal
//! scenes give equal bytes on all machines, and serial and parallel rendering agree.

mod bounds;
mod camera;
mod effects;
mod intersect;
mod lanes;
mod packet;
mod renderer;
mod scene;
mod shift;
mod solid;
mod surface;
#[cfg(test)]
mod tests;
mod texture;
mod tile;

pub use camera::Camera;
pub use effects::{EffectLevels, Effects};
pub use renderer::{MAX_SHAPES, Renderer};
pub use scene::{Geometry, Light, Material, Scene, Shape, Texture};
pub use shift::{
    perturb_camera, perturb_color, perturb_field_of_view, perturb_lighting, perturb_texture,
    perturb_tone,
};

/// Why a picture could not be made.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum RenderError {
    /// The camera has no pixels or too many.
    #[error("image of {width} x {height} pixels; each side must be 1..=8192")]
    ImageSize {
        /// Columns asked for.
        width: u32,
        /// Rows asked for.
        height: u32,
    },
    /// The field of view is not an angle that a pinhole can have.
    #[error("vertical field of view of {0} rad; it must be 0.01..=3")]
    FieldOfView(f32),
    /// The position or the rotation of the camera is not finite, or the rotation is zero.
    #[error("the pose of the camera is not finite")]
    CameraPose,
    /// The output buffer does not hold exactly one rgb8 image.
    #[error("output buffer of {got} bytes; the image has {expected}")]
    BufferLength {
        /// Bytes of the image.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// More shapes than a picture can hold.
    #[error("{0} shapes; at most {MAX_SHAPES} can be drawn")]
    TooManyShapes(usize),
}
