//! Augmentation of images: random shifts and a random brightness per image.

use burn::tensor::{Int, Tensor};
use rand::{Rng, RngExt};

use crate::mdt::loss::normals;

/// Pixels by which edges are repeated before a window is cut out.
pub const SHIFT: usize = 4;
/// Strength of the brightness.
const INTENSITY: f32 = 0.05;
/// Normal numbers beyond are cut off.
const MOST: f32 = 2.0;

/// Random numbers of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Augmentation {
    /// Row and column of each image's window, 0 to twice [`SHIFT`].
    pub offsets: Vec<[usize; 2]>,
    /// A unit normal number per image.
    pub brightness: Vec<f32>,
}

impl Augmentation {
    /// Draws for `batch` images.
    pub fn draw(batch: usize, rng: &mut impl Rng) -> Self {
        let mut offset = || rng.random_range(0..=2 * SHIFT);
        let offsets = (0..batch).map(|_| [offset(), offset()]).collect();
        Self {
            offsets,
            brightness: normals(batch, rng),
        }
    }

    /// The images moved: `[batch, height, width, channels]`, same shape out.
    pub fn shift(&self, images: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, _] = images.dims();
        if batch == 0 || self.offsets.len() < batch {
            return images;
        }
        let device = images.device();
        let take = |length: usize, offset: usize| {
            let indices = (0..length).map(|index| {
                let inside = (index + offset).saturating_sub(SHIFT);
                inside.min(length - 1) as i32
            });
            Tensor::<1, Int>::from_ints(indices.collect::<Vec<_>>().as_slice(), &device)
        };
        let offsets = self.offsets.iter().enumerate().take(batch);
        let moved = offsets.map(|(row, &[y, x])| {
            let image = images.clone().narrow(0, row, 1);
            image.select(1, take(height, y)).select(2, take(width, x))
        });
        Tensor::cat(moved.collect(), 0)
    }

    /// The images brighter or darker: times `1 + 0.05 n`, n within −2 … 2.
    pub fn brighten(&self, images: Tensor<4>) -> Tensor<4> {
        let factors = self.brightness.iter();
        let factors = factors.map(|normal| 1.0 + INTENSITY * normal.clamp(-MOST, MOST));
        let factors = factors.collect::<Vec<_>>();
        let device = images.device();
        let factors = Tensor::<1>::from_floats(factors.as_slice(), &device);
        let count = factors.dims()[0];
        images * factors.reshape([count, 1, 1, 1])
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn shifts_repeat_the_edge_and_brightness_is_bounded() {
        let device = Device::flex();
        let row = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device);
        let images = row.reshape([1, 1, 3, 1]);
        let augmentation = Augmentation {
            offsets: vec![[4, 5]],
            brightness: vec![9.0],
        };
        let moved = augmentation.shift(images.clone());
        close("moved", &vec(moved), &[2.0, 3.0, 3.0], 0.0);
        let bright = augmentation.brighten(images);
        close("bright", &vec(bright), &[1.1, 2.2, 3.3], 1e-6);
        let drawn = Augmentation::draw(50, &mut ChaCha8Rng::seed_from_u64(2));
        assert!(drawn.offsets.iter().flatten().all(|&offset| offset <= 8));
        assert_eq!(drawn.brightness.len(), 50);
    }
}
