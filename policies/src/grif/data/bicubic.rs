//! Bicubic resizing without a filter against aliasing (Keys 1981, a = -1/2), as TensorFlow's.

/// Weights of four neighbouring pixels for one output pixel.
struct Taps {
    pixels: [usize; 4],
    weights: [f32; 4],
}

/// Keys' kernel.
fn kernel(distance: f32) -> f32 {
    const A: f32 = -0.5;
    let x = distance.abs();
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    } else {
        0.0
    }
}

/// TensorFlow looks weights up in a table of this many steps between two pixels.
const STEPS: f32 = 1024.0;

fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f32 / to as f32;
    (0..to)
        .map(|index| {
            let at = (index as f32 + 0.5) * scale - 0.5;
            let base = at.floor();
            let share = ((at - base) * STEPS).round_ties_even() / STEPS;
            let mut weights: [f32; 4] =
                std::array::from_fn(|tap| kernel(share - (tap as f32 - 1.0)));
            let mut pixels = [0; 4];
            for (tap, (pixel, weight)) in pixels.iter_mut().zip(&mut weights).enumerate() {
                let place = base as i64 + tap as i64 - 1;
                // Neighbours outside the image do not count.
                if place < 0 || place >= from as i64 {
                    *weight = 0.0;
                }
                *pixel = place.clamp(0, from as i64 - 1) as usize;
            }
            let sum = weights.iter().sum::<f32>();
            Taps {
                pixels,
                weights: weights.map(|weight| weight / sum),
            }
        })
        .collect()
}

/// An image of interleaved `channels`, `from = (height, width)`, resized to `to`.
pub fn resize(
    image: &[f32],
    channels: usize,
    from: (usize, usize),
    to: (usize, usize),
) -> Vec<f32> {
    let (rows, columns) = (taps(from.0, to.0), taps(from.1, to.1));
    let mut narrow = vec![0.0; from.0 * to.1 * channels];
    let lines = image.chunks_exact((from.1 * channels).max(1));
    for (line, out) in lines.zip(narrow.chunks_exact_mut((to.1 * channels).max(1))) {
        for (taps, out) in columns.iter().zip(out.chunks_exact_mut(channels.max(1))) {
            for (&pixel, weight) in taps.pixels.iter().zip(taps.weights) {
                for (out, value) in out.iter_mut().zip(&line[pixel * channels..]) {
                    *out += weight * value;
                }
            }
        }
    }
    let width = to.1 * channels;
    let mut out = vec![0.0; to.0 * width];
    for (taps, out) in rows.iter().zip(out.chunks_exact_mut(width.max(1))) {
        for (&pixel, weight) in taps.pixels.iter().zip(taps.weights) {
            for (out, value) in out.iter_mut().zip(&narrow[pixel * width..]) {
                *out += weight * value;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_image_stays_flat() {
        let resized = resize(&[0.7; 2 * 3 * 3], 3, (2, 3), (5, 4));
        assert_eq!(resized.len(), 60);
        assert!(resized.iter().all(|value| (value - 0.7).abs() < 1e-6));
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let image = (0..16).map(|i| i as f32).collect::<Vec<_>>();
        assert_eq!(resize(&image, 1, (4, 4), (4, 4)), image);
    }

    #[test]
    fn halfway_between_two_pixels() {
        // Inside, Keys' kernel at 1/2 and 3/2 weighs neighbours by 9/16 and -1/16.
        assert!((kernel(0.5) - 0.5625).abs() < 1e-6 && (kernel(1.5) + 0.0625).abs() < 1e-6);
    }
}
