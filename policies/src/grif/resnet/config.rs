//! Shape of the image encoder.

use serde::{Deserialize, Serialize};

use super::super::mlp::MlpConfig;
use crate::nn::Activation;

/// What a stage is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1, 3x3 and 1x1 to four times the channels.
    Bottleneck,
}

/// Which norm follows each convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// Group norm of four groups.
    #[default]
    Group,
    /// Layer norm over the channels of a pixel.
    Layer,
}

/// How the last map becomes a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolingKind {
    /// Mean over the pixels.
    #[default]
    Average,
    /// Greatest value over the pixels.
    Max,
    /// Mean coordinates in [-1, 1] under a softmax over the pixels, for each channel: all columns,
    /// then all rows.
    SpatialSoftmax {
        /// Whether the softmax has a learned temperature; otherwise it is one.
        learned_temperature: bool,
    },
    /// Sums over the pixels under learned weights, this many per channel.
    SpatialLearnedEmbeddings {
        /// Weightings.
        features: usize,
    },
    /// The map itself.
    None,
}

/// How the task enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fusion {
    /// Not at all.
    None,
    /// As an image of this many channels behind those of the observation.
    Image {
        /// Channels.
        channels: usize,
    },
    /// As an image of this many channels instead of the observation.
    ImageOnly {
        /// Channels.
        channels: usize,
    },
    /// As a vector that scales and shifts the output of every stage (FiLM, arXiv 1709.07871).
    Film {
        /// Numbers of the task's vector.
        task: usize,
        /// Width of two layers with ReLU in front of all scales and shifts; none if `None`.
        units: Option<usize>,
    },
    /// As maps, one behind the channels of every stage's output.
    Maps,
}

/// Shape of a [`ResNetV1`](super::ResNetV1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetV1Config {
    /// Blocks.
    pub kind: BlockKind,
    /// Blocks of each stage.
    pub stages: Vec<usize>,
    /// Channels of the first stage; doubled from stage to stage.
    pub filters: usize,
    /// Side of the images [pixels].
    pub side: usize,
    /// Channels of the observation.
    pub channels: usize,
    /// Activation.
    pub activation: Activation,
    /// Norm.
    pub norm: NormKind,
    /// Whether two channels hold each pixel's column and row in [-1, 1].
    pub coordinates: bool,
    /// Pooling.
    pub pooling: PoolingKind,
    /// How the task enters.
    pub fusion: Fusion,
    /// Layers after pooling.
    pub output_mlp: Option<MlpConfig>,
    /// Whether the task's vector is added to the output, which must be as wide.
    pub highway: bool,
    /// Whether the output has unit length.
    pub normalize: bool,
    /// Whether the output is the map of every stage instead of a vector.
    pub return_maps: bool,
}

/// Groups of the group norm.
pub const GROUPS: usize = 4;

impl ResNetV1Config {
    /// The depth that one of the authors' names stands for, with the options of
    /// `resnetv1-34-bridge`: swish, coordinates, mean pooling, no task.
    pub fn named(name: &str, side: usize) -> Option<Self> {
        let (kind, stages) = depth(name)?;
        Some(Self::of(kind, &stages, side))
    }

    /// The authors' `resnetv1-34-bridge`.
    pub fn resnet34(side: usize) -> Self {
        Self::of(BlockKind::Basic, &[3, 4, 6, 3], side)
    }

    fn of(kind: BlockKind, stages: &[usize], side: usize) -> Self {
        Self {
            kind,
            stages: stages.to_vec(),
            filters: 64,
            side,
            channels: 3,
            activation: Activation::Swish,
            norm: NormKind::Group,
            coordinates: true,
            pooling: PoolingKind::Average,
            fusion: Fusion::None,
            output_mlp: None,
            highway: false,
            normalize: false,
            return_maps: false,
        }
    }

    /// Channels that enter the first convolution.
    pub fn input_channels(&self) -> usize {
        let images = match self.fusion {
            Fusion::Image { channels } => self.channels + channels,
            Fusion::ImageOnly { channels } => channels,
            _ => self.channels,
        };
        images + if self.coordinates { 2 } else { 0 }
    }

    /// Channels of a stage's blocks.
    pub fn stage_channels(&self, stage: usize) -> usize {
        let widen = match self.kind {
            BlockKind::Basic => 1,
            BlockKind::Bottleneck => 4,
        };
        (self.filters << stage) * widen
    }

    /// Channels of a stage's output.
    pub fn stage_output(&self, stage: usize) -> usize {
        let own = self.stage_channels(stage);
        // The maps come from an encoder of the same shape.
        if self.fusion == Fusion::Maps {
            2 * own
        } else {
            own
        }
    }

    /// Side of the map after the stem [pixels].
    pub fn stem_side(&self) -> usize {
        // A 7x7 window with stride 2 and a border of 3, then a maximum with stride 2.
        self.side.div_ceil(2).div_ceil(2)
    }

    /// Side of a stage's output [pixels].
    pub fn stage_side(&self, stage: usize) -> usize {
        (0..stage).fold(self.stem_side(), |side, _| side.div_ceil(2))
    }

    /// Numbers of the output vector (channels, for a map).
    pub fn output(&self) -> usize {
        let channels = self.stage_output(self.stages.len().saturating_sub(1));
        let pooled = match self.pooling {
            PoolingKind::Average | PoolingKind::Max | PoolingKind::None => channels,
            PoolingKind::SpatialSoftmax { .. } => 2 * channels,
            PoolingKind::SpatialLearnedEmbeddings { features } => channels * features,
        };
        self.output_mlp
            .as_ref()
            .and_then(|mlp| mlp.hidden.last().copied())
            .unwrap_or(pooled)
    }

    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        if self.stages.is_empty() || self.stages.len() > 8 || self.stages.contains(&0) {
            return Some(format!("stages of {:?} blocks", self.stages));
        }
        if self.filters == 0 || !self.filters.is_multiple_of(GROUPS) {
            return Some(format!(
                "{} filters: group norm needs a multiple of {GROUPS}",
                self.filters
            ));
        }
        if self.side < 2 || self.input_channels() == 0 {
            return Some(format!(
                "images of {0}x{0} pixels and {1} channels",
                self.side, self.channels
            ));
        }
        if let Fusion::Film { task, units } = self.fusion
            && (task == 0 || units == Some(0))
        {
            return Some("a task vector of no numbers".into());
        }
        if let Some(problem) = self.output_mlp.as_ref().and_then(MlpConfig::problem) {
            return Some(problem);
        }
        if self.highway {
            let output = self.output();
            match self.fusion {
                Fusion::Film { task, .. } if task == output => {}
                _ => {
                    return Some(format!(
                        "the task's vector cannot be added to an output of {output} numbers: both must be as wide"
                    ));
                }
            }
        }
        None
    }
}

/// Blocks that one of the authors' names stands for.
fn depth(name: &str) -> Option<(BlockKind, [usize; 4])> {
    Some(match name {
        "resnetv1-18" | "resnetv1-18-bridge" | "resnetv1-18-bridge-task" => {
            (BlockKind::Basic, [2, 2, 2, 2])
        }
        "resnetv1-18-deeper" => (BlockKind::Basic, [3, 3, 3, 3]),
        "resnetv1-18-deepest" => (BlockKind::Basic, [4, 4, 4, 4]),
        "resnetv1-34"
        | "resnetv1-34-bridge"
        | "resnetv1-34-bridge-task"
        | "resnetv1-34-bridge-task-x-units" => (BlockKind::Basic, [3, 4, 6, 3]),
        "resnetv1-50" | "resnetv1-50-bridge" => (BlockKind::Bottleneck, [3, 4, 6, 3]),
        _ => return None,
    })
}
