//! Fixed two-dimensional sinusoidal positions (He et al., masked autoencoders, arXiv 2111.06377).

use burn::tensor::{Device, Tensor, TensorData};

/// Table for a square grid, `[1, grid * grid, width]`, cells row by row. The first half of the
/// channels encodes the column and the second the row, each as sines then cosines of
/// `position / 10000^(2i / (width / 2))`. `width` is a multiple of 4.
pub fn grid_positions(width: usize, grid: usize, device: &Device) -> Tensor<3> {
    let quarter = width / 4;
    let mut values = Vec::with_capacity(grid * grid * width);
    for row in 0..grid {
        for column in 0..grid {
            for position in [column, row] {
                let angle = |i: usize| position as f64 / 10_000f64.powf(i as f64 / quarter as f64);
                values.extend((0..quarter).map(|i| angle(i).sin() as f32));
                values.extend((0..quarter).map(|i| angle(i).cos() as f32));
            }
        }
    }
    Tensor::from_data(TensorData::new(values, [1, grid * grid, width]), device)
}
