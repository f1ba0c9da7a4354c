//! Linear layers with learned noise (Fortunato et al., arXiv 1706.10295).

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;

use crate::mdt::loss::normals;
use crate::nn::linear_default;

/// Standard deviation of the noise at the beginning, over the root of the inputs.
const INITIAL: f64 = 0.5;

/// `(μ + σ ε) x`, with the noise ε an outer product of two vectors. Laid out as in PyTorch:
/// matrices are `[out, in]`.
#[derive(Module, Debug)]
pub struct NoisyLinear {
    /// Mean of the weights.
    pub weight_mu: Param<Tensor<2>>,
    /// Spread of the weights.
    pub weight_sigma: Param<Tensor<2>>,
    /// Noise of the weights, drawn anew by [`NoisyLinear::draw`]; not learned.
    pub weight_epsilon: Param<Tensor<2>>,
    /// Mean of the offsets, `[out]`.
    pub bias_mu: Param<Tensor<1>>,
    /// Spread of the offsets, `[out]`.
    pub bias_sigma: Param<Tensor<1>>,
    /// Noise of the offsets, `[out]`; not learned.
    pub bias_epsilon: Param<Tensor<1>>,
}

impl NoisyLinear {
    /// Means uniform within one over the root of the inputs, no noise yet.
    pub fn new(input: usize, output: usize, device: &Device) -> Self {
        let bound = 1.0 / (input.max(1) as f64).sqrt();
        let mean = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        let spread = |count: usize| Initializer::Constant {
            value: INITIAL / (count.max(1) as f64).sqrt(),
        };
        Self {
            weight_mu: mean.init([output, input], device),
            weight_sigma: spread(input).init([output, input], device),
            weight_epsilon: Initializer::Zeros.init([output, input], device),
            bias_mu: mean.init([output], device),
            bias_sigma: spread(output).init([output], device),
            bias_epsilon: Initializer::Zeros.init([output], device),
        }
    }

    /// `[batch, in] -> [batch, out]`, with the noise that is held or by the means alone.
    pub fn forward(&self, input: Tensor<2>, noise: bool) -> Tensor<2> {
        let (mut weight, mut bias) = (self.weight_mu.val(), self.bias_mu.val());
        if noise {
            weight = weight + self.weight_sigma.val() * self.weight_epsilon.val();
            bias = bias + self.bias_sigma.val() * self.bias_epsilon.val();
        }
        input.matmul(weight.transpose()) + bias.unsqueeze()
    }

    /// With fresh noise: f(x) = sign(x) √|x| of unit normal numbers.
    #[must_use]
    pub fn draw(mut self, rng: &mut impl Rng) -> Self {
        let [output, input] = self.weight_mu.dims();
        let mut noise = |count: usize| {
            let numbers = normals(count, rng).into_iter();
            numbers
                .map(|x| x.signum() * x.abs().sqrt())
                .collect::<Vec<_>>()
        };
        let (of_input, of_output) = (noise(input), noise(output));
        let weights = of_output
            .iter()
            .flat_map(|out| of_input.iter().map(move |x| x * out))
            .collect::<Vec<_>>();
        let device = self.weight_mu.val().device();
        let weights = TensorData::new(weights, [output, input]);
        self.weight_epsilon = Param::from_data(weights, &device);
        self.bias_epsilon = Param::from_data(TensorData::new(of_output, [output]), &device);
        self
    }
}

/// A linear layer with noise or without.
#[derive(Module, Debug)]
pub enum MaybeNoisy {
    /// With noise.
    Noisy(NoisyLinear),
    /// Without.
    Plain(Linear),
}

impl MaybeNoisy {
    /// A fresh layer.
    pub fn new(input: usize, output: usize, noisy: bool, device: &Device) -> Self {
        if noisy {
            Self::Noisy(NoisyLinear::new(input, output, device))
        } else {
            Self::Plain(linear_default(input, output, device))
        }
    }

    /// `[batch, in] -> [batch, out]`.
    pub fn forward(&self, input: Tensor<2>, noise: bool) -> Tensor<2> {
        match self {
            Self::Noisy(layer) => layer.forward(input, noise),
            Self::Plain(layer) => layer.forward(input),
        }
    }

    /// With fresh noise.
    #[must_use]
    pub fn draw(self, rng: &mut impl Rng) -> Self {
        match self {
            Self::Noisy(layer) => Self::Noisy(layer.draw(rng)),
            plain @ Self::Plain(_) => plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn noise_by_hand_and_noise_drawn() {
        let device = Device::flex();
        let mut layer = NoisyLinear::new(2, 1, &device);
        layer.weight_mu = Param::from_data([[1.0f32, 2.0]], &device);
        layer.weight_sigma = Param::from_data([[0.5f32, 0.5]], &device);
        layer.weight_epsilon = Param::from_data([[1.0f32, -2.0]], &device);
        layer.bias_mu = Param::from_data([0.25f32], &device);
        let input = Tensor::from_floats([[1.0, 1.0]], &device);
        close(
            "mean",
            &vec(layer.forward(input.clone(), false)),
            &[3.25],
            1e-6,
        );
        close("noise", &vec(layer.forward(input, true)), &[2.75], 1e-6);
        let drawn = layer.draw(&mut ChaCha8Rng::seed_from_u64(1));
        let weights = vec(drawn.weight_epsilon.val());
        let offset = vec(drawn.bias_epsilon.val())[0];
        // Two rows of noise have rank one, and the offset's noise is the output's factor.
        assert!(weights.iter().all(|weight| *weight != 0.0) && offset != 0.0);
    }
}
