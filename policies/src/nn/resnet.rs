//! Residual image encoder with group norm (He et al., arXiv 1512.03385; widths, depths and stem free).

use burn::module::{Initializer, Module, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, Relu};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::kernels::inference::max_pool;
use super::kernels::{Affine, KeptFilter, conv2d_kept, group_norm};
use super::linear::{linear, linear_default};
use super::norm::GroupNorm;
use super::pooling::SpatialSoftmax;

/// First convolution of a [`ResNet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stem {
    /// Channels.
    pub channels: usize,
    /// Side of the kernel; the padding is half of it.
    pub kernel: usize,
    /// Stride.
    pub stride: usize,
    /// Whether a 3x3 maximum with stride 2 follows.
    pub max_pool: bool,
}

/// How a feature map becomes a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pooling {
    /// Mean over the map, as in the authors' code.
    Average,
    /// Departure for small training budgets: expected coordinates of this many keypoints, beside
    /// the mean.
    SpatialSoftmax {
        /// Keypoints.
        keypoints: usize,
    },
}

/// Shape of a [`ResNet`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// First convolution.
    pub stem: Stem,
    /// Channels per stage, one to four stages.
    pub widths: Vec<usize>,
    /// Blocks per stage.
    pub blocks: Vec<usize>,
    /// Stride of each stage.
    pub strides: Vec<usize>,
    /// Pooling.
    pub pooling: Pooling,
    /// Departure: whether every block is modulated by the goal (FiLM, arXiv 1709.07871), so that
    /// the image is looked at with the instruction in mind.
    pub goal_film: bool,
}

impl ResNetConfig {
    /// ResNet-18 as the authors use it.
    pub fn resnet18() -> Self {
        Self {
            stem: Stem {
                channels: 64,
                kernel: 7,
                stride: 2,
                max_pool: true,
            },
            widths: vec![64, 128, 256, 512],
            blocks: vec![2; 4],
            strides: vec![1, 2, 2, 2],
            pooling: Pooling::Average,
            goal_film: false,
        }
    }

    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        let stages = self.widths.len();
        if !(1..=4).contains(&stages) {
            return Some(format!("{stages} stages: one to four are possible"));
        }
        if self.blocks.len() != stages || self.strides.len() != stages {
            return Some("widths, blocks and strides must be equally long".into());
        }
        let numbers = self.widths.iter().chain(&self.blocks).chain(&self.strides);
        let stem = [self.stem.channels, self.stem.kernel, self.stem.stride];
        numbers
            .chain(&stem)
            .any(|&number| number == 0)
            .then(|| "a size of zero".into())
    }
}

/// Convolution without bias.
#[derive(Module, Debug)]
pub struct Conv {
    /// Kernel, `[out, in, height, width]`.
    pub weight: Param<Tensor<4>>,
    /// Stride.
    pub stride: usize,
    /// Zero padding on each side.
    pub padding: usize,
    /// The weight as the inner loops read it.
    #[module(skip)]
    pub kept: KeptFilter,
}

impl Conv {
    /// Kaiming-normal weights; the padding is half the kernel.
    pub fn new(input: usize, output: usize, kernel: usize, stride: usize, device: &Device) -> Self {
        let area = kernel * kernel;
        let weight = Initializer::KaimingNormal {
            gain: std::f64::consts::SQRT_2,
            fan_out_only: true,
        }
        .init_with(
            [output, input, kernel, kernel],
            Some(input * area),
            Some(output * area),
            device,
        );
        Self {
            weight,
            stride,
            padding: kernel / 2,
            kept: KeptFilter::default(),
        }
    }

    /// `[batch, height, width, in]` to `[batch, .., .., out]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let kernel = self.weight.val();
        conv2d_kept(input, kernel, self.stride, self.padding, &self.kept)
    }
}

/// Two 3x3 convolutions with a shortcut.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// First convolution; has the stride.
    pub conv1: Conv,
    /// Norm after it (the key says `bn` although it is a group norm).
    pub bn1: GroupNorm,
    /// Second convolution.
    pub conv2: Conv,
    /// Norm after it.
    pub bn2: GroupNorm,
    /// 1x1 convolution and norm of the shortcut, where the shape changes.
    pub downsample: Option<(Conv, GroupNorm)>,
    /// Goal to scale and shift of the second norm's output.
    pub film: Option<Linear>,
}

impl ResidualBlock {
    fn new(
        input: usize,
        output: usize,
        stride: usize,
        film: Option<usize>,
        device: &Device,
    ) -> Self {
        let downsample = (stride != 1 || input != output).then(|| {
            (
                Conv::new(input, output, 1, stride, device),
                GroupNorm::new(output, device),
            )
        });
        Self {
            conv1: Conv::new(input, output, 3, stride, device),
            bn1: GroupNorm::new(output, device),
            conv2: Conv::new(output, output, 3, 1, device),
            bn2: GroupNorm::new(output, device),
            downsample,
            film: film.map(|goal| linear(goal, 2 * output, true, device)),
        }
    }

    fn forward(&self, input: Tensor<4>, goal: Option<&Tensor<2>>) -> Tensor<4> {
        let shortcut = match &self.downsample {
            Some((conv, norm)) => norm.forward(conv.forward(input.clone()), false),
            None => input.clone(),
        };
        let hidden = self.bn1.forward(self.conv1.forward(input), true);
        let hidden = self.conv2.forward(hidden);
        let affine = self.modulated(goal);
        group_norm(hidden, self.bn2.groups, affine, Some(shortcut), true)
    }

    /// Gain and offset of the second norm: `x -> x (1 + scale) + shift` after its own, in one.
    fn modulated(&self, goal: Option<&Tensor<2>>) -> Affine {
        let own = self.bn2.affine();
        let (Some(film), Some(goal)) = (&self.film, goal) else {
            return own;
        };
        let both = film.forward(goal.clone());
        let channels = both.dims()[1] / 2;
        let factor = both.clone().narrow(1, 0, channels) + 1.0;
        let shift = both.narrow(1, channels, channels);
        Affine {
            shift: own.shift * factor.clone() + shift,
            scale: own.scale * factor,
        }
    }
}

/// Blocks of one resolution.
pub type Stage = Vec<ResidualBlock>;

/// Convolution, norm, ReLU, maximum, four stages; a tuple, so that the keys are those of a
/// sequential module.
pub type Backbone = (
    Conv,
    GroupNorm,
    Relu,
    Option<MaxPool2d>,
    Stage,
    Stage,
    Stage,
    Stage,
);

/// The encoder: image to vector.
#[derive(Module, Debug)]
pub struct ResNet {
    /// Convolutions.
    pub backbone: Backbone,
    /// Keypoints, if pooled by them.
    pub keypoints: Option<SpatialSoftmax>,
    /// One layer to the output width.
    pub fc_layers: Vec<Linear>,
}

impl ResNet {
    /// An encoder of coloured pictures to vectors of `output` numbers; `goal` is the width of the
    /// goal vector for [`ResNetConfig::goal_film`].
    pub fn new(config: &ResNetConfig, goal: usize, output: usize, device: &Device) -> Self {
        Self::of_channels(3, config, goal, output, device)
    }

    /// As [`ResNet::new`], for maps of `input` channels.
    pub fn of_channels(
        input: usize,
        config: &ResNetConfig,
        goal: usize,
        output: usize,
        device: &Device,
    ) -> Self {
        let stem = config.stem;
        let film = config.goal_film.then_some(goal);
        let mut channels = stem.channels;
        let mut stages = (0..4).map(|stage| {
            let width = config.widths.get(stage).copied().unwrap_or(channels);
            let count = config.blocks.get(stage).copied().unwrap_or(0);
            let stride = config.strides.get(stage).copied().unwrap_or(1);
            (0..count)
                .map(|block| {
                    let stride = if block == 0 { stride } else { 1 };
                    let built = ResidualBlock::new(channels, width, stride, film, device);
                    channels = width;
                    built
                })
                .collect::<Stage>()
        });
        let mut next = || stages.next().unwrap_or_default();
        let stages = [next(), next(), next(), next()];
        let [first, second, third, fourth] = stages;
        let (keypoints, features) = match config.pooling {
            Pooling::Average => (None, channels),
            Pooling::SpatialSoftmax { keypoints } => (
                Some(SpatialSoftmax::new(channels, keypoints, device)),
                channels + 2 * keypoints,
            ),
        };
        Self {
            backbone: (
                Conv::new(input, stem.channels, stem.kernel, stem.stride, device),
                GroupNorm::new(stem.channels, device),
                Relu::new(),
                stem.max_pool.then(|| {
                    MaxPool2dConfig::new([3, 3])
                        .with_strides([2, 2])
                        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                        .init()
                }),
                first,
                second,
                third,
                fourth,
            ),
            keypoints,
            fc_layers: vec![linear_default(features, output, device)],
        }
    }

    /// Stem alone: convolution, norm, ReLU and maximum.
    pub fn stem(&self, images: Tensor<4>) -> Tensor<4> {
        let hidden = self
            .backbone
            .1
            .forward(self.backbone.0.forward(images), true);
        match &self.backbone.3 {
            Some(pool) => max_pool(&hidden, 3, 2, 1).unwrap_or_else(|| {
                pool.forward(hidden.permute([0, 3, 1, 2]))
                    .permute([0, 2, 3, 1])
            }),
            None => hidden,
        }
    }

    /// The four stages, some of which may be empty.
    pub fn stages(&self) -> [&Stage; 4] {
        let (_, _, _, _, first, second, third, fourth) = &self.backbone;
        [first, second, third, fourth]
    }

    /// One stage.
    pub fn stage(stage: &Stage, input: Tensor<4>, goal: Option<&Tensor<2>>) -> Tensor<4> {
        stage
            .iter()
            .fold(input, |hidden, block| block.forward(hidden, goal))
    }

    /// Normalised images `[batch, height, width, channels]`, and the goal vector `[batch, goal]` if the
    /// network is modulated by it, to `[batch, output]`.
    ///
    /// There may be more goals than images: the further ones are those with which the first images
    /// are seen once more, and their vectors follow those of all images. What does not depend on the
    /// goal is computed once.
    pub fn forward(&self, images: Tensor<4>, goal: Option<&Tensor<2>>) -> Tensor<2> {
        let map = self
            .stages()
            .into_iter()
            .fold(self.stem(images), |hidden, stage| {
                Self::stage(stage, hidden, goal)
            });
        let [batch, height, width, channels] = map.dims();
        let mean = map
            .clone()
            .reshape([batch, height * width, channels])
            .mean_dim(1)
            .reshape([batch, channels]);
        let pooled = match &self.keypoints {
            Some(keypoints) => Tensor::cat(vec![keypoints.forward(map), mean], 1),
            None => mean,
        };
        let vectors = self
            .fc_layers
            .iter()
            .fold(pooled, |hidden, layer| layer.forward(hidden));
        let rows = goal.map_or(batch, |goal| goal.dims()[0]);
        if rows > batch {
            // No block was modulated.
            let again = vectors.clone().narrow(0, 0, rows - batch);
            return Tensor::cat(vec![vectors, again], 0);
        }
        vectors
    }
}
