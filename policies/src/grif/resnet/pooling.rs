//! From the last map to a vector.

use burn::tensor::{Device, Tensor, TensorData, activation::softmax};

/// `[batch, height, width, channels] -> [batch, height * width, channels]`.
fn pixels(map: Tensor<4>) -> Tensor<3> {
    let [batch, height, width, channels] = map.dims();
    map.reshape([batch, height * width, channels])
}

/// Mean over the pixels: `[batch, channels]`.
pub fn average(map: Tensor<4>) -> Tensor<2> {
    pixels(map).mean_dim(1).squeeze_dim(1)
}

/// Greatest value over the pixels: `[batch, channels]`.
pub fn maximum(map: Tensor<4>) -> Tensor<2> {
    pixels(map).max_dim(1).squeeze_dim(1)
}

/// Mean column and row in [-1, 1] under the softmax of `map / temperature` over the pixels:
/// `[batch, 2 * channels]`, all columns first. Maps are square.
pub fn spatial_softmax(map: Tensor<4>, temperature: Option<Tensor<1>>) -> Tensor<2> {
    let [batch, height, width, channels] = map.dims();
    let places = coordinates(height, width, &map.device());
    let mut scores = pixels(map).swap_dims(1, 2);
    if let Some(temperature) = temperature {
        scores = scores / temperature.reshape([1, 1, 1]);
    }
    softmax(scores, 2)
        .matmul(places)
        .swap_dims(1, 2)
        .reshape([batch, 2 * channels])
}

/// `sum over pixels of map[.., c] kernel[f, c, ..]` as `[batch, channels * features]`; the kernel is
/// `[features, channels, height, width]`.
pub fn learned_embeddings(map: Tensor<4>, kernel: Tensor<4>) -> Tensor<2> {
    let [features, channels, height, width] = kernel.dims();
    let batch = map.dims()[0];
    let area = height * width;
    // One product per channel: [batch, area] times [area, features].
    let rows = pixels(map).permute([2, 0, 1]);
    let kernel = kernel
        .reshape([features, channels, area])
        .permute([1, 2, 0]);
    rows.matmul(kernel)
        .permute([1, 0, 2])
        .reshape([batch, channels * features])
}

/// Column and row of every pixel in [-1, 1], the corners at the ends: `[1, height * width, 2]`.
pub fn coordinates(height: usize, width: usize, device: &Device) -> Tensor<3> {
    let place = |i: usize, n: usize| (i as f64 / (n - 1) as f64 * 2.0 - 1.0) as f32;
    let values = (0..height)
        .flat_map(|row| {
            (0..width).flat_map(move |column| [place(column, width), place(row, height)])
        })
        .collect::<Vec<f32>>();
    Tensor::from_data(TensorData::new(values, [1, height * width, 2]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::vec;

    fn map(device: &Device) -> Tensor<4> {
        Tensor::<1>::from_floats([1.0, 2.0, 3.0, 6.0], device).reshape([1, 2, 2, 1])
    }

    #[test]
    fn average_and_maximum() {
        let device = Device::flex();
        assert_eq!(vec(average(map(&device))), [3.0]);
        assert_eq!(vec(maximum(map(&device))), [6.0]);
    }

    #[test]
    fn learned_sums_are_taken_per_channel_and_feature() {
        let device = Device::flex();
        let kernel = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0];
        let kernel = Tensor::<1>::from_floats(kernel, &device).reshape([2, 1, 2, 2]);
        assert_eq!(vec(learned_embeddings(map(&device), kernel)), [7.0, 2.0]);
    }

    #[test]
    fn a_peak_is_where_it_is() {
        let device = Device::flex();
        let peak = Tensor::<1>::from_floats([0.0, 0.0, 200.0, 0.0], &device).reshape([1, 2, 2, 1]);
        let place = vec(spatial_softmax(peak, None));
        assert!((place[0] + 1.0).abs() < 1e-6 && (place[1] - 1.0).abs() < 1e-6);
        let flat = Tensor::<4>::zeros([1, 2, 2, 1], &device);
        let warm = Tensor::from_floats([2.0], &device);
        assert!(
            vec(spatial_softmax(flat, Some(warm)))
                .iter()
                .all(|v| v.abs() < 1e-6)
        );
    }
}
