//! Pixels to network inputs.

/// Mean and standard deviation per channel by which images are normalised (those of CLIP, which the
/// authors of MDT use for every encoder).
pub const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// See [`MEAN`].
pub const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// Normalised value of every byte, per channel.
pub struct Normaliser {
    table: [[f32; 256]; 3],
}

impl Default for Normaliser {
    fn default() -> Self {
        Self {
            table: std::array::from_fn(|channel| {
                std::array::from_fn(|byte| (byte as f32 / 255.0 - MEAN[channel]) / STD[channel])
            }),
        }
    }
}

impl Normaliser {
    /// Appends the normalised values of an `rgb8` image to `out`, in the same order.
    pub fn apply(&self, rgb: &[u8], out: &mut Vec<f32>) {
        let [red, green, blue] = &self.table;
        out.extend(
            rgb.as_chunks::<3>()
                .0
                .iter()
                .flat_map(|&[r, g, b]| [red[r as usize], green[g as usize], blue[b as usize]]),
        );
    }
}

/// Weights of a one-dimensional resize with a triangle filter that widens when shrinking
/// (antialiased bilinear).
struct Filter {
    first: usize,
    weights: Vec<f32>,
}

fn filters(from: usize, to: usize) -> Vec<Filter> {
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).floor().max(0.0) as usize;
            let last = ((centre + support + 0.5).floor() as usize).min(from);
            let weights = (first..last.max(first + 1))
                .map(|j| (1.0 - ((j as f64 + 0.5 - centre) / support).abs()).max(0.0))
                .collect::<Vec<_>>();
            let sum = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
            Filter {
                first,
                weights: weights.iter().map(|w| (w / sum) as f32).collect(),
            }
        })
        .collect()
}

/// The same resize of one axis as a matrix, `[to, from]`, row-major.
pub fn resize_matrix(from: usize, to: usize) -> Vec<f32> {
    let mut matrix = vec![0.0; to * from];
    for (row, filter) in matrix.chunks_exact_mut(from.max(1)).zip(filters(from, to)) {
        row[filter.first..filter.first + filter.weights.len()].copy_from_slice(&filter.weights);
    }
    matrix
}

/// A square image of interleaved `channels`, `from` pixels wide, resized to `to` pixels.
pub fn resize(image: &[f32], channels: usize, from: usize, to: usize) -> Vec<f32> {
    if from == to {
        return image.to_vec();
    }
    let filters = filters(from, to);
    let mut narrow = vec![0.0; from * to * channels];
    for (row, out) in image
        .chunks_exact(from * channels)
        .zip(narrow.chunks_exact_mut(to * channels))
    {
        for (filter, out) in filters.iter().zip(out.chunks_exact_mut(channels)) {
            let taps = row[filter.first * channels..].chunks_exact(channels);
            for (weight, tap) in filter.weights.iter().zip(taps) {
                for (out, value) in out.iter_mut().zip(tap) {
                    *out += weight * value;
                }
            }
        }
    }
    let width = to * channels;
    let mut out = vec![0.0; to * width];
    for (row, filter) in out.chunks_exact_mut(width).zip(&filters) {
        let taps = narrow[filter.first * width..].chunks_exact(width);
        for (weight, tap) in filter.weights.iter().zip(taps) {
            for (out, value) in row.iter_mut().zip(tap) {
                *out += weight * value;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::resize;
    use crate::golden::{Golden, close};

    #[test]
    fn resizing_agrees_with_the_reference() {
        let golden = Golden::open("mdt/image_transforms.safetensors");
        for index in 0..5 {
            let input = golden.get(&format!("in/u8_{index}"));
            let want = golden.get(&format!("out/f32_resized_{index}"));
            let (from, to) = (input.shape[2], want.shape[2]);
            // Plane by plane: the reference keeps channels apart.
            let got = input
                .values
                .chunks_exact(from * from)
                .flat_map(|plane| resize(plane, 1, from, to))
                .map(|value| value / 255.0)
                .collect::<Vec<_>>();
            close(&format!("case {index}"), &got, &want.values, 1e-5);
        }
    }
}
