//! Linear layers: how they are initialised and applied.

use burn::module::{Initializer, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

/// Standard deviation of the denoiser's linear weights and tables.
pub const DENOISER_STD: f64 = 0.02;

/// A linear layer of the denoiser: weights from N(0, 0.02²), bias zero.
pub fn linear(input: usize, output: usize, bias: bool, device: &Device) -> Linear {
    linear_normal([input, output], bias, DENOISER_STD, device)
}

/// A linear layer with weights from N(0, `std`²) and zero bias.
pub fn linear_normal([input, output]: [usize; 2], bias: bool, std: f64, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(input, output)
        .with_bias(bias)
        .with_initializer(Initializer::Normal { mean: 0.0, std })
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

/// `[batch, tokens, in] -> [batch, tokens, out]` as one matrix product over all tokens.
pub fn dense(layer: &Linear, input: Tensor<3>) -> Tensor<3> {
    let [batch, tokens, width] = input.dims();
    let rows = layer.forward(input.reshape([batch * tokens, width]));
    let [_, width] = rows.dims();
    rows.reshape([batch, tokens, width])
}

/// Several layers on the same input, outputs side by side: `[batch, tokens, sum of outs]`.
///
/// While gradients are taken, the batch is large and one wide product pays for joining the
/// weights; otherwise the products are made one by one.
pub fn dense_joined(layers: &[&Linear], input: Tensor<3>) -> Tensor<3> {
    if !input.is_autodiff() {
        let parts = layers.iter().map(|layer| dense(layer, input.clone()));
        return Tensor::cat(parts.collect(), 2);
    }
    let weights = layers.iter().map(|layer| layer.weight.val()).collect();
    let biases = layers
        .iter()
        .map(|layer| layer.bias.as_ref().map(Param::val))
        .collect::<Option<Vec<_>>>();
    let [batch, tokens, width] = input.dims();
    let rows = burn::tensor::module::linear(
        input.reshape([batch * tokens, width]),
        Tensor::cat(weights, 1),
        biases.map(|biases| Tensor::cat(biases, 0)),
    );
    let [_, width] = rows.dims();
    rows.reshape([batch, tokens, width])
}
