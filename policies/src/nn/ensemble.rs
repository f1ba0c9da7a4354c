//! Several networks of the same shape side by side, as Flax's `vmap` makes them.
//!
//! Every tensor has an axis of members first, and one product serves all members. Field names and
//! layouts (kernels are `(in, out)`) follow Flax.

use burn::module::{Initializer, Module, Param};
use burn::tensor::activation::{relu, tanh};
use burn::tensor::{Device, Tensor};

use super::kernels::{Affine, layer_norm_with};

/// Flax adds this to the variance.
const EPSILON: f32 = 1e-6;

/// A linear layer per member.
#[derive(Module, Debug)]
pub struct EnsembleDense {
    /// `[members, in, out]`.
    pub kernel: Param<Tensor<3>>,
    /// `[members, out]`.
    pub bias: Param<Tensor<2>>,
}

impl EnsembleDense {
    /// Glorot-uniform kernels times `gain`, bias zero.
    pub fn new(members: usize, [input, output]: [usize; 2], gain: f64, device: &Device) -> Self {
        let kernel = Initializer::XavierUniform { gain };
        let shape = [members, input, output];
        Self {
            kernel: kernel.init_with(shape, Some(input), Some(output), device),
            bias: Initializer::Zeros.init([members, output], device),
        }
    }

    /// `[members, batch, in] -> [members, batch, out]`, for the first members if there are fewer in
    /// the input than here.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let [members, ..] = input.dims();
        let kernel = self.kernel.val().narrow(0, 0, members);
        let bias = self.bias.val().narrow(0, 0, members);
        input.matmul(kernel) + bias.unsqueeze_dim(1)
    }
}

/// A layer norm per member.
#[derive(Module, Debug)]
pub struct EnsembleNorm {
    /// Gain, `[members, width]`.
    pub scale: Param<Tensor<2>>,
    /// Offset, `[members, width]`.
    pub bias: Param<Tensor<2>>,
}

impl EnsembleNorm {
    /// Gain one, offset zero.
    pub fn new(members: usize, width: usize, device: &Device) -> Self {
        Self {
            scale: Initializer::Ones.init([members, width], device),
            bias: Initializer::Zeros.init([members, width], device),
        }
    }

    /// `[members, batch, width]`, same shape out; fewer members as [`EnsembleDense::forward`].
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let [members, ..] = input.dims();
        let affine = Affine {
            scale: self.scale.val().narrow(0, 0, members),
            shift: self.bias.val().narrow(0, 0, members),
        };
        layer_norm_with(input, affine, EPSILON)
    }
}

/// Shape of an [`EnsembleMlp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnsembleMlpConfig {
    /// Networks.
    pub members: usize,
    /// Numbers in.
    pub input: usize,
    /// Numbers of each layer, the last one included.
    pub layers: Vec<usize>,
    /// Layer norms: one after the activation of every layer but the last.
    pub norm: bool,
}

/// A chain of linear layers per member.
#[derive(Module, Debug)]
pub struct EnsembleMlp {
    /// The layers.
    pub dense: Vec<EnsembleDense>,
    /// Norms after the activations; empty if there are none.
    pub norm: Vec<EnsembleNorm>,
}

impl EnsembleMlp {
    /// Layers of a shape.
    pub fn new(config: &EnsembleMlpConfig, device: &Device) -> Self {
        let members = config.members;
        let inputs = std::iter::once(&config.input).chain(&config.layers);
        let hidden = config.layers.len().saturating_sub(1);
        let norms = if config.norm { hidden } else { 0 };
        Self {
            dense: inputs
                .zip(&config.layers)
                .map(|(&input, &output)| EnsembleDense::new(members, [input, output], 1.0, device))
                .collect(),
            norm: config.layers[..norms]
                .iter()
                .map(|&width| EnsembleNorm::new(members, width, device))
                .collect(),
        }
    }

    /// Linear, GELU (tanh form), layer norm if there is one; the last layer is linear only.
    /// `[batch, in] -> [members, batch, out]`: all members see the same.
    ///
    /// The order, activation before norm, is that of the authors of HILP.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<3> {
        self.chain(self.shared(input))
    }

    /// As [`EnsembleMlp::forward`], of the first member alone: `[batch, in] -> [batch, out]`.
    pub fn forward_first(&self, input: Tensor<2>) -> Tensor<2> {
        let output = self.chain(input.unsqueeze());
        let [_, batch, width] = output.dims();
        output.reshape([batch, width])
    }

    fn chain(&self, mut hidden: Tensor<3>) -> Tensor<3> {
        let last = self.dense.len().saturating_sub(1);
        for (index, layer) in self.dense.iter().enumerate() {
            hidden = layer.forward(hidden);
            if index < last {
                hidden = gelu_tanh(hidden);
                if let Some(norm) = self.norm.get(index) {
                    hidden = norm.forward(hidden);
                }
            }
        }
        hidden
    }

    /// Linear and ReLU, after the last layer too: `[batch, in] -> [members, batch, out]`.
    pub fn forward_relu(&self, input: Tensor<2>) -> Tensor<3> {
        let layers = self.dense.iter();
        layers.fold(self.shared(input), |hidden, layer| {
            relu(layer.forward(hidden))
        })
    }

    fn shared(&self, input: Tensor<2>) -> Tensor<3> {
        let [batch, width] = input.dims();
        let members = self.dense.first().map_or(1, |layer| layer.bias.dims()[0]);
        input.unsqueeze::<3>().expand([members, batch, width])
    }
}

/// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))` (Hendrycks and Gimpel, arXiv 1606.08415).
pub fn gelu_tanh<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    let cube = input.clone().square() * input.clone();
    let inner = (input.clone() + cube * 0.044_715) * 0.797_884_560_802_865_4;
    input * 0.5 * (tanh(inner) + 1.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::golden::{close, vec};

    fn device() -> Device {
        Device::flex()
    }

    #[test]
    fn gelu_by_hand() {
        let got = gelu_tanh(Tensor::<1>::from_floats([-1.0, 0.0, 1.0], &device()));
        close("gelu", &vec(got), &[-0.158_808, 0.0, 0.841_192], 1e-5);
    }

    #[test]
    fn members_have_their_own_weights_and_see_the_same() {
        let mut layer = EnsembleDense::new(2, [1, 1], 1.0, &device());
        layer.kernel = Param::from_data([[[2.0]], [[3.0]]], &device());
        layer.bias = Param::from_data([[0.0], [1.0]], &device());
        let network = EnsembleMlp {
            dense: vec![layer],
            norm: vec![],
        };
        let input = Tensor::from_floats([[1.0], [-1.0]], &device());
        let got = vec(network.forward(input.clone()));
        close("linear", &got, &[2.0, -2.0, 4.0, -2.0], 1e-6);
        let got = vec(network.forward_relu(input));
        close("relu", &got, &[2.0, 0.0, 4.0, 0.0], 1e-6);
    }

    #[test]
    fn a_norm_follows_every_activation_but_none_the_output() {
        let config = EnsembleMlpConfig {
            members: 2,
            input: 3,
            layers: vec![4, 5, 1],
            norm: true,
        };
        let network = EnsembleMlp::new(&config, &device());
        assert_eq!((network.dense.len(), network.norm.len()), (3, 2));
        let output = network.forward(Tensor::zeros([7, 3], &device()));
        assert_eq!(output.dims(), [2, 7, 1]);
        let first = network.forward_first(Tensor::zeros([7, 3], &device()));
        close("first", &vec(first), &vec(output)[..7], 1e-6);
    }
}
