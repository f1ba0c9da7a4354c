//! Sizes and options of a policy.

use serde::{Deserialize, Serialize};

use super::alignment::AlignmentConfig;
use super::head::{HeadConfig, StdKind};
use super::resnet::{Fusion, ResNetV1Config};
use super::task_encoder::{TaskEncoderConfig, TowerOptions};
use crate::clip::{TextConfig, VisionTransformerConfig};

/// A kind of task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Modality {
    /// A picture of the goal.
    Image,
    /// A sentence.
    Language,
}

/// Shape of a [`Grif`](super::Grif) and of its loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrifConfig {
    /// Encoder of what the robot sees.
    pub encoder: ResNetV1Config,
    /// Encoder of image pairs, if goals can be pictures.
    pub image_task: Option<TaskEncoderConfig>,
    /// Encoder of sentences, if goals can be sentences.
    pub language_task: Option<TaskEncoderConfig>,
    /// Whether sentences go through the encoder of image pairs (and `language_task` has no weights).
    pub share_encoders: bool,
    /// Distribution of actions.
    pub head: HeadConfig,
    /// Whether the task enters the encoder; otherwise its vector follows the encoding.
    pub early_fusion: bool,
    /// Whether the first image of the episode lies before the channels of the current one.
    pub early_fuse_initial: bool,
    /// Whether image pairs begin with the current image instead of the first one.
    pub no_initial: bool,
    /// Numbers of proprioception that follow the encoding.
    pub proprioception: usize,
    /// Alignment of sentences with image pairs.
    pub alignment: AlignmentConfig,
    /// Whether samples without a sentence do not teach the encoder through their goal image.
    pub freeze_unlabelled: bool,
}

impl GrifConfig {
    /// The authors' configuration `GRIF`: CLIP ViT-B/32, ResNet-34 with FiLM on 128 pixels, seven
    /// action numbers of deviation one.
    pub fn paper() -> Self {
        let vision = VisionTransformerConfig {
            channels: 6,
            ..VisionTransformerConfig::base(32)
        };
        let text = TextConfig::base();
        let mut encoder = ResNetV1Config::resnet34(128);
        encoder.fusion = Fusion::Film {
            task: vision.output,
            units: Some(256),
        };
        Self {
            encoder,
            image_task: Some(TaskEncoderConfig::ClipImages(
                vision,
                TowerOptions {
                    normalize: true,
                    ..TowerOptions::default()
                },
            )),
            language_task: Some(TaskEncoderConfig::ClipText(
                text,
                TowerOptions {
                    freeze_encoder: true,
                    freeze_projection: true,
                    normalize: true,
                    mlp: None,
                },
            )),
            share_encoders: false,
            head: HeadConfig {
                hidden: vec![256; 3],
                actions: 7,
                std: StdKind::Fixed(vec![1.0; 7]),
                tanh: false,
                dropout: 0.1,
            },
            early_fusion: true,
            early_fuse_initial: false,
            no_initial: false,
            proprioception: 0,
            alignment: AlignmentConfig::default(),
            freeze_unlabelled: false,
        }
    }

    /// The encoder that a kind of task goes through.
    pub fn task_encoder(&self, modality: Modality) -> Option<&TaskEncoderConfig> {
        match modality {
            Modality::Language if !self.share_encoders => self.language_task.as_ref(),
            Modality::Image | Modality::Language => self.image_task.as_ref(),
        }
    }

    /// Numbers that enter the head.
    pub fn head_input(&self) -> usize {
        let task = if self.early_fusion {
            0
        } else {
            let encoders = self.image_task.iter().chain(&self.language_task);
            encoders
                .filter_map(TaskEncoderConfig::width)
                .max()
                .unwrap_or(0)
        };
        self.encoder.output() + task + self.proprioception
    }

    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        let encoders = || self.image_task.iter().chain(&self.language_task);
        if encoders().next().is_none() {
            return Some("a policy needs an encoder of image pairs or of sentences".into());
        }
        if self.share_encoders && self.image_task.is_none() {
            return Some("there is no encoder of image pairs that sentences could share".into());
        }
        if let Some(problem) = encoders().find_map(TaskEncoderConfig::problem) {
            return Some(problem);
        }
        let widths = encoders().map(TaskEncoderConfig::width).collect::<Vec<_>>();
        if widths.iter().any(|width| *width != widths[0]) {
            return Some(format!(
                "representations of images and sentences must be equally wide, not {widths:?}"
            ));
        }
        let fits = match (self.early_fusion, self.encoder.fusion, widths[0]) {
            (true, Fusion::Film { task, .. }, Some(width)) => task == width,
            (true, Fusion::Maps, None) | (false, Fusion::None, Some(_)) => true,
            _ => false,
        };
        if !fits {
            return Some(format!(
                "an encoder with {:?} does not read representations of {:?} numbers",
                self.encoder.fusion, widths[0]
            ));
        }
        self.encoder.problem().or_else(|| self.head.problem())
    }
}
