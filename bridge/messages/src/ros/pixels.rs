//! Pixels of the common encodings, to packed `rgb8`.

use std::sync::Arc;

/// How the bytes of a pixel are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Rgb8,
    Bgr8,
    Rgba8,
    Bgra8,
    Mono8,
}

impl Encoding {
    /// The encoding of a name from `sensor_msgs/image_encodings.hpp`.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "rgb8" => Some(Self::Rgb8),
            "bgr8" => Some(Self::Bgr8),
            "rgba8" => Some(Self::Rgba8),
            "bgra8" => Some(Self::Bgra8),
            "mono8" => Some(Self::Mono8),
            _ => None,
        }
    }

    /// Bytes per pixel.
    pub(super) const fn channels(self) -> usize {
        match self {
            Self::Mono8 => 1,
            Self::Rgb8 | Self::Bgr8 => 3,
            Self::Rgba8 | Self::Bgra8 => 4,
        }
    }

    /// One row; `to` has three bytes for each `channels` of `from`.
    fn convert_row(self, from: &[u8], to: &mut [u8]) {
        let (to, _) = to.as_chunks_mut::<3>();
        match self {
            Self::Rgb8 => {
                for (to, from) in to.iter_mut().zip(from.as_chunks::<3>().0) {
                    *to = *from;
                }
            }
            Self::Bgr8 => {
                for (to, &[blue, green, red]) in to.iter_mut().zip(from.as_chunks::<3>().0) {
                    *to = [red, green, blue];
                }
            }
            Self::Rgba8 => {
                for (to, &[red, green, blue, _]) in to.iter_mut().zip(from.as_chunks::<4>().0) {
                    *to = [red, green, blue];
                }
            }
            Self::Bgra8 => {
                for (to, &[blue, green, red, _]) in to.iter_mut().zip(from.as_chunks::<4>().0) {
                    *to = [red, green, blue];
                }
            }
            Self::Mono8 => {
                for (to, &grey) in to.iter_mut().zip(from) {
                    *to = [grey; 3];
                }
            }
        }
    }
}

/// `width` columns of `from`, whose rows begin `step` bytes apart, as rows without padding.
///
/// Alpha is dropped, not multiplied in. The caller has checked the sizes; short data gives black.
pub(super) fn to_rgb8(encoding: Encoding, width: usize, step: usize, from: &[u8]) -> Arc<[u8]> {
    let row = width * encoding.channels();
    if row == 0 || step == 0 {
        return Arc::from([]);
    }
    if encoding == Encoding::Rgb8 && step == row {
        return Arc::from(from);
    }
    // The last row may lack its padding.
    let height = from.len().div_ceil(step);
    let mut pixels: Arc<[u8]> = std::iter::repeat_n(0, height * width * 3).collect();
    if let Some(to) = Arc::get_mut(&mut pixels) {
        for (to, from) in to.chunks_exact_mut(width * 3).zip(from.chunks(step)) {
            encoding.convert_row(from.get(..row).unwrap_or(from), to);
        }
    }
    pixels
}
