//! Elementwise functions by name.

use burn::tensor::activation::{gelu_approximate, relu, silu};
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// An activation function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x sigmoid(x)`, also called SiLU.
    #[default]
    #[serde(alias = "silu")]
    Swish,
    /// Gaussian error linear unit in its tanh form (Flax's default).
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
}

impl Activation {
    /// Same shape out.
    pub fn forward<const D: usize>(self, input: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => relu(input),
            Self::Swish => silu(input),
            Self::Gelu => gelu_approximate(input),
            Self::Tanh => input.tanh(),
            Self::Sigmoid => activation::sigmoid(input),
        }
    }
}
