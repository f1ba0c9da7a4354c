//! Camera images.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::invalid::Check;
use crate::{Invalid, Stamp};

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
        (width as usize)
            .saturating_mul(height as usize)
            .saturating_mul(3)
    }

    /// Checks that there are pixels, and as many as the size says.
    ///
    /// # Errors
    /// [`Invalid`], naming the field.
    pub fn validate(&self) -> Result<(), Invalid> {
        let check = Check("Frame");
        check.filled("width", self.width as usize)?;
        check.filled("height", self.height as usize)?;
        let expected = Self::expected_len(self.width, self.height);
        check.length("data", self.data.len(), expected)
    }

    /// The pixel in a column and row, `[red, green, blue]`, if it is inside the image.
    pub fn pixel(&self, column: u32, row: u32) -> Option<[u8; 3]> {
        if column >= self.width || row >= self.height {
            return None;
        }
        let index = row as usize * self.width as usize + column as usize;
        self.data.as_chunks::<3>().0.get(index).copied()
    }
}
