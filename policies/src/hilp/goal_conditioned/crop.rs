//! Random crops of images: the edges are repeated outwards, and a window of the old size is cut out.

use rand::{Rng, RngExt};

/// How often and how far images are moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropConfig {
    /// Probability that a batch is moved at all.
    pub probability: f64,
    /// Pixels by which edges are repeated.
    pub padding: usize,
}

impl Default for CropConfig {
    /// What the authors use for pixels.
    fn default() -> Self {
        Self {
            probability: 0.5,
            padding: 3,
        }
    }
}

impl CropConfig {
    /// Offsets of the windows, row and column, one per row of the batch, or `None` if the batch
    /// stays as it is. The same offsets belong to observation, next observation and goal.
    pub fn draw(&self, rows: usize, rng: &mut impl Rng) -> Option<Vec<[usize; 2]>> {
        if rng.random::<f64>() >= self.probability {
            return None;
        }
        let mut offset = || rng.random_range(0..=2 * self.padding);
        Some((0..rows).map(|_| [offset(), offset()]).collect())
    }

    /// An image of interleaved channels, `size` rows and columns, seen through the window at
    /// `offset` of the image with `padding` more pixels on each side.
    pub fn crop(&self, image: &[u8], size: [usize; 2], offset: [usize; 2]) -> Vec<u8> {
        let [height, width] = size;
        let channels = image.len().checked_div(height * width).unwrap_or(0);
        let source = |index: usize, offset: usize, length: usize| {
            let inside = (index + offset).saturating_sub(self.padding);
            inside.min(length.saturating_sub(1))
        };
        let mut out = Vec::with_capacity(image.len());
        for row in 0..height {
            let row = source(row, offset[0], height);
            for column in 0..width {
                let column = source(column, offset[1], width);
                let pixel = (row * width + column) * channels;
                out.extend_from_slice(&image[pixel..pixel + channels]);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn edges_are_repeated() {
        let config = CropConfig {
            probability: 1.0,
            padding: 1,
        };
        let image = [1, 2, 3, 4];
        assert_eq!(config.crop(&image, [2, 2], [1, 1]), image);
        assert_eq!(config.crop(&image, [2, 2], [0, 0]), [1, 1, 1, 1]);
        assert_eq!(config.crop(&image, [2, 2], [2, 1]), [3, 4, 3, 4]);
        // Two channels.
        assert_eq!(config.crop(&image, [1, 2], [1, 2]), [3, 4, 3, 4]);
        assert!(config.crop(&[], [0, 0], [0, 0]).is_empty());
    }

    #[test]
    fn a_coin_per_batch_and_an_offset_per_row() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let config = CropConfig::default();
        let draws = (0..200)
            .map(|_| config.draw(2, &mut rng))
            .collect::<Vec<_>>();
        let moved = draws.iter().flatten().collect::<Vec<_>>();
        assert!((60..140).contains(&moved.len()));
        assert!(
            moved
                .iter()
                .all(|offsets| offsets.iter().flatten().all(|&o| o <= 6))
        );
        assert!(moved.iter().any(|offsets| offsets[0] != offsets[1]));
    }
}
