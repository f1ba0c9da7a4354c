//! The network.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation::relu};

use super::super::mlp::{Mlp, linear_lecun};
use super::block::{Block, BlockShape, Norm};
use super::config::{Fusion, PoolingKind, ResNetV1Config};
use super::pooling::{average, coordinates, learned_embeddings, maximum, spatial_softmax};
use crate::error::PolicyError;
use crate::grif::unit_length;
use crate::nn::kernels::conv2d;
use crate::nn::resnet::Conv;
use crate::nn::same::max_pool_same;

/// Side of the stem's window [pixels].
const STEM: usize = 7;

/// The task that an image is encoded for.
#[derive(Clone, Debug)]
pub enum Task {
    /// None.
    None,
    /// An image of bytes as numbers, `[batch, side, side, channels]`.
    Image(Tensor<4>),
    /// A vector, `[batch, task]`.
    Vector(Tensor<2>),
    /// A map for every stage, `[batch, .., .., channels]`.
    Maps(Vec<Tensor<4>>),
}

/// What an image becomes.
#[derive(Clone, Debug)]
pub enum Features {
    /// A vector, `[batch, output]`.
    Vector(Tensor<2>),
    /// Maps, `[batch, height, width, channels]`: one for every stage, or the last one alone if it
    /// is not pooled.
    Maps(Vec<Tensor<4>>),
}

impl Features {
    /// As the task of another encoder.
    pub fn into_task(self) -> Task {
        match self {
            Self::Vector(vector) => Task::Vector(vector),
            Self::Maps(maps) => Task::Maps(maps),
        }
    }

    /// All numbers of a sample in a row, `[batch, numbers]`.
    pub fn flat(&self) -> Tensor<2> {
        match self {
            Self::Vector(vector) => vector.clone(),
            Self::Maps(maps) => {
                let rows = maps.iter().map(|map| {
                    let [batch, height, width, channels] = map.dims();
                    map.clone().reshape([batch, height * width * channels])
                });
                Tensor::cat(rows.collect(), 1)
            }
        }
    }
}

/// A place inside the network, for those who look on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// After the first convolution.
    Stem,
    /// After its norm, before the activation.
    StemNorm,
    /// After a block, counted through all stages; the last one of a stage before FiLM.
    Block(usize),
}

/// The encoder.
#[derive(Module, Debug)]
pub struct ResNetV1 {
    /// First convolution.
    pub conv_init: Conv,
    /// Norm after it.
    pub norm_init: Norm,
    /// Blocks through all stages.
    pub blocks: Vec<Block>,
    /// Layers of the task's vector: two in front if there are units, then scale and shift of every
    /// stage.
    pub dense: Vec<Linear>,
    /// Weights of [`PoolingKind::SpatialLearnedEmbeddings`], `[features, channels, height, width]`.
    pub learned_embeddings: Option<Param<Tensor<4>>>,
    /// Temperature of [`PoolingKind::SpatialSoftmax`], `[1]`.
    pub softmax_temperature: Option<Param<Tensor<1>>>,
    /// Layers after pooling.
    pub mlp: Option<Mlp>,
    #[module(skip)]
    config: ResNetV1Config,
}

impl ResNetV1 {
    /// Fresh weights as the authors draw them. The configuration must have no
    /// [`ResNetV1Config::problem`].
    pub fn new(config: &ResNetV1Config, device: &Device) -> Self {
        let mut blocks = Vec::new();
        let mut input = config.filters;
        for (stage, &count) in config.stages.iter().enumerate() {
            for index in 0..count {
                let first = index == 0;
                let stride = if first && stage > 0 { 2 } else { 1 };
                let before = config.stage_side(stage.saturating_sub(1));
                blocks.push(Block::new(
                    BlockShape {
                        kind: config.kind,
                        norm: config.norm,
                        input,
                        filters: config.filters << stage,
                        output: config.stage_channels(stage),
                        stride,
                        shrinks: stride > 1 && before != config.stage_side(stage),
                    },
                    device,
                ));
                input = config.stage_channels(stage);
            }
            input = config.stage_output(stage);
        }
        let last = config.stages.len().saturating_sub(1);
        let (channels, side) = (config.stage_output(last), config.stage_side(last));
        let embeddings = match config.pooling {
            PoolingKind::SpatialLearnedEmbeddings { features } => Some(
                Initializer::KaimingNormal {
                    gain: 1.0,
                    fan_out_only: false,
                }
                .init_with(
                    [features, channels, side, side],
                    Some(side * side * channels),
                    Some(features),
                    device,
                ),
            ),
            _ => None,
        };
        let pooled = match config.pooling {
            PoolingKind::SpatialLearnedEmbeddings { features } => channels * features,
            PoolingKind::SpatialSoftmax { .. } => 2 * channels,
            _ => channels,
        };
        let learned = PoolingKind::SpatialSoftmax {
            learned_temperature: true,
        };
        Self {
            conv_init: Conv::new(config.input_channels(), config.filters, STEM, 2, device),
            norm_init: Norm::new(config.norm, config.filters, device),
            blocks,
            dense: film_layers(config, device),
            learned_embeddings: embeddings,
            softmax_temperature: (config.pooling == learned)
                .then(|| Initializer::Ones.init([1], device)),
            mlp: config
                .output_mlp
                .as_ref()
                .map(|mlp| Mlp::new(mlp, pooled, device)),
            config: config.clone(),
        }
    }

    /// Its shape.
    pub const fn config(&self) -> &ResNetV1Config {
        &self.config
    }

    /// Bytes as numbers, `[batch, side, side, channels]`, and the task to features.
    ///
    /// # Errors
    /// If the images are of another size or the task of another kind than the configuration says.
    pub fn forward(&self, images: Tensor<4>, task: &Task) -> Result<Features, PolicyError> {
        self.look(images, task, &mut |_, _| ())
    }

    /// As [`ResNetV1::forward`]; `see` is shown what flows between the layers.
    ///
    /// # Errors
    /// As [`ResNetV1::forward`].
    pub fn look(
        &self,
        images: Tensor<4>,
        task: &Task,
        see: &mut dyn FnMut(Layer, &Tensor<4>),
    ) -> Result<Features, PolicyError> {
        let activation = self.config.activation;
        let vector = self.prepared(task)?;
        let input = self.input(images, task)?;
        let stem = conv2d(
            input,
            self.conv_init.weight.val(),
            self.conv_init.stride,
            self.conv_init.padding,
        );
        see(Layer::Stem, &stem);
        let normal = self.norm_init.forward(stem, None, None);
        see(Layer::StemNorm, &normal);
        let mut map = max_pool_same(activation.forward(normal), 3, 2);
        let mut blocks = self.blocks.iter().enumerate();
        let mut maps = Vec::new();
        for (stage, &count) in self.config.stages.iter().enumerate() {
            for (left, (index, block)) in (0..count).rev().zip(blocks.by_ref()) {
                map = block.forward(map, (left > 0).then_some(activation));
                see(Layer::Block(index), &map);
            }
            if let Some(vector) = &vector {
                map = activation.forward(self.film(map, vector, stage));
            }
            if let (Fusion::Maps, Task::Maps(others)) = (self.config.fusion, task)
                && let Some(other) = others.get(stage)
            {
                map = Tensor::cat(vec![map, other.clone()], 3);
            }
            if self.config.return_maps {
                maps.push(map.clone());
            }
        }
        if self.config.return_maps {
            return Ok(Features::Maps(maps));
        }
        Ok(self.pooled(map, task))
    }

    /// The task's vector after the layers in front, if there is one.
    fn prepared(&self, task: &Task) -> Result<Option<Tensor<2>>, PolicyError> {
        match (self.config.fusion, task) {
            (Fusion::Film { units, task: width }, Task::Vector(vector))
                if vector.dims()[1] == width =>
            {
                let front = if units.is_some() { 2 } else { 0 };
                let layers = self.dense.iter().take(front);
                Ok(Some(layers.fold(vector.clone(), |hidden, layer| {
                    relu(layer.forward(hidden))
                })))
            }
            (Fusion::None, Task::None)
            | (Fusion::Image { .. } | Fusion::ImageOnly { .. }, Task::Image(_)) => Ok(None),
            (Fusion::Maps, Task::Maps(maps)) if maps.len() == self.config.stages.len() => Ok(None),
            (expected, found) => {
                let found = match found {
                    Task::None => "none".to_owned(),
                    Task::Image(image) => format!("an image {:?}", image.dims()),
                    Task::Vector(vector) => format!("a vector {:?}", vector.dims()),
                    Task::Maps(maps) => format!("{} maps", maps.len()),
                };
                Err(PolicyError::InputShape {
                    what: "the task of an image encoder".into(),
                    expected: format!("{expected:?}"),
                    found,
                    advice:
                        "the task encoder and the policy encoder must be configured for each other"
                            .into(),
                })
            }
        }
    }

    /// Pixels in [-1, 1] with the task's image and the coordinates behind them.
    fn input(&self, images: Tensor<4>, task: &Task) -> Result<Tensor<4>, PolicyError> {
        let images = match (self.config.fusion, task) {
            (Fusion::Image { .. }, Task::Image(goal)) => {
                check_sides(&images, goal)?;
                Tensor::cat(vec![images, goal.clone()], 3)
            }
            (Fusion::ImageOnly { .. }, Task::Image(goal)) => goal.clone(),
            _ => images,
        };
        let [batch, height, width, channels] = images.dims();
        let side = self.config.side;
        let expected =
            self.conv_init.weight.dims()[1] - if self.config.coordinates { 2 } else { 0 };
        if (height, width, channels) != (side, side, expected) {
            return Err(PolicyError::InputShape {
                what: "an image".into(),
                expected: format!("{side}x{side} pixels of {expected} channels"),
                found: format!("{width}x{height} pixels of {channels} channels"),
                advice: "resize images to the side of the configuration".into(),
            });
        }
        let scaled = images / 127.5 - 1.0;
        if !self.config.coordinates {
            return Ok(scaled);
        }
        let places = coordinates(height, width, &scaled.device())
            .reshape([1, height, width, 2])
            .expand([batch, height, width, 2]);
        Ok(Tensor::cat(vec![scaled, places], 3))
    }

    /// `γ(task) map + β(task)`.
    fn film(&self, map: Tensor<4>, vector: &Tensor<2>, stage: usize) -> Tensor<4> {
        let front = self.dense.len() - 2 * self.config.stages.len();
        let layer = |index: usize| -> Tensor<4> {
            let output = self.dense[front + 2 * stage + index].forward(vector.clone());
            let [batch, channels] = output.dims();
            output.reshape([batch, 1, 1, channels])
        };
        map * layer(0) + layer(1)
    }

    fn pooled(&self, map: Tensor<4>, task: &Task) -> Features {
        let vector = match self.config.pooling {
            PoolingKind::Average => average(map),
            PoolingKind::Max => maximum(map),
            PoolingKind::SpatialSoftmax { .. } => {
                let temperature = self.softmax_temperature.as_ref().map(Param::val);
                spatial_softmax(map, temperature)
            }
            PoolingKind::SpatialLearnedEmbeddings { .. } => match &self.learned_embeddings {
                Some(kernel) => learned_embeddings(map, kernel.val()),
                None => average(map),
            },
            PoolingKind::None => return Features::Maps(vec![self.finished(map)]),
        };
        let mut vector = match &self.mlp {
            Some(mlp) => mlp.forward(vector, None),
            None => vector,
        };
        if let (true, Task::Vector(task)) = (self.config.highway, task) {
            vector = vector + task.clone();
        }
        Features::Vector(if self.config.normalize {
            unit_length(vector)
        } else {
            vector
        })
    }

    /// An unpooled map after the layers at the end.
    fn finished(&self, map: Tensor<4>) -> Tensor<4> {
        let map = match &self.mlp {
            Some(mlp) => mlp.forward(map, None),
            None => map,
        };
        if self.config.normalize {
            unit_length(map)
        } else {
            map
        }
    }
}

fn check_sides(images: &Tensor<4>, goal: &Tensor<4>) -> Result<(), PolicyError> {
    let ([rows, height, width, _], [goals, goal_height, goal_width, _]) =
        (images.dims(), goal.dims());
    if (rows, height, width) == (goals, goal_height, goal_width) {
        return Ok(());
    }
    Err(PolicyError::InputShape {
        what: "the goal image".into(),
        expected: format!("{rows} of {width}x{height} pixels, as the observation"),
        found: format!("{goals} of {goal_width}x{goal_height} pixels"),
        advice: "resize goal images to the observation's size".into(),
    })
}

fn film_layers(config: &ResNetV1Config, device: &Device) -> Vec<Linear> {
    let Fusion::Film { task, units } = config.fusion else {
        return Vec::new();
    };
    let mut layers = Vec::new();
    if let Some(units) = units {
        layers.push(linear_lecun(task, units, device));
        layers.push(linear_lecun(units, units, device));
    }
    let width = units.unwrap_or(task);
    for stage in 0..config.stages.len() {
        let channels = config.stage_channels(stage);
        layers.push(linear_lecun(width, channels, device));
        layers.push(linear_lecun(width, channels, device));
    }
    layers
}
