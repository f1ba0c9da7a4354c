//! Feed-forward blocks.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::kernels::{Gelu, gelu};
use super::linear::{dense, linear};

/// `Linear(D, 4D)`, GELU (exact), `Linear(4D, D)`, dropout: the transformer's feed-forward block.
#[derive(Module, Debug)]
pub struct Mlp {
    /// Up projection.
    pub c_fc: Linear,
    /// Down projection.
    pub c_proj: Linear,
    /// Dropout after it.
    pub dropout: Dropout,
}

impl Mlp {
    /// A block of the given width.
    pub fn new(width: usize, bias: bool, dropout: f64, device: &Device) -> Self {
        Self {
            c_fc: linear(width, 4 * width, bias, device),
            c_proj: linear(4 * width, width, bias, device),
            dropout: DropoutConfig::new(dropout).init(),
        }
    }

    /// `[batch, tokens, width]`, same shape out.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let hidden = gelu(dense(&self.c_fc, input));
        self.dropout.forward(dense(&self.c_proj, hidden))
    }
}

/// `Linear`, GELU (exact), `Linear`. A tuple, so that the keys are `0` and `2`.
pub type MlpHead = (Linear, Gelu, Linear);

/// An [`MlpHead`] from `input` over `hidden` to `output` numbers.
pub fn mlp_head(input: usize, hidden: usize, output: usize, device: &Device) -> MlpHead {
    (
        linear(input, hidden, true, device),
        Gelu,
        linear(hidden, output, true, device),
    )
}

/// One linear layer, or two with GELU between.
#[derive(Module, Debug)]
pub enum Projection {
    /// One layer.
    Linear(Linear),
    /// Two layers.
    Mlp(MlpHead),
}

impl Projection {
    /// `hidden` numbers between two layers, or one layer if `None`.
    pub fn new(input: usize, hidden: Option<usize>, output: usize, device: &Device) -> Self {
        match hidden {
            Some(hidden) => Self::Mlp(mlp_head(input, hidden, output, device)),
            None => Self::Linear(linear(input, output, true, device)),
        }
    }

    /// `[.., input] -> [.., output]`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Linear(layer) => layer.forward(input),
            Self::Mlp((first, _, second)) => second.forward(gelu(first.forward(input))),
        }
    }
}

/// Linear layers with ReLU between them and none after the last.
#[derive(Module, Debug)]
pub struct ReluMlp {
    /// The layers.
    pub net: Vec<Linear>,
}

impl ReluMlp {
    /// Layers from `input` over `hidden` to `output` numbers, weights from N(0, 0.02²).
    pub fn new(input: usize, hidden: &[usize], output: usize, device: &Device) -> Self {
        let inputs = std::iter::once(&input).chain(hidden);
        let outputs = hidden.iter().chain(std::iter::once(&output));
        let layer = |(&input, &output)| linear(input, output, true, device);
        Self {
            net: inputs.zip(outputs).map(layer).collect(),
        }
    }

    /// `[batch, tokens, input] -> [batch, tokens, output]`.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let mut layers = self.net.iter();
        let first = match layers.next() {
            Some(layer) => dense(layer, input),
            None => return input,
        };
        layers.fold(first, |hidden, layer| dense(layer, relu(hidden)))
    }
}
