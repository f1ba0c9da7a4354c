//! Image augmentation.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// How training images are changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Random shift by up to this many pixels each way, edges repeated (DrQ-v2, arXiv 2107.09645).
    pub shift: usize,
    /// Random factor of brightness and of contrast in `1 ± jitter`; 0 for none.
    pub jitter: f32,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            shift: 4,
            jitter: 0.0,
        }
    }
}

/// One drawn change of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augmentation {
    /// Offset of the window in columns and rows, from `-shift` to `shift`.
    pub offset: [i32; 2],
    /// Gain of each byte.
    pub gain: f32,
    /// Added to each byte.
    pub bias: f32,
}

impl AugmentConfig {
    /// Draws a change.
    pub fn draw(&self, rng: &mut impl Rng) -> Augmentation {
        let shift = self.shift as i32;
        let offset = [(); 2].map(|()| rng.random_range(-shift..=shift));
        let mut factor = || 1.0 + self.jitter * (2.0 * rng.random::<f32>() - 1.0);
        let (brightness, contrast) = (factor(), factor());
        Augmentation {
            offset,
            gain: brightness * contrast,
            // Contrast turns around mid-grey.
            bias: 127.5 * brightness * (1.0 - contrast),
        }
    }
}

impl Augmentation {
    /// The change that is none.
    pub const NONE: Self = Self {
        offset: [0, 0],
        gain: 1.0,
        bias: 0.0,
    };

    /// Applies the change to a square `rgb8` image.
    pub fn apply(&self, rgb: &[u8], size: usize) -> Vec<u8> {
        let last = size as i32 - 1;
        let [right, down] = self.offset;
        let mut out = Vec::with_capacity(rgb.len());
        for row in 0..size as i32 {
            let source = (row + down).clamp(0, last) as usize * size;
            for column in 0..size as i32 {
                let pixel = (source + (column + right).clamp(0, last) as usize) * 3;
                out.extend_from_slice(&rgb[pixel..pixel + 3]);
            }
        }
        if self.gain != 1.0 || self.bias != 0.0 {
            let table: [u8; 256] =
                std::array::from_fn(|byte| (byte as f32 * self.gain + self.bias).round() as u8);
            for byte in &mut out {
                *byte = table[*byte as usize];
            }
        }
        out
    }
}
