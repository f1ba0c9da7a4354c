//! The policy: task encoders, image encoder and head.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::config::{GrifConfig, Modality};
use super::distribution::ActionDistribution;
use super::dropout::KeepMasks;
use super::head::PolicyHead;
use super::resnet::{Features, ResNetV1, Task};
use super::task_encoder::{Picture, TaskEncoder, TaskInput};
use crate::error::PolicyError;

/// All networks.
#[derive(Module, Debug)]
pub struct Grif {
    /// Logarithm of the temperature of the alignment, `[1]`.
    pub temperature: Param<Tensor<1>>,
    /// Encoder of what the robot sees, one for both kinds of task.
    pub encoder: ResNetV1,
    /// Encoder of image pairs.
    pub image_task: Option<TaskEncoder>,
    /// Encoder of sentences.
    pub language_task: Option<TaskEncoder>,
    /// Distribution of actions.
    pub head: PolicyHead,
    #[module(skip)]
    config: GrifConfig,
}

/// What the robot sees, for a batch.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The current image.
    pub now: Picture,
    /// The first image of the episode.
    pub first: Picture,
    /// Normalised proprioception, `[batch, numbers]`, if the policy reads it.
    pub proprioception: Option<Tensor<2>>,
}

/// What a policy says of a scene and a task.
#[derive(Clone, Debug)]
pub struct PolicyOutput {
    /// The task's representation.
    pub task: Features,
    /// What enters the head, `[batch, numbers]`.
    pub encoding: Tensor<2>,
    /// Distribution of actions.
    pub actions: ActionDistribution,
}

/// How a policy is run while it learns. The default is how it runs otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Learning<'a> {
    /// Dropout of the head.
    pub dropout: Option<&'a KeepMasks<2>>,
    /// Samples whose encoding passes no gradient.
    pub frozen: Option<&'a [bool]>,
}

/// The temperature at the start.
const TEMPERATURE: f64 = 0.07;

impl Grif {
    /// Fresh weights. The configuration must have no [`GrifConfig::problem`].
    pub fn new(config: &GrifConfig, device: &Device) -> Self {
        let encoder = |task: &Option<_>| task.as_ref().map(|task| TaskEncoder::new(task, device));
        Self {
            temperature: Initializer::Constant {
                value: TEMPERATURE.ln(),
            }
            .init([1], device),
            encoder: ResNetV1::new(&config.encoder, device),
            image_task: encoder(&config.image_task),
            language_task: if config.share_encoders {
                None
            } else {
                encoder(&config.language_task)
            },
            head: PolicyHead::new(&config.head, config.head_input(), device),
            config: config.clone(),
        }
    }

    /// Its shape.
    pub const fn config(&self) -> &GrifConfig {
        &self.config
    }

    /// Whether a tensor learns at the rate of pre-trained weights: the towers of CLIP with their
    /// projections, and the temperature.
    pub fn is_pretrained(key: &str) -> bool {
        key == "temperature" || key.split('.').any(|level| level == "tower")
    }

    /// The representation of a task. It depends on the scene's first image only (unless the
    /// configuration says otherwise), so that it can be kept during an episode.
    ///
    /// # Errors
    /// If the policy has no encoder for the task or does not read it.
    pub fn task(
        &self,
        scene: &Scene,
        task: &TaskInput,
        modality: Modality,
    ) -> Result<Features, PolicyError> {
        let encoder = match modality {
            Modality::Language if !self.config.share_encoders => &self.language_task,
            Modality::Image | Modality::Language => &self.image_task,
        };
        let encoder = encoder.as_ref().ok_or_else(|| PolicyError::InputShape {
            what: "a task".into(),
            expected: "a kind that the policy was trained for".into(),
            found: format!("{modality:?}"),
            advice: "run a policy that takes such tasks".into(),
        })?;
        let start = if self.config.no_initial {
            &scene.now
        } else {
            &scene.first
        };
        encoder.forward(start, task)
    }

    /// Actions for a scene and the representation of a task.
    ///
    /// # Errors
    /// If an image or the representation has another size than the configuration says.
    pub fn act(
        &self,
        scene: &Scene,
        task: Features,
        temperature: f64,
        learning: Learning<'_>,
    ) -> Result<PolicyOutput, PolicyError> {
        let now = scene.now.bytes.clone();
        let images = if self.config.early_fuse_initial {
            Tensor::cat(vec![scene.first.bytes.clone(), now], 3)
        } else {
            now
        };
        let mut parts = Vec::new();
        if self.config.early_fusion {
            let features = self.encoder.forward(images, &task.clone().into_task())?;
            parts.push(features.flat());
        } else {
            parts.push(self.encoder.forward(images, &Task::None)?.flat());
            parts.push(task.flat());
        }
        if self.config.proprioception > 0 {
            parts.push(self.proprioception(scene)?);
        }
        let mut encoding = Tensor::cat(parts, 1);
        if let Some(frozen) = learning.frozen {
            let share = frozen.iter().map(|&frozen| f32::from(u8::from(frozen)));
            let share = share.collect::<Vec<_>>();
            let share = Tensor::<2>::from_data(
                TensorData::new(share, [frozen.len(), 1]),
                &encoding.device(),
            );
            let moving = share.clone().neg() + 1.0;
            encoding = encoding.clone().detach() * share + encoding * moving;
        }
        let actions = self
            .head
            .forward(encoding.clone(), temperature, learning.dropout);
        Ok(PolicyOutput {
            task,
            encoding,
            actions,
        })
    }

    fn proprioception(&self, scene: &Scene) -> Result<Tensor<2>, PolicyError> {
        let width = self.config.proprioception;
        match &scene.proprioception {
            Some(rows) if rows.dims()[1] == width => Ok(rows.clone()),
            found => Err(PolicyError::InputShape {
                what: "proprioception".into(),
                expected: format!("{width} numbers"),
                found: found
                    .as_ref()
                    .map_or_else(|| "none".into(), |rows| format!("{:?}", rows.dims())),
                advice: "send the joint state that the policy was trained with".into(),
            }),
        }
    }
}
