//! Camera images.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Stamp;

/// One camera image, `rgb8`, rows from top to bottom without padding (`sensor_msgs/Image`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Name of the camera, for example `front` or `wrist`; the `frame_id` of the header.
    pub camera: String,
    /// Time of exposure.
    pub stamp: Stamp,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `height * width * 3` bytes, row-major, red first. Shared: taps clone the handle, not the pixels.
    pub data: Arc<[u8]>,
}

impl Frame {
    /// Bytes that an image of this size must have.
    pub const fn expected_len(width: u32, height: u32) -> usize {
        width as usize * height as usize * 3
    }
}
