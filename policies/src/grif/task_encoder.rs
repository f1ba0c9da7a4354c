//! What a task becomes: a pair of images or a sentence to a representation.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::mlp::{Mlp, MlpConfig};
use super::resnet::{Features, Fusion, ResNetV1, ResNetV1Config, Task};
use super::unit_length;
use crate::clip::{TextConfig, TextTower, VisionTransformer, VisionTransformerConfig};
use crate::error::PolicyError;

/// What follows a tower of CLIP, and which of it learns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerOptions {
    /// No gradient through the tower.
    pub freeze_encoder: bool,
    /// No gradient through the projection either.
    pub freeze_projection: bool,
    /// Whether embeddings have unit length.
    pub normalize: bool,
    /// Layers after that.
    pub mlp: Option<MlpConfig>,
}

impl TowerOptions {
    fn width(&self, embedding: usize) -> usize {
        let last = self.mlp.as_ref().and_then(|mlp| mlp.hidden.last());
        last.copied().unwrap_or(embedding)
    }

    fn layers(&self, embedding: usize, device: &Device) -> Option<Mlp> {
        let mlp = self.mlp.as_ref();
        mlp.map(|mlp| Mlp::new(mlp, embedding, device))
    }

    /// From the tower's vector and the projection to the representation.
    fn finish(&self, pooled: Tensor<2>, projection: Tensor<2>, mlp: Option<&Mlp>) -> Tensor<2> {
        let pooled = if self.freeze_encoder {
            pooled.detach()
        } else {
            pooled
        };
        let mut embedding = pooled.matmul(projection);
        if self.freeze_projection {
            embedding = embedding.detach();
        }
        if self.normalize {
            embedding = unit_length(embedding);
        }
        match mlp {
            Some(mlp) => mlp.forward(embedding, None),
            None => embedding,
        }
    }
}

/// Which encoder, and its shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskEncoderConfig {
    /// The vision tower of CLIP, made to read two images.
    ClipImages(VisionTransformerConfig, TowerOptions),
    /// The text tower of CLIP.
    ClipText(TextConfig, TowerOptions),
    /// A residual network over the first image, with the goal image behind its channels or the
    /// sentence's vector in its stages.
    ResNet(ResNetV1Config),
    /// The maps of a residual network over the first image, modulated by the embedding of the
    /// image pair.
    ClipImageMaps(VisionTransformerConfig, TowerOptions, ResNetV1Config),
    /// The maps of a residual network over the first image, modulated by the sentence's embedding.
    ClipTextMaps(TextConfig, TowerOptions, ResNetV1Config),
    /// The sentence's vector of this many numbers as it is (a sentence embedding from outside).
    Vector(usize),
}

impl TaskEncoderConfig {
    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        let two = |tower: &VisionTransformerConfig| {
            let odd = !tower.channels.is_multiple_of(2);
            tower
                .problem()
                .or_else(|| odd.then(|| "two images need an even number of channels".into()))
        };
        match self {
            Self::ClipImages(tower, options) => two(tower).or_else(|| options.problem()),
            Self::ClipText(tower, options) => tower.problem().or_else(|| options.problem()),
            Self::ResNet(network) => network.problem(),
            Self::ClipImageMaps(tower, options, network) => two(tower)
                .or_else(|| options.problem())
                .or_else(|| maps_problem(network, options.width(tower.output))),
            Self::ClipTextMaps(tower, options, network) => tower
                .problem()
                .or_else(|| options.problem())
                .or_else(|| maps_problem(network, options.width(tower.output))),
            Self::Vector(width) => (*width == 0).then(|| "a vector of no numbers".into()),
        }
    }

    /// Numbers of the representation if it is a vector; `None` for maps.
    pub fn width(&self) -> Option<usize> {
        match self {
            Self::ClipImages(tower, options) => Some(options.width(tower.output)),
            Self::ClipText(tower, options) => Some(options.width(tower.output)),
            Self::ResNet(network) => (!network.return_maps).then(|| network.output()),
            Self::ClipImageMaps(..) | Self::ClipTextMaps(..) => None,
            Self::Vector(width) => Some(*width),
        }
    }
}

impl TowerOptions {
    fn problem(&self) -> Option<String> {
        self.mlp.as_ref().and_then(MlpConfig::problem)
    }
}

fn maps_problem(network: &ResNetV1Config, width: usize) -> Option<String> {
    let fits = matches!(network.fusion, Fusion::Film { task, .. } if task == width);
    let odd = !network.return_maps || !fits;
    network.problem().or_else(|| {
        odd.then(|| format!("a network for maps must take a vector of {width} numbers"))
    })
}

/// Vision tower over two images.
#[derive(Module, Debug)]
pub struct ClipImages {
    /// The tower; its first kernel reads the channels of both images.
    pub tower: VisionTransformer,
    /// Layers after the projection.
    pub mlp: Option<Mlp>,
    #[module(skip)]
    options: TowerOptions,
}

impl ClipImages {
    /// Fresh weights.
    pub fn new(tower: &VisionTransformerConfig, options: &TowerOptions, device: &Device) -> Self {
        Self {
            tower: VisionTransformer::new(tower, device),
            mlp: options.layers(tower.output, device),
            options: options.clone(),
        }
    }

    /// Normalised images `[batch, side, side, channels]` of start and goal to `[batch, width]`.
    ///
    /// # Errors
    /// If the images are of another size than the tower reads.
    pub fn forward(&self, start: Tensor<4>, goal: Tensor<4>) -> Result<Tensor<2>, PolicyError> {
        let pooled = self.tower.pooled(pair(start, goal)?)?;
        let projection = self.tower.proj.val();
        Ok(self.options.finish(pooled, projection, self.mlp.as_ref()))
    }
}

/// Start and goal, one behind the other's channels.
fn pair(start: Tensor<4>, goal: Tensor<4>) -> Result<Tensor<4>, PolicyError> {
    if start.dims() != goal.dims() {
        return Err(PolicyError::InputShape {
            what: "the goal image".into(),
            expected: format!("{:?}, as the first image", start.dims()),
            found: format!("{:?}", goal.dims()),
            advice: "resize both images to the tower's resolution".into(),
        });
    }
    Ok(Tensor::cat(vec![start, goal], 3))
}

/// The first kernel of a tower over two images from that over one, `[width, channels, patch,
/// patch]`: both images get half of it, so that twice the same image gives what one gave.
pub fn two_image_kernel(kernel: Tensor<4>) -> Tensor<4> {
    Tensor::cat(vec![kernel.clone(), kernel], 1) / 2.0
}

/// Text tower.
#[derive(Module, Debug)]
pub struct ClipText {
    /// The tower.
    pub tower: TextTower,
    /// Layers after the projection.
    pub mlp: Option<Mlp>,
    #[module(skip)]
    options: TowerOptions,
}

impl ClipText {
    /// Fresh weights.
    pub fn new(tower: &TextConfig, options: &TowerOptions, device: &Device) -> Self {
        Self {
            tower: TextTower::new(tower, device),
            mlp: options.layers(tower.output, device),
            options: options.clone(),
        }
    }

    /// Tokens to `[batch, width]`.
    ///
    /// # Errors
    /// If the tokens are not those of the tower.
    pub fn forward(&self, texts: &[Vec<u32>]) -> Result<Tensor<2>, PolicyError> {
        let pooled = self.tower.pooled(texts)?;
        let projection = self.tower.text_projection.val();
        Ok(self.options.finish(pooled, projection, self.mlp.as_ref()))
    }
}

/// A tower and the network whose maps its embedding modulates.
#[derive(Module, Debug)]
pub struct Mapped<M: Module> {
    /// The tower.
    pub clip: M,
    /// The network over the first image.
    pub resnet: ResNetV1,
}

/// Has no weights.
#[derive(Module, Debug)]
pub struct AsItIs;

/// An encoder of tasks.
#[derive(Module, Debug)]
pub enum TaskEncoder {
    /// See [`TaskEncoderConfig::ClipImages`].
    ClipImages(ClipImages),
    /// See [`TaskEncoderConfig::ClipText`].
    ClipText(ClipText),
    /// See [`TaskEncoderConfig::ResNet`].
    ResNet(ResNetV1),
    /// See [`TaskEncoderConfig::ClipImageMaps`].
    ClipImageMaps(Mapped<ClipImages>),
    /// See [`TaskEncoderConfig::ClipTextMaps`].
    ClipTextMaps(Mapped<ClipText>),
    /// See [`TaskEncoderConfig::Vector`].
    Vector(AsItIs),
}

/// A task as it comes.
#[derive(Clone, Debug)]
pub enum TaskInput {
    /// A goal image, as the encoder reads it: normalised for a tower, bytes for a network.
    Image(Tensor<4>),
    /// Tokens of a sentence for each sample.
    Tokens(Vec<Vec<u32>>),
    /// A vector of a sentence for each sample, from an encoder outside.
    Vector(Tensor<2>),
    /// A finished embedding for each sample, which is only brought to unit length.
    Embedding(Tensor<2>),
}

/// An image in the two forms that encoders read.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Bytes as numbers, `[batch, side, side, channels]`.
    pub bytes: Tensor<4>,
    /// Normalised and resized for a tower of CLIP, if there is one.
    pub normal: Option<Tensor<4>>,
}

impl Picture {
    /// As a tower reads it.
    pub fn for_tower(&self) -> Tensor<4> {
        self.normal.clone().unwrap_or_else(|| self.bytes.clone())
    }
}

impl TaskEncoder {
    /// Fresh weights.
    pub fn new(config: &TaskEncoderConfig, device: &Device) -> Self {
        match config {
            TaskEncoderConfig::ClipImages(tower, options) => {
                Self::ClipImages(ClipImages::new(tower, options, device))
            }
            TaskEncoderConfig::ClipText(tower, options) => {
                Self::ClipText(ClipText::new(tower, options, device))
            }
            TaskEncoderConfig::ResNet(network) => Self::ResNet(ResNetV1::new(network, device)),
            TaskEncoderConfig::ClipImageMaps(tower, options, network) => {
                Self::ClipImageMaps(Mapped {
                    clip: ClipImages::new(tower, options, device),
                    resnet: ResNetV1::new(network, device),
                })
            }
            TaskEncoderConfig::ClipTextMaps(tower, options, network) => {
                Self::ClipTextMaps(Mapped {
                    clip: ClipText::new(tower, options, device),
                    resnet: ResNetV1::new(network, device),
                })
            }
            TaskEncoderConfig::Vector(_) => Self::Vector(AsItIs),
        }
    }

    /// The representation of a task that begins with the image `start`.
    ///
    /// # Errors
    /// If the task is of a kind or size that this encoder does not read.
    pub fn forward(&self, start: &Picture, task: &TaskInput) -> Result<Features, PolicyError> {
        match (self, task) {
            (_, TaskInput::Embedding(rows)) => Ok(Features::Vector(unit_length(rows.clone()))),
            (Self::ClipImages(images), TaskInput::Image(goal)) => {
                let rows = images.forward(start.for_tower(), goal.clone())?;
                Ok(Features::Vector(rows))
            }
            (Self::ClipText(text), TaskInput::Tokens(tokens)) => {
                Ok(Features::Vector(text.forward(tokens)?))
            }
            (Self::ResNet(network), TaskInput::Image(goal)) => {
                network.forward(start.bytes.clone(), &Task::Image(goal.clone()))
            }
            (Self::ResNet(network), TaskInput::Vector(rows)) => {
                network.forward(start.bytes.clone(), &Task::Vector(rows.clone()))
            }
            (Self::ClipImageMaps(both), TaskInput::Image(goal)) => {
                let rows = both.clip.forward(start.for_tower(), goal.clone())?;
                both.resnet
                    .forward(start.bytes.clone(), &Task::Vector(rows))
            }
            (Self::ClipTextMaps(both), TaskInput::Tokens(tokens)) => {
                let rows = both.clip.forward(tokens)?;
                both.resnet
                    .forward(start.bytes.clone(), &Task::Vector(rows))
            }
            (Self::Vector(_), TaskInput::Vector(rows)) => Ok(Features::Vector(rows.clone())),
            (encoder, task) => Err(PolicyError::InputShape {
                what: "a task".into(),
                expected: encoder.reads().into(),
                found: task.kind().into(),
                advice: "give the task in the form that the policy was configured for".into(),
            }),
        }
    }

    const fn reads(&self) -> &'static str {
        match self {
            Self::ClipImages(_) | Self::ClipImageMaps(_) => "a goal image",
            Self::ClipText(_) | Self::ClipTextMaps(_) => "tokens of a sentence",
            Self::ResNet(_) => "a goal image or the vector of a sentence",
            Self::Vector(_) => "the vector of a sentence",
        }
    }
}

impl TaskInput {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Image(_) => "a goal image",
            Self::Tokens(_) => "tokens of a sentence",
            Self::Vector(_) => "the vector of a sentence",
            Self::Embedding(_) => "an embedding",
        }
    }
}
