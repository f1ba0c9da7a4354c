//! From a picture of the wanted outcome to a goal vector.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::clip::{VisionTransformer, VisionTransformerConfig};
use crate::nn::{Pooling, ResNet, ResNetConfig, Stem};

/// Which network encodes image goals. The pictures are those of the static camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalEncoderConfig {
    /// Departure: a small residual network that learns with the policy and puts its vectors into
    /// the space of the sentence vectors. The authors use a frozen CLIP, of whose weights a package
    /// for a small robot computer cannot hold the 600 MB.
    Residual(ResNetConfig),
    /// Departure: such a network that looks at the present picture and the wanted one together,
    /// stacked in their channels, and so sees the *change* that is asked for, as GRIF's goal
    /// encoder does (arXiv 2307.00117). The vector is made anew for every observation.
    Change(ResNetConfig),
    /// The image tower of CLIP, frozen (the authors: ViT-B/16).
    Clip(VisionTransformerConfig),
}

impl GoalEncoderConfig {
    /// About half as dear as the two cameras of [`super::MdtConfig::tabletop`] together.
    pub fn tabletop() -> Self {
        Self::Change(ResNetConfig {
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

    /// What is wrong with the configuration, if anything, for pictures of `side` pixels and vectors
    /// of `goal_dim` numbers.
    pub fn problem(&self, side: usize, goal_dim: usize) -> Option<String> {
        match self {
            Self::Residual(network) | Self::Change(network) if network.goal_film => {
                Some("it cannot be modulated by the goal that it makes".into())
            }
            Self::Residual(network) | Self::Change(network) => network.problem(),
            Self::Clip(tower) => tower.problem().or_else(|| {
                let found = [tower.resolution, tower.channels, tower.output];
                let expected = [side, 3, goal_dim];
                (found != expected).then(|| {
                    format!(
                        "resolution, channels and output are {found:?}, but the static camera and \
                         denoiser.goal_dim need {expected:?}"
                    )
                })
            }),
        }
    }
}

/// The encoder.
#[derive(Module, Debug)]
pub enum GoalEncoder {
    /// See [`GoalEncoderConfig::Residual`].
    Residual(ResNet),
    /// See [`GoalEncoderConfig::Change`].
    Change(ResNet),
    /// See [`GoalEncoderConfig::Clip`].
    Clip(FrozenPictures),
}

/// The level at which the image tower lies, so that its keys are not those of other encoders.
#[derive(Module, Debug)]
pub struct FrozenPictures {
    /// The tower, never trained.
    pub clip: VisionTransformer,
}

impl GoalEncoder {
    /// Fresh weights, for vectors of `goal_dim` numbers.
    pub fn new(config: &GoalEncoderConfig, goal_dim: usize, device: &Device) -> Self {
        match config {
            GoalEncoderConfig::Residual(network) => {
                Self::Residual(ResNet::new(network, goal_dim, goal_dim, device))
            }
            GoalEncoderConfig::Change(network) => {
                Self::Change(ResNet::of_channels(6, network, goal_dim, goal_dim, device))
            }
            GoalEncoderConfig::Clip(tower) => Self::Clip(FrozenPictures {
                clip: VisionTransformer::new(tower, device),
            }),
        }
    }

    /// Whether the vector depends on what is seen at present.
    pub const fn sees_present(&self) -> bool {
        matches!(self, Self::Change(_))
    }

    /// Normalised pictures of the static camera, what it sees `present`ly and what is `wanted`,
    /// `[batch, size, size, 3]` each, to goal vectors `[batch, goal_dim]`; NaN for pictures of
    /// another size than the tower's, which no check for finite values lets pass.
    pub fn forward(&self, present: Tensor<4>, wanted: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Residual(network) => network.forward(wanted, None),
            Self::Change(network) => network.forward(Tensor::cat(vec![present, wanted], 3), None),
            Self::Clip(FrozenPictures { clip }) => {
                let nothing = [wanted.dims()[0], clip.proj.dims()[1]];
                let device = wanted.device();
                let vectors = clip.forward(wanted);
                vectors
                    .unwrap_or_else(|_| Tensor::full(nothing, f32::NAN, &device))
                    .detach()
            }
        }
    }
}
