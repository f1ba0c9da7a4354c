//! Noise around the actor's mean, as smoothing and as exploration (DrQ-v2, arXiv 2107.09645).

use burn::tensor::Tensor;

use crate::hilp::goal_conditioned::networks::Gaussian;

/// Actions stay this far inside −1 … 1.
const MARGIN: f32 = 1e-6;

/// A Gaussian of constant width, cut off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Standard deviation.
    pub deviation: f32,
    /// Bound of the noise.
    pub clip: f32,
}

impl Noise {
    /// `mean` plus the noise of unit normal numbers, `[batch, action]` each, cut to −1 … 1. The
    /// gradient is that of the mean, at the bounds too.
    pub fn around(&self, mean: Tensor<2>, normals: Tensor<2>) -> Tensor<2> {
        let noise = (normals * self.deviation).clamp(-self.clip, self.clip);
        let free = mean + noise;
        let most = 1.0 - MARGIN;
        let value = free.clone().inner();
        let correction = value.clone().clamp(-most, most) - value;
        free + correction
    }

    /// Logarithm of the density of actions, cut-offs aside, `[batch]`.
    pub fn log_density(&self, mean: Tensor<2>, actions: Tensor<2>) -> Tensor<1> {
        let [_, width] = mean.dims();
        let std = mean.clone().zeros_like().narrow(0, 0, 1) + self.deviation;
        let std = std.reshape([1, width]);
        Gaussian { mean, std }.log_density(actions)
    }

    /// Entropy of one number, cut-offs aside.
    pub fn entropy(&self) -> f32 {
        0.5 + 0.5 * (2.0 * std::f32::consts::PI).ln() + self.deviation.ln()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::golden::{close, vec};

    const NOISE: Noise = Noise {
        deviation: 0.2,
        clip: 0.3,
    };

    #[test]
    fn noise_and_action_are_bounded_and_the_gradient_passes() {
        let device = Device::flex();
        let mean = Tensor::<2>::from_floats([[0.0, 0.1, 0.9]], &device);
        let mean = mean.autodiff().require_grad();
        let normals = Tensor::from_floats([[1.0, -9.0, 1.0]], &device);
        let actions = NOISE.around(mean.clone(), normals);
        let want = [0.2, -0.2, 1.0 - MARGIN];
        close("actions", &vec(actions.clone()), &want, 1e-7);
        let gradients = actions.sum().backward();
        let gradient = mean.grad(&gradients).map(vec);
        assert_eq!(gradient, Some(vec![1.0; 3]));
    }

    #[test]
    fn densities_by_hand() {
        let device = Device::flex();
        let row = |values: [f32; 2]| Tensor::<2>::from_floats([values], &device);
        let density = NOISE.log_density(row([0.0, 0.5]), row([0.2, 0.5]));
        let peak = -(0.2f32 * (2.0 * std::f32::consts::PI).sqrt()).ln();
        close("density", &vec(density), &[2.0 * peak - 0.5], 1e-5);
        assert!(
            (NOISE.entropy() - (0.5 - (0.2f32.recip() / (2.0 * std::f32::consts::PI).sqrt()).ln()))
                .abs()
                < 1e-5
        );
    }
}
