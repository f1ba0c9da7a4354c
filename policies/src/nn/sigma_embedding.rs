//! Embedding of the noise level.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData, activation::mish};

use super::linear::linear;

/// Sinusoids of `ln(sigma) / 4`: the first half of the channels are sines, the second cosines, of
/// frequencies `10000^(-i / (half - 1))`.
#[derive(Module, Debug)]
pub struct Sinusoids {
    /// Channels; even and at least 4.
    pub width: usize,
}

impl Sinusoids {
    /// `[batch] -> [batch, 1, width]`; `sigma` is positive.
    pub fn forward(&self, sigma: Tensor<1>) -> Tensor<3> {
        let half = self.width / 2;
        let decay = -(10_000f64.ln()) / (half.max(2) - 1) as f64;
        let frequencies = (0..half)
            .map(|i| (decay * i as f64).exp() as f32)
            .collect::<Vec<_>>();
        let frequencies =
            Tensor::<3>::from_data(TensorData::new(frequencies, [1, 1, half]), &sigma.device());
        let [batch] = sigma.dims();
        let angle = (sigma.log() / 4.0).reshape([batch, 1, 1]) * frequencies;
        Tensor::cat(vec![angle.clone().sin(), angle.cos()], 2)
    }
}

/// Mish, `x tanh(softplus(x))`, as a module, so that it can stand in a tuple.
#[derive(Module, Debug)]
pub struct Mish;

/// Sinusoids, `Linear(D, 2D)`, Mish, `Linear(2D, D)`. A tuple, so that the keys are `1` and `3`.
pub type SigmaLayers = (Sinusoids, Linear, Mish, Linear);

/// The noise level as a vector of the model's width.
#[derive(Clone, Copy, Debug)]
pub struct SigmaEmbedding;

impl SigmaEmbedding {
    /// Layers of an embedding.
    pub fn layers(width: usize, device: &Device) -> SigmaLayers {
        (
            Sinusoids { width },
            linear(width, 2 * width, true, device),
            Mish,
            linear(2 * width, width, true, device),
        )
    }

    /// `[batch] -> [batch, 1, width]`.
    pub fn embed(layers: &SigmaLayers, sigma: Tensor<1>) -> Tensor<3> {
        let (sinusoids, first, _, second) = layers;
        second.forward(mish(first.forward(sinusoids.forward(sigma))))
    }
}
