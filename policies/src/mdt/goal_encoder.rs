//! From a picture of the wanted outcome to a goal vector.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::nn::{Pooling, ResNet, ResNetConfig, Stem};

/// Which network encodes image goals. The pictures are those of the static camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalEncoderConfig {
    /// Departure: a small residual network that learns with the policy and puts its vectors into
    /// the space of the sentence vectors. The authors use a frozen CLIP, of whose weights a package
    /// for a small robot computer cannot hold the 600 MB.
    Residual(ResNetConfig),
}

impl GoalEncoderConfig {
    /// About half as dear as the two cameras of [`super::MdtConfig::tabletop`] together.
    pub fn tabletop() -> Self {
        Self::Residual(ResNetConfig {
            stem: Stem {
                channels: 16,
                kernel: 5,
                stride: 2,
                max_pool: false,
            },
            widths: vec![32, 64],
            blocks: vec![1, 1],
            strides: vec![2, 2],
            pooling: Pooling::SpatialSoftmax { keypoints: 32 },
            goal_film: false,
        })
    }

    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        let Self::Residual(network) = self;
        if network.goal_film {
            return Some("it cannot be modulated by the goal that it makes".into());
        }
        network.problem()
    }
}

/// The encoder.
#[derive(Module, Debug)]
pub enum GoalEncoder {
    /// See [`GoalEncoderConfig::Residual`].
    Residual(ResNet),
}

impl GoalEncoder {
    /// Fresh weights, for vectors of `goal_dim` numbers.
    pub fn new(config: &GoalEncoderConfig, goal_dim: usize, device: &Device) -> Self {
        let GoalEncoderConfig::Residual(network) = config;
        Self::Residual(ResNet::new(network, goal_dim, goal_dim, device))
    }

    /// Normalised pictures `[batch, size, size, 3]` to goal vectors `[batch, goal_dim]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let Self::Residual(network) = self;
        network.forward(images, None)
    }
}
