//! Voltron's own preparation of images, which MDT-V applies to images that are already normalised.

use burn::tensor::{Tensor, TensorData};

use crate::images::resize_matrix;

/// Mean per channel by which Voltron normalises (that of ImageNet).
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation per channel.
pub const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Images `[batch, rows, columns, 3]`: their shorter side resized to `side`, the middle `side`
/// columns or rows of the other one kept, and normalised.
///
/// MDT-V's images come here normalised with CLIP's statistics, and are so normalised twice.
pub fn prepare(images: Tensor<4>, side: usize) -> Tensor<4> {
    let [_, rows, columns, _] = images.dims();
    let short = rows.min(columns).max(1);
    let scaled = [rows, columns].map(|length| {
        if length == short {
            side
        } else {
            side * length / short
        }
    });
    let device = images.device();
    let [top, left] = scaled.map(|length| half_rounded(length - side));
    let images = resized(images, scaled)
        .narrow(1, top, side)
        .narrow(2, left, side);
    let channels = |values: [f32; 3]| {
        Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 1, 1, 3]), &device)
    };
    (images - channels(MEAN)) / channels(STD)
}

/// Images resized as two products, one per axis.
fn resized(images: Tensor<4>, [to_rows, to_columns]: [usize; 2]) -> Tensor<4> {
    let [batch, rows, columns, channels] = images.dims();
    if (rows, columns) == (to_rows, to_columns) {
        return images;
    }
    let device = images.device();
    let matrix = |from: usize, to: usize| {
        Tensor::<3>::from_data(
            TensorData::new(resize_matrix(from, to), [1, to, from]),
            &device,
        )
    };
    let tall = matrix(rows, to_rows).matmul(images.reshape([batch, rows, columns * channels]));
    let wide = tall.reshape([batch * to_rows, columns, channels]);
    matrix(columns, to_columns)
        .matmul(wide)
        .reshape([batch, to_rows, to_columns, channels])
}

/// Half of a length, the even one of two equally near numbers.
const fn half_rounded(length: usize) -> usize {
    let half = length / 2;
    half + (length % 2) * (half % 2)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_middle_of_the_longer_side_is_kept() {
        // Columns 0 to 3 with their number in every channel.
        let row = [0.0f32, 1.0, 2.0, 3.0].map(|value| [value; 3]).concat();
        let data = TensorData::new([row.clone(), row].concat(), [1, 2, 4, 3]);
        let prepared = prepare(Tensor::from_data(data, &Device::flex()), 2).into_data();
        let prepared = prepared.as_slice::<f32>().unwrap_or_default();
        let expected = |value: f32, channel: usize| (value - MEAN[channel]) / STD[channel];
        assert_eq!(prepared.len(), 12);
        assert!((prepared[0] - expected(1.0, 0)).abs() < 1e-5);
        assert!((prepared[5] - expected(2.0, 2)).abs() < 1e-5);
    }

    #[test]
    fn constants_stay_when_resized() {
        let data = TensorData::new(vec![0.5f32; 3 * 3 * 3], [1, 3, 3, 3]);
        let prepared = prepare(Tensor::from_data(data, &Device::flex()), 8);
        assert_eq!(prepared.dims(), [1, 8, 8, 3]);
        let values = prepared.into_data();
        let values = values.as_slice::<f32>().unwrap_or_default();
        let expected = |at: usize| (0.5 - MEAN[at % 3]) / STD[at % 3];
        let mut pairs = values.iter().enumerate();
        assert!(pairs.all(|(at, value)| (value - expected(at)).abs() < 1e-5));
    }

    #[test]
    fn halves_are_rounded_to_even() {
        assert_eq!([0, 1, 2, 3, 5, 7].map(half_rounded), [0, 0, 1, 2, 2, 4]);
    }
}
