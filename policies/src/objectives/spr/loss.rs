//! The loss: predicted and actual projections as unit vectors, their squared distance.

use burn::tensor::{Tensor, TensorData};

/// Shortest length that is divided by.
const SHORTEST: f32 = 1e-3;

/// `‖a/‖a‖ − b/‖b‖‖²` (2 − 2 cos) per row, the mean over cells: `[cells, rows, width]` to `[rows]`.
pub fn distance(predicted: Tensor<3>, actual: Tensor<3>) -> Tensor<1> {
    let unit = |vectors: Tensor<3>| {
        let squares = vectors.clone().square().sum_dim(2);
        // Bounded before the root, whose gradient at zero is infinite.
        vectors / squares.clamp_min(SHORTEST * SHORTEST).sqrt()
    };
    let [_, rows, _] = predicted.dims();
    let squares = (unit(predicted) - unit(actual)).square().sum_dim(2);
    squares.mean_dim(0).reshape([rows])
}

/// The loss per row of a batch, from the distances of every jump, `[jumps + 1, batch]`.
#[derive(Clone, Debug)]
pub struct PerSample {
    /// Of the first observation, where nothing was predicted yet.
    pub first: Tensor<1>,
    /// Mean over the predicted steps; zero if there are none.
    pub predicted: Tensor<1>,
}

/// Leaves out what lies behind an end: `ends[k][row]` tells whether step `k` ended an episode.
pub fn per_sample(distances: Tensor<2>, ends: &[Vec<bool>]) -> PerSample {
    let [steps, batch] = distances.dims();
    let mut running = vec![1f32; batch];
    let mut alive = Vec::with_capacity(steps * batch);
    for step in 0..steps {
        for (row, running) in running.iter_mut().enumerate() {
            let ended = ends.get(step).and_then(|ends| ends.get(row)).copied();
            if ended.unwrap_or(false) {
                *running = 0.0;
            }
        }
        alive.extend_from_slice(&running);
    }
    let alive = TensorData::new(alive, [steps, batch]);
    let alive = Tensor::from_data(alive, &distances.device().inner());
    let distances = distances * alive;
    let row = |part: Tensor<2>| part.mean_dim(0).reshape([batch]);
    let first = row(distances.clone().narrow(0, 0, 1));
    let predicted = if steps > 1 {
        row(distances.narrow(0, 1, steps - 1))
    } else {
        first.clone().zeros_like()
    };
    PerSample { first, predicted }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn distances_of_directions_by_hand() {
        let device = Device::flex();
        let a = Tensor::<3>::from_floats([[[2.0, 0.0], [1.0, 0.0], [0.0, 0.0]]], &device);
        let b = Tensor::<3>::from_floats([[[5.0, 0.0], [0.0, 3.0], [0.0, 7.0]]], &device);
        // Same, orthogonal, and nothing against something.
        close("distances", &vec(distance(a, b)), &[0.0, 2.0, 1.0], 1e-6);
    }

    #[test]
    fn nothing_counts_behind_an_end() {
        let device = Device::flex();
        let distances = Tensor::<2>::from_floats([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]], &device);
        let ends = [vec![false, false], vec![false, true], vec![false, false]];
        let got = per_sample(distances, &ends);
        close("first", &vec(got.first), &[1.0, 1.0], 0.0);
        close("predicted", &vec(got.predicted), &[3.0, 0.0], 0.0);
        let single = per_sample(Tensor::<2>::from_floats([[1.0]], &device), &[]);
        close("none", &vec(single.predicted), &[0.0], 0.0);
    }
}
