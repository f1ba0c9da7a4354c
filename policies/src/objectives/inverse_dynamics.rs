//! Which actions lie between two observations? (Hansen et al., policy adaptation during
//! deployment, arXiv 2007.04309.)
//!
//! Needs no reward and no labels: the robot knows what it did. Under a visual shift the encoder
//! learns again which part of the picture moves with the arm.

use burn::module::Module;
use burn::tensor::Tensor;

use burn::tensor::Device;

use crate::nn::mlp::{MlpHead, mlp_head};

/// Two layers from the vectors of two observations to the actions between them.
#[derive(Module, Debug)]
pub struct InverseDynamics {
    /// The layers.
    pub layers: MlpHead,
}

impl InverseDynamics {
    /// `view` numbers per observation, `actions` numbers out.
    pub fn new(view: usize, hidden: usize, actions: usize, device: &Device) -> Self {
        Self {
            layers: mlp_head(2 * view, hidden, actions, device),
        }
    }

    /// Predicted actions, `[batch, actions]`, from the vectors before and after, `[batch, view]`.
    pub fn forward(&self, before: Tensor<2>, after: Tensor<2>) -> Tensor<2> {
        let (first, activation, second) = &self.layers;
        let both = Tensor::cat(vec![before, after], 1);
        second.forward(activation.forward(first.forward(both)))
    }

    /// Mean squared error per sample, `[batch]`, against executed `actions`, `[batch, actions]`.
    pub fn loss(&self, before: Tensor<2>, after: Tensor<2>, actions: Tensor<2>) -> Tensor<1> {
        let [batch, _] = actions.dims();
        (self.forward(before, after) - actions)
            .square()
            .mean_dim(1)
            .reshape([batch])
    }
}
