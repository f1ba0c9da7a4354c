//! Statistics of the training data that belong to the weights.

use serde::{Deserialize, Serialize};

/// Mean and spread of the proprioception vector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// Mean per number.
    pub proprioception_mean: Vec<f32>,
    /// Standard deviation per number, not below [`LEAST_SPREAD`].
    pub proprioception_std: Vec<f32>,
}

/// Numbers that hardly vary in training are not blown up: their spread counts as this.
pub const LEAST_SPREAD: f32 = 1e-2;

impl Statistics {
    /// No change: mean 0, spread 1.
    pub fn identity(width: usize) -> Self {
        Self {
            proprioception_mean: vec![0.0; width],
            proprioception_std: vec![1.0; width],
        }
    }

    /// Of vectors of `width` numbers, one after the other.
    pub fn of(vectors: impl Iterator<Item = f32>, width: usize) -> Self {
        let mut sum = vec![0f64; width];
        let mut squares = vec![0f64; width];
        let mut count = 0usize;
        for (i, value) in vectors.enumerate() {
            let value = f64::from(value);
            sum[i % width] += value;
            squares[i % width] += value * value;
            count = i / width + 1;
        }
        if count == 0 {
            return Self::identity(width);
        }
        let n = count as f64;
        let spread = |(sum, squares): (&f64, &f64)| {
            let mean = sum / n;
            ((squares / n - mean * mean).max(0.0).sqrt() as f32).max(LEAST_SPREAD)
        };
        Self {
            proprioception_std: sum.iter().zip(&squares).map(spread).collect(),
            proprioception_mean: sum.iter().map(|s| (s / n) as f32).collect(),
        }
    }

    /// Appends the normalised vector to `out`; values beyond five spreads are clipped, so that a
    /// pose unlike any in training cannot dominate the network.
    pub fn normalise(&self, vector: &[f32], out: &mut Vec<f32>) {
        let scale = self
            .proprioception_mean
            .iter()
            .zip(&self.proprioception_std);
        out.extend(
            vector
                .iter()
                .zip(scale)
                .map(|(value, (mean, std))| ((value - mean) / std).clamp(-5.0, 5.0)),
        );
    }
}
