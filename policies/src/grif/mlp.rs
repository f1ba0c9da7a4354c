//! Layers with an activation between them, as the authors' `MLP`.

use burn::module::{Initializer, Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::dropout::KeepMasks;
use crate::nn::{Activation, linear::linear_xavier};

/// Shape of an [`Mlp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Numbers of every layer's output.
    pub hidden: Vec<usize>,
    /// Activation.
    #[serde(default)]
    pub activation: Activation,
    /// Whether the last layer has an activation too.
    #[serde(default)]
    pub activate_final: bool,
}

impl MlpConfig {
    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        (self.hidden.is_empty() || self.hidden.contains(&0))
            .then(|| format!("layers of {:?} numbers", self.hidden))
    }
}

/// The layers.
#[derive(Module, Debug)]
pub struct Mlp {
    /// Linear layers.
    pub layers: Vec<Linear>,
    #[module(skip)]
    activation: Activation,
    activate_final: bool,
}

impl Mlp {
    /// Glorot-uniform weights, zero biases.
    pub fn new(config: &MlpConfig, input: usize, device: &Device) -> Self {
        let inputs = std::iter::once(&input).chain(&config.hidden);
        Self {
            layers: inputs
                .zip(&config.hidden)
                .map(|(&input, &output)| linear_xavier(input, output, device))
                .collect(),
            activation: config.activation,
            activate_final: config.activate_final,
        }
    }

    /// `[.., input] -> [.., last]`; dropout after every activation where there are masks.
    pub fn forward<const D: usize>(
        &self,
        input: Tensor<D>,
        dropout: Option<&KeepMasks<D>>,
    ) -> Tensor<D> {
        let last = self.layers.len().saturating_sub(1);
        let layers = self.layers.iter().enumerate();
        layers.fold(input, |hidden, (index, layer)| {
            let output = layer.forward(hidden);
            if index == last && !self.activate_final {
                return output;
            }
            let active = self.activation.forward(output);
            match dropout {
                Some(masks) => masks.apply(index, active),
                None => active,
            }
        })
    }
}

/// A layer with Glorot-uniform weights times `gain` and zero bias.
pub fn linear_glorot(input: usize, output: usize, gain: f64, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(input, output)
        .with_initializer(Initializer::XavierUniform { gain })
        .init(device);
    layer.bias = Some(zeros(output, device));
    layer
}

/// A layer as Flax makes it by default: weights of variance `1 / input`, zero bias.
pub fn linear_lecun(input: usize, output: usize, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(input, output)
        .with_initializer(Initializer::KaimingNormal {
            gain: 1.0,
            fan_out_only: false,
        })
        .init(device);
    layer.bias = Some(zeros(output, device));
    layer
}

fn zeros(width: usize, device: &Device) -> Param<Tensor<1>> {
    Initializer::Zeros.init([width], device)
}
