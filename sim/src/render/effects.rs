//! What a cheap or dirty camera does to a picture: blur, a spot on the lens, exposure, noise.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::RenderError;
use super::shift::{between, strength};

/// How strong each effect is: 0 (none) to 3; larger numbers count as 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EffectLevels {
    /// Noise of the sensor, new in each frame: standard deviation 4, 10 or 20 of 255.
    pub noise: u8,
    /// Box blur over 3, 5 or 7 pixels in an image 96 wide, and in proportion in others.
    pub blur: u8,
    /// One dark patch at a fixed place that covers 2, 6 or 14 % of the image.
    pub occlusion: u8,
    /// Exposure: all values times up to 1.15, 1.35 or 1.6, or divided by it.
    pub brightness: u8,
}

/// The effects of one camera in one episode, fixed when made.
///
/// Equal seeds, levels, frame numbers and images give equal bytes, in whatever order frames come.
#[derive(Clone, Debug)]
pub struct Effects {
    levels: EffectLevels,
    seed: u64,
    /// Exposure factor in units of 1/256.
    gain: u32,
    /// Left, top, width and height of the patch as parts of the image, and its gray value.
    patch: [f32; 4],
    patch_gray: u8,
    row: Vec<u8>,
    random: Vec<u8>,
}

impl Effects {
    /// Draws the exposure and the patch.
    pub fn new(levels: EffectLevels, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let side = between(&mut rng, -1.0, 1.0);
        let stretch = strength(levels.brightness, [0.15, 0.35, 0.6]) * side.abs();
        let gain = if side < 0.0 {
            1.0 / (1.0 + stretch)
        } else {
            1.0 + stretch
        };
        let area = strength(levels.occlusion, [0.02, 0.06, 0.14]);
        let slimness = between(&mut rng, 0.7, 1.4);
        let (width, height) = (area.sqrt() * slimness, area.sqrt() / slimness);
        let left = between(&mut rng, 0.0, 1.0) * (1.0 - width);
        let top = between(&mut rng, 0.0, 1.0) * (1.0 - height);
        Self {
            levels,
            seed,
            gain: (gain * 256.0 + 0.5) as u32,
            patch: [left, top, width, height],
            patch_gray: between(&mut rng, 8.0, 72.0) as u8,
            row: Vec::new(),
            random: Vec::new(),
        }
    }

    /// Applies the effects to frame number `frame` of the episode, an rgb8 image, in the order in
    /// which light meets them: blur, patch, exposure, noise.
    ///
    /// # Errors
    /// When `image` is not `width * height * 3` bytes long.
    pub fn apply(
        &mut self,
        image: &mut [u8],
        width: u32,
        height: u32,
        frame: u64,
    ) -> Result<(), RenderError> {
        let (width, height) = (width as usize, height as usize);
        let expected = width.saturating_mul(height).saturating_mul(3);
        if image.len() != expected {
            return Err(RenderError::BufferLength {
                expected,
                got: image.len(),
            });
        }
        if image.is_empty() {
            return Ok(());
        }
        if self.levels.blur > 0 {
            let radius = ((usize::from(self.levels.blur.min(3)) * width + 48) / 96).max(1);
            self.blur(image, width, height, radius);
        }
        if self.levels.occlusion > 0 {
            self.cover(image, width, height);
        }
        if self.levels.brightness > 0 {
            for value in image.iter_mut() {
                *value = ((u32::from(*value) * self.gain + 128) / 256).min(255) as u8;
            }
        }
        if self.levels.noise > 0 {
            self.add_noise(image, frame);
        }
        Ok(())
    }

    /// Mean over a square window, by rows and then by columns. The border repeats.
    fn blur(&mut self, image: &mut [u8], width: usize, height: usize, radius: usize) {
        for row in 0..height {
            for channel in 0..3 {
                self.blur_line(image, row * width * 3 + channel, 3, width, radius);
            }
        }
        for start in 0..width * 3 {
            self.blur_line(image, start, width * 3, height, radius);
        }
    }

    /// Running mean along `count` values that are `stride` apart.
    fn blur_line(
        &mut self,
        image: &mut [u8],
        start: usize,
        stride: usize,
        count: usize,
        radius: usize,
    ) {
        self.row.clear();
        self.row
            .extend(image[start..].iter().step_by(stride).take(count));
        let last = count - 1;
        let at = |index: usize| u32::from(self.row[index.min(last)]);
        let size = 2 * radius as u32 + 1;
        let mut sum = at(0) * (radius as u32 + 1) + (1..=radius).map(at).sum::<u32>();
        for index in 0..count {
            image[start + index * stride] = ((sum + size / 2) / size) as u8;
            sum = sum + at(index + radius + 1) - at(index.saturating_sub(radius));
        }
    }

    fn cover(&self, image: &mut [u8], width: usize, height: usize) {
        let [left, top, patch_width, patch_height] = self.patch;
        let range = |from: f32, size: f32, whole: usize| {
            let begin = (from * whole as f32 + 0.5) as usize;
            let end = ((from + size) * whole as f32 + 0.5) as usize;
            begin.min(whole)..end.min(whole)
        };
        let columns = range(left, patch_width, width);
        for row in range(top, patch_height, height) {
            let line = row * width;
            image[(line + columns.start) * 3..(line + columns.end) * 3].fill(self.patch_gray);
        }
    }

    fn add_noise(&mut self, image: &mut [u8], frame: u64) {
        // The sum of four random bytes has mean 510 and standard deviation 147.8: close enough to a
        // normal distribution, and whole numbers only.
        let scale = [0, 4, 10, 20][usize::from(self.levels.noise.min(3))] * 65_536 / 148;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        // Stream 0 has drawn the exposure and the patch.
        rng.set_stream(frame.wrapping_add(1));
        self.random.resize(image.len() * 4, 0);
        rng.fill_bytes(&mut self.random);
        for (value, random) in image.iter_mut().zip(self.random.chunks_exact(4)) {
            let sum: i32 = random.iter().map(|&byte| i32::from(byte)).sum();
            let noise = ((sum - 510) * scale + 32_768) >> 16;
            *value = (i32::from(*value) + noise).clamp(0, 255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn gray(levels: EffectLevels, seed: u64, frame: u64) -> Vec<u8> {
        let mut image = vec![128; 96 * 96 * 3];
        Effects::new(levels, seed)
            .apply(&mut image, 96, 96, frame)
            .unwrap();
        image
    }

    #[test]
    fn level_zero_changes_nothing() {
        assert!(
            gray(EffectLevels::default(), 3, 0)
                .iter()
                .all(|&value| value == 128)
        );
    }

    #[test]
    fn noise_has_the_stated_spread_and_depends_on_the_frame() {
        for (level, wanted) in [(1, 4.0), (2, 10.0), (3, 20.0)] {
            let levels = EffectLevels {
                noise: level,
                ..EffectLevels::default()
            };
            let image = gray(levels, 7, 5);
            let n = image.len() as f64;
            let mean = image.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            let variance = image
                .iter()
                .map(|&v| (f64::from(v) - mean).powi(2))
                .sum::<f64>()
                / n;
            assert!((mean - 128.0).abs() < 0.5, "{mean}");
            assert!(
                (variance.sqrt() / wanted - 1.0).abs() < 0.05,
                "{}",
                variance.sqrt()
            );
            assert_eq!(image, gray(levels, 7, 5));
            assert_ne!(image, gray(levels, 7, 6));
            assert_ne!(image, gray(levels, 8, 5));
        }
    }

    #[test]
    fn patch_covers_the_stated_area() {
        for (level, part) in [(1, 0.02), (2, 0.06), (3, 0.14)] {
            for seed in 0..20 {
                let levels = EffectLevels {
                    occlusion: level,
                    ..EffectLevels::default()
                };
                let image = gray(levels, seed, 0);
                let covered = image.iter().filter(|&&v| v != 128).count() as f64;
                let area = covered / image.len() as f64;
                assert!(
                    (area / part - 1.0).abs() < 0.15,
                    "level {level} seed {seed}: {area}"
                );
            }
        }
    }

    #[test]
    fn blur_keeps_flat_images_and_the_mean() {
        let levels = EffectLevels {
            blur: 3,
            ..EffectLevels::default()
        };
        assert!(gray(levels, 1, 0).iter().all(|&value| value == 128));
        let mut dot = vec![0; 96 * 31 * 3];
        dot[(15 * 96 + 15) * 3] = 245;
        Effects::new(levels, 1).apply(&mut dot, 96, 31, 0).unwrap();
        assert_eq!(dot.iter().filter(|&&value| value > 0).count(), 49);
        assert_eq!(dot[(15 * 96 + 15) * 3], 5);
    }

    #[test]
    fn brightness_goes_both_ways_and_stays_in_range() {
        let levels = EffectLevels {
            brightness: 3,
            ..EffectLevels::default()
        };
        let values: Vec<u8> = (0..40).map(|seed| gray(levels, seed, 0)[0]).collect();
        assert!(values.iter().any(|&v| v < 110) && values.iter().any(|&v| v > 150));
        assert!(
            values.iter().all(|&v| (80..=205).contains(&v)),
            "{values:?}"
        );
    }

    #[test]
    fn odd_sizes_are_fine_and_wrong_lengths_refused() {
        let levels = EffectLevels {
            noise: 3,
            blur: 3,
            occlusion: 3,
            brightness: 3,
        };
        let mut effects = Effects::new(levels, 0);
        for (width, height) in [(0, 0), (0, 5), (1, 1), (1, 9), (7, 2), (300, 1)] {
            let mut image = vec![9; (width * height * 3) as usize];
            effects.apply(&mut image, width, height, 1).unwrap();
        }
        let got = effects.apply(&mut [0; 5], 1, 1, 0);
        assert_eq!(
            got,
            Err(RenderError::BufferLength {
                expected: 3,
                got: 5
            })
        );
    }
}
