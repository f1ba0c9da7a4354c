//! A pinhole camera.

use glam::{Mat3, Quat, Vec3};

use super::RenderError;

/// A pinhole camera with square pixels and its principal point in the middle of the image.
///
/// Its frame is the optical frame of ROS and OpenCV: x to the right of the image, y down, z out of
/// the lens along the view. A camera on a hand whose z axis points at the fingertips therefore has
/// the rotation of the hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Position of the pinhole in the world (m).
    pub position: Vec3,
    /// Rotation from the optical frame to the world; need not be normalised.
    pub rotation: Quat,
    /// Vertical field of view (rad), in 0.01..=3.
    pub fov_y: f32,
    /// Columns, 1..=8192.
    pub width: u32,
    /// Rows, 1..=8192.
    pub height: u32,
}

/// Things nearer to the plane of the pinhole than this (m) are not seen.
pub(super) const NEAR: f32 = 1e-3;
const MAX_SIDE: u32 = 8192;

impl Camera {
    /// A camera at `eye` that sees `target` in the middle and `up` pointing up in the image.
    ///
    /// If `target` is `eye` the view is along world x; if `up` is along the view, another up is
    /// chosen.
    pub fn look_at(eye: Vec3, target: Vec3, up: Vec3, fov_y: f32, width: u32, height: u32) -> Self {
        let forward = (target - eye).normalize_or(Vec3::X);
        let mut right = forward.cross(up.normalize_or(Vec3::Z));
        if right.length_squared() < 1e-8 {
            right = forward.cross(Vec3::Z);
        }
        if right.length_squared() < 1e-8 {
            right = forward.cross(Vec3::Y);
        }
        let right = right.normalize_or(Vec3::Y);
        let down = forward.cross(right);
        let rotation = Quat::from_mat3(&Mat3::from_cols(right, down, forward));
        Self {
            position: eye,
            rotation,
            fov_y,
            width,
            height,
        }
    }

    /// Bytes of an rgb8 image of this camera.
    pub const fn image_len(&self) -> usize {
        self.width as usize * self.height as usize * 3
    }

    /// Focal length in pixels, the same in both directions.
    pub fn focal_length(&self) -> f32 {
        0.5 * self.height as f32 / half_angle_tangent(self.fov_y)
    }

    pub(super) fn view(&self) -> Result<View, RenderError> {
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&self.width) || !sides.contains(&self.height) {
            return Err(RenderError::ImageSize {
                width: self.width,
                height: self.height,
            });
        }
        if !(0.01..=3.0).contains(&self.fov_y) {
            return Err(RenderError::FieldOfView(self.fov_y));
        }
        let axes = rotation_matrix(self.rotation).ok_or(RenderError::CameraPose)?;
        if !self.position.is_finite() {
            return Err(RenderError::CameraPose);
        }
        let pixel = 1.0 / self.focal_length();
        Ok(View {
            eye: self.position,
            axes,
            pixel,
            left: -0.5 * self.width as f32 * pixel,
            top: -0.5 * self.height as f32 * pixel,
        })
    }
}

/// A camera made ready. Directions to pixels have depth 1, so that ray parameters are depths.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) eye: Vec3,
    /// Columns: right, down and forward in the world.
    pub(super) axes: Mat3,
    /// Side of a pixel on the image plane at depth 1.
    pub(super) pixel: f32,
    /// Image plane coordinates of the corner of the first pixel.
    pub(super) left: f32,
    pub(super) top: f32,
}

/// The matrix of a quaternion of any length, or `None` if it has no direction.
///
/// Written out so that no machine-specific vector code of the library decides on rounding.
pub(super) fn rotation_matrix(q: Quat) -> Option<Mat3> {
    let norm = q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w;
    if !(norm > 1e-12 && norm.is_finite()) {
        return None;
    }
    let s = 2.0 / norm;
    let (x, y, z) = (q.x * s, q.y * s, q.z * s);
    let (xx, xy, xz) = (q.x * x, q.x * y, q.x * z);
    let (yy, yz, zz) = (q.y * y, q.y * z, q.z * z);
    let (wx, wy, wz) = (q.w * x, q.w * y, q.w * z);
    Some(Mat3::from_cols(
        Vec3::new(1.0 - (yy + zz), xy + wz, xz - wy),
        Vec3::new(xy - wz, 1.0 - (xx + zz), yz + wx),
        Vec3::new(xz + wy, yz - wx, 1.0 - (xx + yy)),
    ))
}

/// tan(angle / 2), for 0 < angle < pi.
fn half_angle_tangent(angle: f32) -> f32 {
    // The sine and cosine inside are glam's, from `libm`: the same bits everywhere, which the
    // standard library does not promise.
    let half = Quat::from_rotation_z(angle);
    half.z / half.w
}
