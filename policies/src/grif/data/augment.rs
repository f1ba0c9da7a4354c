//! Augmentation of training images: crop, brightness, contrast, saturation, hue.
//!
//! The authors hand the same seed to every operation, so that one uniform number decides all of
//! them: a brighter image is always also one with more contrast. [`AugmentDraws::shared`] keeps
//! that; [`AugmentDraws::independent`] does not. All images of a transition are changed alike.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::hue::{scale_saturation, turn_hue};

/// One change of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AugmentOp {
    /// A part of the image, resized to the whole.
    RandomResizedCrop,
    /// A number added.
    RandomBrightness,
    /// Distance from the mean of each channel times a factor.
    RandomContrast,
    /// Saturation times a factor.
    RandomSaturation,
    /// Hue turned.
    RandomHue,
}

/// How training images are changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentConfig {
    /// Which changes, in which order.
    pub order: Vec<AugmentOp>,
    /// Area of the crop as a share of the image.
    pub scale: [f32; 2],
    /// Width over height of the crop.
    pub ratio: [f32; 2],
    /// Greatest change of brightness.
    pub brightness: f32,
    /// Factor of contrast.
    pub contrast: [f32; 2],
    /// Factor of saturation.
    pub saturation: [f32; 2],
    /// Greatest turn of the hue.
    pub hue: f32,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            order: vec![
                AugmentOp::RandomResizedCrop,
                AugmentOp::RandomBrightness,
                AugmentOp::RandomContrast,
                AugmentOp::RandomSaturation,
                AugmentOp::RandomHue,
            ],
            scale: [0.8, 1.0],
            ratio: [0.9, 1.1],
            brightness: 0.2,
            contrast: [0.8, 1.2],
            saturation: [0.8, 1.2],
            hue: 0.1,
        }
    }
}

/// Drawn amounts of every change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AugmentDraws {
    /// Area of the crop.
    pub scale: f32,
    /// Logarithm of its width over its height.
    pub log_ratio: f32,
    /// Rows above it as a share of the height.
    pub top: f32,
    /// Columns left of it as a share of the width.
    pub left: f32,
    /// Added to every number.
    pub brightness: f32,
    /// Factor of contrast.
    pub contrast: f32,
    /// Factor of saturation.
    pub saturation: f32,
    /// Turn of the hue.
    pub hue: f32,
}

impl AugmentDraws {
    /// From one uniform number for all changes, as the authors' seeds give.
    pub fn shared(config: &AugmentConfig, rng: &mut impl Rng) -> Self {
        let uniform = rng.random::<f32>();
        Self::from_uniforms(config, [uniform; 8])
    }

    /// From a uniform number for each.
    pub fn independent(config: &AugmentConfig, rng: &mut impl Rng) -> Self {
        Self::from_uniforms(config, std::array::from_fn(|_| rng.random()))
    }

    /// From uniform numbers in the order of the fields.
    pub fn from_uniforms(config: &AugmentConfig, uniforms: [f32; 8]) -> Self {
        let between = |[low, high]: [f32; 2], index: usize| low + (high - low) * uniforms[index];
        let scale = between(config.scale, 0);
        let log_ratio = between(config.ratio.map(f32::ln), 1);
        let [height, width] = crop_size(scale, log_ratio);
        Self {
            scale,
            log_ratio,
            top: between([0.0, 1.0 - height], 2),
            left: between([0.0, 1.0 - width], 3),
            brightness: between([-config.brightness, config.brightness], 4),
            contrast: between(config.contrast, 5),
            saturation: between(config.saturation, 6),
            hue: between([-config.hue, config.hue], 7),
        }
    }
}

/// Height and width of a crop as shares of the image.
fn crop_size(scale: f32, log_ratio: f32) -> [f32; 2] {
    let ratio = log_ratio.exp();
    [scale / ratio, scale * ratio].map(|area| area.sqrt().clamp(0.0, 1.0))
}

impl AugmentConfig {
    /// A changed `rgb8` image of rows of `width` pixels. Results are cut to [0, 1] after every change,
    /// and to whole bytes at the end.
    pub fn apply(&self, rgb: &[u8], width: usize, draws: &AugmentDraws) -> Vec<u8> {
        let image = rgb.iter().map(|&byte| f32::from(byte) / 255.0);
        let image = image.collect::<Vec<_>>();
        let changed = self.order.iter().fold(image, |image, &op| {
            let mut image = change(&image, width, op, draws);
            for value in &mut image {
                *value = value.clamp(0.0, 1.0);
            }
            image
        });
        changed.iter().map(|value| (value * 255.0) as u8).collect()
    }
}

/// One change of an image with channels red, green and blue in [0, 1]; may leave that range.
pub fn change(image: &[f32], width: usize, op: AugmentOp, draws: &AugmentDraws) -> Vec<f32> {
    let colors = |rule: &dyn Fn([f32; 3]) -> [f32; 3]| {
        image
            .as_chunks::<3>()
            .0
            .iter()
            .flat_map(|&rgb| rule(rgb))
            .collect()
    };
    match op {
        AugmentOp::RandomResizedCrop => crop(image, width, draws),
        AugmentOp::RandomBrightness => image.iter().map(|value| value + draws.brightness).collect(),
        AugmentOp::RandomContrast => {
            let means = channel_means(image);
            colors(&|rgb| std::array::from_fn(|i| (rgb[i] - means[i]) * draws.contrast + means[i]))
        }
        AugmentOp::RandomSaturation => colors(&|rgb| scale_saturation(rgb, draws.saturation)),
        AugmentOp::RandomHue => colors(&|rgb| turn_hue(rgb, draws.hue)),
    }
}

fn channel_means(image: &[f32]) -> [f32; 3] {
    let pixels = image.as_chunks::<3>().0;
    let sum = pixels.iter().fold([0f64; 3], |sum, rgb| {
        std::array::from_fn(|i| sum[i] + f64::from(rgb[i]))
    });
    sum.map(|sum| (sum / pixels.len().max(1) as f64) as f32)
}

/// The drawn part of the image, resized bilinearly to all of it: the corners of the part are the
/// corners of the result, and what lies outside the image is black.
fn crop(image: &[f32], width: usize, draws: &AugmentDraws) -> Vec<f32> {
    let height = image.len() / (3 * width).max(1);
    let [tall, wide] = crop_size(draws.scale, draws.log_ratio);
    let rows = places(height, draws.top, draws.top + tall);
    let columns = places(width, draws.left, draws.left + wide);
    let mut out = Vec::with_capacity(image.len());
    for row in &rows {
        for column in &columns {
            let (Some(row), Some(column)) = (row, column) else {
                out.extend([0.0; 3]);
                continue;
            };
            let pixel = |row: usize, column: usize| &image[(row * width + column) * 3..][..3];
            let [top_left, top_right] = [column.low, column.high].map(|at| pixel(row.low, at));
            let [low_left, low_right] = [column.low, column.high].map(|at| pixel(row.high, at));
            out.extend((0..3).map(|i| {
                let top = top_left[i] + (top_right[i] - top_left[i]) * column.share;
                let low = low_left[i] + (low_right[i] - low_left[i]) * column.share;
                top + (low - top) * row.share
            }));
        }
    }
    out
}

/// Between which two pixels of an axis a number is read.
struct Place {
    low: usize,
    high: usize,
    share: f32,
}

fn places(size: usize, from: f32, to: f32) -> Vec<Option<Place>> {
    let last = size.saturating_sub(1) as f32;
    let step = if size > 1 {
        (to - from) * last / last
    } else {
        0.0
    };
    (0..size)
        .map(|index| {
            let at = if size > 1 {
                from * last + index as f32 * step
            } else {
                0.5 * (from + to) * last
            };
            (0.0..=last).contains(&at).then(|| Place {
                low: at.floor() as usize,
                high: at.ceil() as usize,
                share: at - at.floor(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: AugmentDraws = AugmentDraws {
        scale: 1.0,
        log_ratio: 0.0,
        top: 0.0,
        left: 0.0,
        brightness: 0.0,
        contrast: 1.0,
        saturation: 1.0,
        hue: 0.0,
    };

    #[test]
    fn no_change_is_none() {
        let rgb = (0..27).map(|i| i * 9).collect::<Vec<u8>>();
        let config = AugmentConfig::default();
        let same = config.apply(&rgb, 3, &NONE);
        // Truncation to bytes may take one off.
        assert!(same.iter().zip(&rgb).all(|(a, b)| b - a <= 1));
    }

    #[test]
    fn one_number_decides_all() {
        let config = AugmentConfig::default();
        let draws = AugmentDraws::from_uniforms(&config, [0.5; 8]);
        assert!((draws.scale - 0.9).abs() < 1e-6 && draws.brightness.abs() < 1e-6);
        assert!((draws.contrast - 1.0).abs() < 1e-6 && draws.hue.abs() < 1e-6);
    }

    #[test]
    fn contrast_turns_around_the_mean() {
        let draws = AugmentDraws {
            contrast: 2.0,
            ..NONE
        };
        let image = [0.2, 0.5, 0.5, 0.4, 0.5, 0.5];
        let got = change(&image, 2, AugmentOp::RandomContrast, &draws);
        assert!((got[0] - 0.1).abs() < 1e-6 && (got[3] - 0.5).abs() < 1e-6);
    }

    #[test]
    fn the_middle_of_a_crop_is_between_pixels() {
        let draws = AugmentDraws {
            scale: 0.25,
            top: 0.0,
            left: 0.5,
            ..NONE
        };
        // Two pixels wide and high: columns from 0.5 to 1, rows from 0 to 0.5.
        let image = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let got = change(&image, 2, AugmentOp::RandomResizedCrop, &draws);
        assert_eq!(got[0], 0.5);
        assert_eq!(got[3], 1.0);
    }
}
