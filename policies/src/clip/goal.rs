//! Goals as CLIP's vectors: an instruction through the text tower, a picture through an image tower.
//!
//! Neither vector is normalised, and both lie in the same space, so that a policy may take either.

use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cerebellum_messages::Frame;

use super::KEYS;
use super::modified_resnet::{ModifiedResNet, ModifiedResNetConfig};
use super::text::{TextConfig, TextTower};
use super::tokenizer::{ClipTokenizer, Overflow};
use super::transformer::TransformerConfig;
use super::vision_transformer::{VisionTransformer, VisionTransformerConfig};
use crate::checkpoint::apply;
use crate::checkpoint::file::Tensors;
use crate::checkpoint::specs;
use crate::error::{CheckpointError, PolicyError};
use crate::images::{Normaliser, resize};
use crate::language::{SentenceEncoder, text};

/// Every head of OpenAI's models has this width.
const HEAD: usize = 64;

/// Shape of a tensor of a checkpoint.
fn shape<'a, const D: usize>(
    tensors: &'a Tensors,
    key: &str,
    origin: &Path,
) -> Result<[usize; D], CheckpointError> {
    let found: Option<&'a [usize]> = tensors.get(key).map(|tensor| tensor.shape.as_slice());
    let found = found.ok_or_else(|| CheckpointError::MissingKey {
        path: origin.to_owned(),
        key: key.to_owned(),
        expected: vec![0; D],
    })?;
    found.try_into().map_err(|_| CheckpointError::Shape {
        path: origin.to_owned(),
        key: key.to_owned(),
        expected: vec![0; D],
        found: found.to_vec(),
    })
}

/// How many blocks `<start><number>.…` there are.
fn blocks(tensors: &Tensors, start: &str) -> usize {
    let numbers = tensors.keys().filter_map(|key| {
        let (number, _) = key.strip_prefix(start)?.split_once('.')?;
        number.parse::<usize>().ok()
    });
    numbers.max().map_or(0, |last| last + 1)
}

fn transformer(
    tensors: &Tensors,
    width: usize,
    causal: bool,
    origin: &Path,
) -> Result<TransformerConfig, CheckpointError> {
    let start = "transformer.resblocks.";
    let [hidden, _] = shape(tensors, &format!("{start}0.mlp.c_fc.weight"), origin)?;
    Ok(TransformerConfig {
        width,
        heads: (width / HEAD).max(1),
        layers: blocks(tensors, start),
        hidden,
        causal,
    })
}

fn unusable(origin: &Path, problem: &str) -> CheckpointError {
    CheckpointError::Format {
        path: origin.to_owned(),
        reason: format!("no tower of CLIP: {problem}"),
    }
}

/// Instructions to vectors.
pub struct ClipSentenceEncoder {
    name: String,
    tokenizer: Arc<ClipTokenizer>,
    tower: TextTower,
    overflow: Overflow,
}

impl ClipSentenceEncoder {
    /// A text tower under OpenAI's keys; sizes are those of the tensors. `name` is what packages
    /// record of it, `origin` names the source in errors.
    ///
    /// # Errors
    /// If a tensor is missing, unknown, of another shape or not finite.
    pub fn from_tensors(
        name: &str,
        tensors: &Tensors,
        origin: &Path,
        device: &Device,
    ) -> Result<Self, PolicyError> {
        let [vocabulary, width] = shape(tensors, "token_embedding.weight", origin)?;
        let [context, _] = shape(tensors, "positional_embedding", origin)?;
        let [_, output] = shape(tensors, "text_projection", origin)?;
        let config = TextConfig {
            vocabulary,
            context,
            transformer: transformer(tensors, width, true, origin)?,
            output,
        };
        if let Some(problem) = config.problem() {
            return Err(unusable(origin, &problem).into());
        }
        let tower = TextTower::new(&config, device);
        let weights = KEYS.import(tensors, &specs(&tower), origin)?;
        Self::new(name, apply(tower, &weights, origin)?)
    }

    /// A text tower with weights.
    ///
    /// # Errors
    /// If its vocabulary is not that of the tokenizer.
    pub fn new(name: &str, tower: TextTower) -> Result<Self, PolicyError> {
        let tokenizer = ClipTokenizer::embedded()?;
        let [vocabulary, _] = tower.token_embedding.weight.dims();
        if vocabulary != tokenizer.len() {
            return Err(PolicyError::InputShape {
                what: "the vocabulary of the text tower".into(),
                expected: format!("{} tokens", tokenizer.len()),
                found: format!("{vocabulary} tokens"),
                advice: "use a tower that was trained with CLIP's tokenizer".into(),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            tokenizer,
            tower,
            overflow: Overflow::Refuse,
        })
    }

    /// What to do with instructions of more tokens than the tower reads.
    #[must_use]
    pub fn with_overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }
}

impl SentenceEncoder for ClipSentenceEncoder {
    fn dim(&self) -> usize {
        self.tower.text_projection.dims()[1]
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn encode(&self, text: &str) -> Result<Vec<f32>, PolicyError> {
        text::check(text)?;
        let [context, _] = self.tower.positional_embedding.dims();
        let ids = self.tokenizer.encode_within(text, context, self.overflow)?;
        finite(self.tower.forward(&[ids])?, "the goal's vector")
    }
}

/// Either kind of image tower.
#[derive(Module, Debug)]
pub enum ImageTower {
    /// Vision transformer.
    Transformer(VisionTransformer),
    /// Residual network.
    ResNet(ModifiedResNet),
}

impl ImageTower {
    /// An image tower under OpenAI's keys without `visual.`; kind and sizes are those of the
    /// tensors.
    ///
    /// # Errors
    /// If a tensor is missing, unknown, of another shape or not finite.
    pub fn from_tensors(
        tensors: &Tensors,
        origin: &Path,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        let (tower, problem) = if tensors.contains_key("proj") {
            let [width, channels, patch, _] = shape(tensors, "conv1.weight", origin)?;
            let [places, _] = shape(tensors, "positional_embedding", origin)?;
            let [_, output] = shape(tensors, "proj", origin)?;
            let config = VisionTransformerConfig {
                resolution: places.saturating_sub(1).isqrt() * patch,
                patch,
                channels,
                transformer: transformer(tensors, width, false, origin)?,
                output,
            };
            let build = || Self::Transformer(VisionTransformer::new(&config, device));
            let problem = config.problem();
            (problem.is_none().then(build), problem)
        } else {
            let [width, ..] = shape::<4>(tensors, "conv3.weight", origin)?;
            let [places, channels] = shape(tensors, "attnpool.positional_embedding", origin)?;
            let [output, _] = shape(tensors, "attnpool.c_proj.weight", origin)?;
            let layers = [1, 2, 3, 4].map(|stage| blocks(tensors, &format!("layer{stage}.")));
            let config = ModifiedResNetConfig {
                layers,
                width,
                heads: (channels / HEAD).max(1),
                resolution: places.saturating_sub(1).isqrt() * 32,
                output,
            };
            let build = || Self::ResNet(ModifiedResNet::new(&config, device));
            let problem = config.problem();
            (problem.is_none().then(build), problem)
        };
        let tower =
            tower.ok_or_else(|| unusable(origin, problem.as_deref().unwrap_or("unknown")))?;
        let weights = KEYS.import(tensors, &specs(&tower), origin)?;
        apply(tower, &weights, origin)
    }

    /// Side of the images [pixels].
    pub fn resolution(&self) -> usize {
        match self {
            Self::Transformer(tower) => tower.resolution(),
            Self::ResNet(tower) => tower.resolution(),
        }
    }

    /// Embeddings `[batch, output]` of normalised images `[batch, side, side, 3]`.
    ///
    /// # Errors
    /// If the images are of another size.
    pub fn forward(&self, images: Tensor<4>) -> Result<Tensor<2>, PolicyError> {
        match self {
            Self::Transformer(tower) => tower.forward(images),
            Self::ResNet(tower) => tower.forward(images),
        }
    }
}

/// Pictures of wanted outcomes to vectors.
pub struct ClipImageEncoder {
    tower: ImageTower,
    device: Device,
}

impl ClipImageEncoder {
    /// From a tower on a device.
    pub fn new(tower: ImageTower, device: &Device) -> Self {
        Self {
            tower,
            device: device.clone(),
        }
    }

    /// The vector of a square picture: resized as the policy's own images are, and normalised.
    ///
    /// # Errors
    /// If the picture is not square or its vector not finite.
    pub fn encode(&self, frame: &Frame) -> Result<Vec<f32>, PolicyError> {
        let side = frame.width as usize;
        if frame.width != frame.height
            || side == 0
            || frame.data.len() != Frame::expected_len(frame.width, frame.height)
        {
            return Err(PolicyError::InputShape {
                what: format!("goal image of camera `{}`", frame.camera),
                expected: "a square rgb8 image".into(),
                found: format!(
                    "{}x{} with {} bytes",
                    frame.width,
                    frame.height,
                    frame.data.len()
                ),
                advice: "crop it as the policy's camera is".into(),
            });
        }
        let resolution = self.tower.resolution();
        let pixels = frame.data.iter().map(|&byte| f32::from(byte));
        let pixels = resize(&pixels.collect::<Vec<_>>(), 3, side, resolution);
        let bytes = pixels
            .iter()
            .map(|value| value.round().clamp(0.0, 255.0) as u8)
            .collect::<Vec<_>>();
        let mut values = Vec::with_capacity(bytes.len());
        Normaliser::default().apply(&bytes, &mut values);
        let shape = [1, resolution, resolution, 3];
        let images = Tensor::from_data(TensorData::new(values, shape), &self.device);
        finite(self.tower.forward(images)?, "the goal's vector")
    }
}

fn finite(vectors: Tensor<2>, what: &str) -> Result<Vec<f32>, PolicyError> {
    let data = vectors.into_data();
    let values = data.as_slice::<f32>().unwrap_or_default().to_vec();
    if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
        return Err(PolicyError::NonFinite {
            what: what.into(),
            generation: 0,
        });
    }
    Ok(values)
}
