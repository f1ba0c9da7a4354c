//! Projections of latents and predictions from them.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::config::{PredictionKind, ProjectionKind, SprConfig};
use crate::nn::{BatchNorm, linear_default};

/// Numbers that a [`ProjectionKind::Mlp`] gives.
pub const MLP_OUTPUT: usize = 256;
const MLP_HIDDEN: usize = 512;

/// Linear, batch norm, ReLU, linear.
#[derive(Module, Debug)]
pub struct NormedMlp {
    /// First layer.
    pub first: Linear,
    /// Norm over the batch.
    pub norm: BatchNorm,
    /// Second layer.
    pub second: Linear,
}

impl NormedMlp {
    fn new([input, hidden, output]: [usize; 3], device: &Device) -> Self {
        Self {
            first: linear_default(input, hidden, device),
            norm: BatchNorm::new(hidden, device),
            second: linear_default(hidden, output, device),
        }
    }

    fn train_forward(&mut self, rows: Tensor<2>) -> Tensor<2> {
        let hidden = self.first.forward(rows);
        let [batch, width] = hidden.dims();
        let hidden = self
            .norm
            .train_forward(hidden.reshape([batch, 1, 1, width]));
        self.second.forward(relu(hidden.reshape([batch, width])))
    }
}

/// Layers of rows.
#[derive(Module, Debug)]
pub enum Rows {
    /// One layer.
    Linear(Linear),
    /// Two with a norm.
    Mlp(NormedMlp),
}

impl Rows {
    /// The global projection that does not belong to the head, if there is one.
    pub fn projection(config: &SprConfig, device: &Device) -> Option<Self> {
        let input = config.latent_len();
        match config.projection {
            _ if !config.global => None,
            ProjectionKind::Bilinear => Some(Self::Linear(linear_default(input, input, device))),
            ProjectionKind::Mlp => {
                let sizes = [input, MLP_HIDDEN, MLP_OUTPUT];
                Some(Self::Mlp(NormedMlp::new(sizes, device)))
            }
            _ => None,
        }
    }

    /// The global prediction, if there is one.
    pub fn prediction(config: &SprConfig, device: &Device) -> Option<Self> {
        let width = config.projected();
        match config.prediction {
            _ if !config.global => None,
            PredictionKind::Linear => Some(Self::Linear(linear_default(width, width, device))),
            PredictionKind::Mlp => {
                let sizes = [width, 2 * width, width];
                Some(Self::Mlp(NormedMlp::new(sizes, device)))
            }
            PredictionKind::Identity => None,
        }
    }

    /// `[batch, in] -> [batch, out]`; moves a norm's running statistics.
    pub fn train_forward(&mut self, rows: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Linear(layer) => layer.forward(rows),
            Self::Mlp(layers) => layers.train_forward(rows),
        }
    }
}

/// Runs layers that may be absent.
pub fn through(layers: &mut Option<Rows>, rows: Tensor<2>) -> Tensor<2> {
    match layers {
        Some(layers) => layers.train_forward(rows),
        None => rows,
    }
}
