//! Batch norm with the statistics of a finished training (Ioffe and Szegedy, arXiv 1502.03167).

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

const EPSILON: f64 = 1e-5;

/// `(x - mean) / sqrt(variance + 1e-5) * weight + bias` per channel. The statistics are never
/// updated: networks with this norm are frozen here.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Gain, `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// Offset, `[channels]`.
    pub bias: Param<Tensor<1>>,
    /// Mean over the training data, `[channels]`.
    pub running_mean: Param<Tensor<1>>,
    /// Variance over the training data, `[channels]`.
    pub running_var: Param<Tensor<1>>,
}

impl BatchNorm {
    /// No change, but for the epsilon.
    pub fn new(channels: usize, device: &Device) -> Self {
        let zeros = || Initializer::Zeros.init([channels], device);
        let ones = || Initializer::Ones.init([channels], device);
        Self {
            weight: ones(),
            bias: zeros(),
            running_mean: zeros(),
            running_var: ones(),
        }
    }

    /// `[batch, height, width, channels]`, same shape out.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let scale = self.weight.val() / (self.running_var.val() + EPSILON).sqrt();
        let shift = self.bias.val() - self.running_mean.val() * scale.clone();
        input * scale.unsqueeze() + shift.unsqueeze()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn statistics_are_taken_out() {
        let device = Device::flex();
        let vector = |values: [f32; 2]| {
            Param::from_tensor(Tensor::<1>::from_data(TensorData::from(values), &device))
        };
        let norm = BatchNorm {
            weight: vector([2.0, 1.0]),
            bias: vector([0.5, 0.0]),
            running_mean: vector([1.0, -1.0]),
            running_var: vector([4.0, 0.25]),
        };
        let input = Tensor::<4>::from_data(TensorData::from([[[[3.0f32, 0.0]]]]), &device);
        let output = norm.forward(input).into_data();
        // (3 - 1) / 2 * 2 + 0.5 and (0 + 1) / 0.5.
        let output = output.as_slice::<f32>().map(<[f32]>::to_vec);
        let output = output.unwrap_or_default();
        assert!((output[0] - 2.5).abs() < 1e-4 && (output[1] - 2.0).abs() < 1e-4);
    }
}
