//! How linear layers are initialised.

use burn::module::Initializer;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Device;

/// Standard deviation of the denoiser's linear weights and tables.
pub const DENOISER_STD: f64 = 0.02;

/// A linear layer of the denoiser: weights from N(0, 0.02²), bias zero.
pub fn linear(input: usize, output: usize, bias: bool, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(input, output)
        .with_bias(bias)
        .with_initializer(Initializer::Normal {
            mean: 0.0,
            std: DENOISER_STD,
        })
        .init(device);
    if bias {
        layer.bias = Some(Initializer::Zeros.init([output], device));
    }
    layer
}

/// A linear layer with Kaiming-uniform weights and bias, as layers outside the denoiser have.
pub fn linear_default(input: usize, output: usize, device: &Device) -> Linear {
    LinearConfig::new(input, output).init(device)
}

/// A linear layer with Xavier-uniform weights and zero bias, as the image decoder's.
pub fn linear_xavier(input: usize, output: usize, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(input, output)
        .with_initializer(Initializer::XavierUniform { gain: 1.0 })
        .init(device);
    layer.bias = Some(Initializer::Zeros.init([output], device));
    layer
}
