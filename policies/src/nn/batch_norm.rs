//! Batch norm of channels-last images (Ioffe and Szegedy, arXiv 1502.03167), as PyTorch keeps it.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

const EPSILON: f32 = 1e-5;
/// Share of a batch in the running statistics.
const MOMENTUM: f32 = 0.1;

/// A norm over batch and pixels per channel.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Gain, `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// Offset, `[channels]`.
    pub bias: Param<Tensor<1>>,
    /// Running mean, `[channels]`.
    pub running_mean: Param<Tensor<1>>,
    /// Running variance (with n − 1), `[channels]`.
    pub running_var: Param<Tensor<1>>,
}

impl BatchNorm {
    /// Gain one, offset zero, statistics of unit normal numbers.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([channels], device),
            bias: Initializer::Zeros.init([channels], device),
            running_mean: Initializer::Zeros.init([channels], device),
            running_var: Initializer::Ones.init([channels], device),
        }
    }

    /// Normalises by the batch's own statistics and moves the running ones, outside any graph.
    /// `[batch, height, width, channels]`, same shape out.
    pub fn train_forward(&mut self, images: Tensor<4>) -> Tensor<4> {
        let shape = images.dims();
        let channels = shape[3];
        let count = shape[0] * shape[1] * shape[2];
        let rows = images.reshape([count, channels]);
        let mean = rows.clone().mean_dim(0);
        let centred = rows - mean.clone();
        let variance = centred.clone().square().mean_dim(0);
        let unbiased = count as f32 / (count.max(2) - 1) as f32;
        self.running_mean = moved(self.running_mean.clone(), mean.inner());
        self.running_var = moved(
            self.running_var.clone(),
            variance.clone().inner() * unbiased,
        );
        let normal = centred / (variance + EPSILON).sqrt();
        self.affine(normal).reshape(shape)
    }

    /// Normalises by the running statistics. Shapes as [`BatchNorm::train_forward`].
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let shape = images.dims();
        let rows = images.reshape([shape[0] * shape[1] * shape[2], shape[3]]);
        let mean = self.running_mean.val().unsqueeze();
        let spread: Tensor<2> = (self.running_var.val() + EPSILON).sqrt().unsqueeze();
        self.affine((rows - mean) / spread).reshape(shape)
    }

    fn affine(&self, normal: Tensor<2>) -> Tensor<2> {
        normal * self.weight.val().unsqueeze() + self.bias.val().unsqueeze()
    }
}

fn moved(running: Param<Tensor<1>>, batch: Tensor<2>) -> Param<Tensor<1>> {
    running.map(|running| {
        let autodiff = running.is_autodiff();
        let shape = running.dims();
        let next = running.inner() * (1.0 - MOMENTUM) + batch.reshape(shape) * MOMENTUM;
        if autodiff { next.autodiff() } else { next }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn statistics_by_hand() {
        let device = Device::flex();
        let mut norm = BatchNorm::new(1, &device);
        let images = Tensor::<1>::from_floats([1.0, 3.0], &device).reshape([2, 1, 1, 1]);
        let got = vec(norm.train_forward(images.clone()));
        close("normal", &got, &[-1.0, 1.0], 1e-4);
        close("mean", &vec(norm.running_mean.val()), &[0.2], 1e-6);
        // 0.9 * 1 + 0.1 * 2.
        close("variance", &vec(norm.running_var.val()), &[1.1], 1e-6);
        let want = [(1.0 - 0.2) / 1.1f32.sqrt(), (3.0 - 0.2) / 1.1f32.sqrt()];
        close("later", &vec(norm.forward(images)), &want, 1e-4);
    }
}
