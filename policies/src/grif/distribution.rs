//! Distribution of an action.

use burn::tensor::Tensor;
use burn::tensor::activation::softplus;

/// A normal distribution with independent numbers, or its image under tanh.
#[derive(Clone, Debug)]
pub struct ActionDistribution {
    /// Mean before tanh, `[batch, action]`.
    pub mean: Tensor<2>,
    /// Logarithm of the standard deviation before tanh, `[batch, action]`.
    pub log_std: Tensor<2>,
    /// Whether actions are tanh of the normal numbers.
    pub squash: bool,
}

impl ActionDistribution {
    /// The most likely action before tanh, through tanh if it is squashed: `[batch, action]`.
    pub fn mode(&self) -> Tensor<2> {
        if self.squash {
            self.mean.clone().tanh()
        } else {
            self.mean.clone()
        }
    }

    /// Standard deviation before tanh, `[batch, action]`.
    pub fn std(&self) -> Tensor<2> {
        self.log_std.clone().exp()
    }

    /// An action from unit normal numbers, `[batch, action]`.
    pub fn sample(&self, unit: Tensor<2>) -> Tensor<2> {
        let normal = self.mean.clone() + self.std() * unit;
        if self.squash { normal.tanh() } else { normal }
    }

    /// Logarithm of the density of `actions`, `[batch, action] -> [batch]`:
    /// `Σ -(x - μ)² / 2σ² - log σ - log(2π) / 2`, and with tanh `x = atanh(a)` and
    /// `- log(1 - tanh(x)²)`. Squashed actions must lie between -1 and 1.
    pub fn log_prob(&self, actions: Tensor<2>) -> Tensor<1> {
        let normal = if self.squash {
            ((actions.clone() + 1.0).log() - (actions.neg() + 1.0).log()) * 0.5
        } else {
            actions
        };
        let distance = (normal.clone() - self.mean.clone()) / self.std();
        let density = distance.square() * -0.5 - self.log_std.clone() - HALF_LOG_TWO_PI;
        let density = if self.squash {
            // log(1 - tanh(x)²) without the difference of nearly equal numbers.
            let slope = (normal.clone().neg() - softplus(normal * -2.0, 1.0)
                + std::f64::consts::LN_2)
                * 2.0;
            density - slope
        } else {
            density
        };
        density.sum_dim(1).squeeze_dim(1)
    }
}

/// `log(2π) / 2`.
const HALF_LOG_TWO_PI: f64 = 0.918_938_533_204_672_7;

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::golden::vec;

    fn distribution(squash: bool, device: &Device) -> ActionDistribution {
        ActionDistribution {
            mean: Tensor::from_floats([[0.5, -1.0]], device),
            log_std: Tensor::from_floats([[0.0, 2f32.ln()]], device),
            squash,
        }
    }

    #[test]
    fn the_density_is_the_normal_one() {
        let device = Device::flex();
        let actions = Tensor::from_floats([[1.5, 1.0]], &device);
        let got = vec(distribution(false, &device).log_prob(actions))[0];
        // -1/2 - 1/2 - log 2 - log 2π.
        let want = -1.0 - 2f32.ln() - (2.0 * std::f32::consts::PI).ln();
        assert!((got - want).abs() < 1e-5, "{got} {want}");
    }

    #[test]
    fn tanh_changes_the_volume() {
        let device = Device::flex();
        let (plain, squashed) = (distribution(false, &device), distribution(true, &device));
        let x = [[0.3f32, -0.2]];
        let inner = vec(plain.log_prob(Tensor::from_floats(x, &device)))[0];
        let outer = Tensor::<2>::from_floats(x, &device).tanh();
        let got = vec(squashed.log_prob(outer))[0];
        let slope = x[0].map(|x| (1.0 - x.tanh().powi(2)).ln());
        let want = inner - slope[0] - slope[1];
        assert!((got - want).abs() < 1e-5, "{got} {want}");
        assert!((vec(squashed.mode())[0] - 0.5f32.tanh()).abs() < 1e-6);
    }

    #[test]
    fn samples_are_shifted_and_scaled() {
        let device = Device::flex();
        let unit = Tensor::from_floats([[1.0, -1.0]], &device);
        let sample = vec(distribution(false, &device).sample(unit));
        assert!((sample[0] - 1.5).abs() < 1e-6 && (sample[1] + 3.0).abs() < 1e-5);
    }
}
