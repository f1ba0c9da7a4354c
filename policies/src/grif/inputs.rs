//! From pictures and sentences to what the networks read.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::config::{GrifConfig, Modality};
use super::data::bicubic;
use super::task_encoder::{Picture, TaskEncoderConfig, TaskInput};
use crate::clip::ClipTokenizer;
use crate::clip::tokenizer::Overflow;
use crate::error::PolicyError;
use crate::images::Normaliser;
use crate::language::{SentenceEncoder, text};

/// Pictures of several cameras, `rgb8` with `side` rows and columns each, one behind the other's
/// channels: bytes as numbers, `[side, side, 3 * cameras]`.
pub(super) fn stacked(cameras: &[&[u8]], out: &mut Vec<f32>) {
    let pixels = cameras.iter().map(|camera| camera.len() / 3).min();
    for pixel in 0..pixels.unwrap_or(0) {
        for camera in cameras {
            out.extend(camera[3 * pixel..][..3].iter().map(|&byte| f32::from(byte)));
        }
    }
}

/// Makes pictures in the forms that a network's encoders read.
#[derive(Clone, Debug)]
pub(super) struct Eyes {
    side: usize,
    /// Resolution of the tower over image pairs, if there is one.
    tower: Option<usize>,
}

impl Eyes {
    pub(super) fn of(config: &GrifConfig) -> Self {
        let tower = match &config.image_task {
            Some(
                TaskEncoderConfig::ClipImages(tower, _)
                | TaskEncoderConfig::ClipImageMaps(tower, ..),
            ) => Some(tower.resolution),
            _ => None,
        };
        Self {
            side: config.encoder.side,
            tower,
        }
    }

    /// Bytes as numbers, `[rows, side, side, channels]`.
    pub(super) fn bytes(&self, values: Vec<f32>, rows: usize, device: &Device) -> Tensor<4> {
        let channels = values.len() / (rows * self.side * self.side).max(1);
        let shape = [rows, self.side, self.side, channels];
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// `rgb8` pictures of one camera.
    pub(super) fn picture(&self, pictures: &[Vec<u8>], device: &Device) -> Picture {
        let mut values = Vec::new();
        for picture in pictures {
            stacked(&[picture], &mut values);
        }
        Picture {
            bytes: self.bytes(values, pictures.len(), device),
            normal: self.tower.map(|side| self.normal(pictures, side, device)),
        }
    }

    /// As a tower reads them: resized (bicubic), then normalised.
    fn normal(&self, pictures: &[Vec<u8>], side: usize, device: &Device) -> Tensor<4> {
        let mut values = Vec::new();
        for picture in pictures {
            let picture = picture.iter().map(|&byte| f32::from(byte));
            let picture = picture.collect::<Vec<_>>();
            let from = (self.side, self.side);
            let resized = bicubic::resize(&picture, 3, from, (side, side));
            let resized = resized.iter().map(|value| value.round() as u8);
            Normaliser::default().apply(&resized.collect::<Vec<_>>(), &mut values);
        }
        let shape = [pictures.len(), side, side, 3];
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Goal pictures as the task encoder reads them.
    pub(super) fn goal(&self, pictures: &[Vec<u8>], device: &Device) -> TaskInput {
        let picture = self.picture(pictures, device);
        TaskInput::Image(picture.for_tower())
    }
}

/// Makes tasks of sentences.
#[derive(Clone)]
pub(super) struct Ears {
    encoder: Arc<dyn SentenceEncoder>,
    /// The tokenizer and the most tokens, for a text tower of the network's own.
    tower: Option<(Arc<ClipTokenizer>, usize)>,
    width: Option<usize>,
}

impl Ears {
    /// `encoder` for networks without a text tower.
    ///
    /// # Errors
    /// If the encoder's vectors are of another width than the network reads.
    pub(super) fn of(
        config: &GrifConfig,
        encoder: Arc<dyn SentenceEncoder>,
    ) -> Result<Self, PolicyError> {
        let (tower, width) = match config.task_encoder(Modality::Language) {
            Some(
                TaskEncoderConfig::ClipText(tower, _) | TaskEncoderConfig::ClipTextMaps(tower, ..),
            ) => (Some((ClipTokenizer::embedded()?, tower.context)), None),
            Some(TaskEncoderConfig::Vector(width)) => (None, Some(*width)),
            _ => (None, None),
        };
        match width {
            Some(width) if width != encoder.dim() => Err(PolicyError::InputShape {
                what: "sentence vector".into(),
                expected: format!("{width} numbers"),
                found: format!("{} numbers", encoder.dim()),
                advice: "use the sentence encoder that the policy was trained with".into(),
            }),
            _ => Ok(Self {
                encoder,
                tower,
                width,
            }),
        }
    }

    /// A sentence as the task encoder reads it.
    ///
    /// # Errors
    /// If the text is no usable instruction.
    pub(super) fn task(&self, sentence: &str, device: &Device) -> Result<TaskInput, PolicyError> {
        if let Some((tokenizer, context)) = &self.tower {
            text::check(sentence)?;
            let ids = tokenizer.encode_within(sentence, *context, Overflow::Refuse)?;
            return Ok(TaskInput::Tokens(vec![ids]));
        }
        let vector = self.encoder.encode(sentence)?;
        let shape = [1, vector.len()];
        let vector = Tensor::from_data(TensorData::new(vector, shape), device);
        Ok(match self.width {
            // Alignment looks at directions only, so the policy is to see nothing else.
            Some(_) => TaskInput::Embedding(vector),
            None => TaskInput::Vector(vector),
        })
    }
}
