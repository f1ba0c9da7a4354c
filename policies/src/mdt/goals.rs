//! From what is asked to goal vectors.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use cerebellum_messages::{Frame, Goal, GoalKind, GoalSpec, Observation};

use super::config::{CameraConfig, MdtConfig};
use super::inputs::{GoalVector, checked_pixels, pixels};
use super::model::Mdt;
use crate::clip::ClipTokenizer;
use crate::clip::tokenizer::Overflow;
use crate::error::PolicyError;
use crate::host;
use crate::images::Normaliser;
use crate::language::{SentenceEncoder, text};

/// Instructions remembered: far more than a robot is given, and a bound for one that is given
/// another every moment.
const MAX_KNOWN: usize = 1024;

/// A goal, encoded as far as it can be without an observation.
pub(crate) enum PreparedGoal {
    /// All the way.
    Vector(GoalVector),
    /// A picture `[1, size, size, 3]` that is compared with what is seen at present.
    Picture {
        /// Number of the goal.
        id: u64,
        /// Normalised.
        wanted: Tensor<4>,
    },
}

/// Goal vectors of one policy. Instructions are encoded once each.
#[derive(Clone)]
pub(crate) struct GoalVectors {
    encoder: Arc<dyn SentenceEncoder>,
    tokenizer: Option<Arc<ClipTokenizer>>,
    known: BTreeMap<String, Vec<f32>>,
    policy: String,
    accepted: Vec<GoalKind>,
    camera: CameraConfig,
}

impl GoalVectors {
    /// Instructions pass the policy's own text encoder if it has one, else `encoder`.
    /// `trained_with` names the sentence encoder of training; empty if unknown.
    pub(crate) fn new(
        encoder: Arc<dyn SentenceEncoder>,
        config: &MdtConfig,
        trained_with: &str,
    ) -> Result<Self, PolicyError> {
        let own = config.text_encoder.is_some();
        if !own && !trained_with.is_empty() && trained_with != encoder.name() {
            return Err(PolicyError::InputShape {
                what: "sentence encoder".into(),
                expected: trained_with.into(),
                found: encoder.name().into(),
                advice: "use the sentence encoder that the policy was trained with".into(),
            });
        }
        if !own && encoder.dim() != config.denoiser.goal_dim {
            return Err(PolicyError::InputShape {
                what: "sentence vector".into(),
                expected: format!("{} numbers", config.denoiser.goal_dim),
                found: format!("{} numbers", encoder.dim()),
                advice: "use the sentence encoder that the policy was trained with".into(),
            });
        }
        Ok(Self {
            encoder,
            tokenizer: own.then(ClipTokenizer::embedded).transpose()?,
            known: BTreeMap::new(),
            policy: config.name.clone(),
            accepted: config.goals(),
            camera: config.static_camera.clone(),
        })
    }

    /// What can be encoded of a goal before anything is seen, with `model`, which lives on `device`.
    ///
    /// # Errors
    /// If the policy does not take goals of this kind, or the goal's content does not fit.
    pub(crate) fn prepare(
        &mut self,
        goal: &Goal,
        model: &Mdt,
        device: &Device,
    ) -> Result<PreparedGoal, PolicyError> {
        match (&goal.spec, &model.goal_encoder) {
            (GoalSpec::Language { text }, _) => Ok(PreparedGoal::Vector(GoalVector {
                values: self.told(goal.id, text, model)?,
                told: true,
            })),
            (GoalSpec::Image { frame }, Some(encoder)) => {
                let wanted = self.picture(goal.id, frame, device)?;
                let id = goal.id;
                if encoder.sees_present() {
                    return Ok(PreparedGoal::Picture { id, wanted });
                }
                // Such an encoder does not look at its first input.
                let vector = encoder.forward(wanted.clone(), wanted);
                Ok(PreparedGoal::Vector(shown(id, vector)?))
            }
            _ => Err(PolicyError::GoalKind {
                policy: self.policy.clone(),
                accepted: self.accepted.clone(),
                found: goal.kind(),
            }),
        }
    }

    /// The vector of a goal when `observation` is seen; `model` and `device` as in
    /// [`GoalVectors::prepare`].
    ///
    /// # Errors
    /// If the observation lacks the picture that the goal's is compared with, or the vector is not
    /// finite.
    pub(crate) fn vector(
        &self,
        goal: &PreparedGoal,
        observation: &Observation,
        model: &Mdt,
        device: &Device,
    ) -> Result<GoalVector, PolicyError> {
        match (goal, &model.goal_encoder) {
            (PreparedGoal::Vector(vector), _) => Ok(vector.clone()),
            (PreparedGoal::Picture { id, wanted }, Some(encoder)) => {
                let present = self.normalised(pixels(observation, &self.camera)?, device);
                shown(*id, encoder.forward(present, wanted.clone()))
            }
            (PreparedGoal::Picture { .. }, None) => Err(PolicyError::GoalKind {
                policy: self.policy.clone(),
                accepted: self.accepted.clone(),
                found: GoalKind::Image,
            }),
        }
    }

    fn told(&mut self, id: u64, text: &str, model: &Mdt) -> Result<Vec<f32>, PolicyError> {
        if let Some(vector) = self.known.get(text) {
            return Ok(vector.clone());
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        let vector = match (&model.text_encoder, &self.tokenizer) {
            (Some(tower), Some(tokenizer)) => {
                text::check(text)?;
                let [context, _] = tower.positional_embedding.dims();
                let ids = tokenizer.encode_within(text, context, Overflow::Refuse)?;
                host::values(tower.forward(&[ids])?)
            }
            _ => self.encoder.encode(text)?,
        };
        if vector.iter().any(|value| !value.is_finite()) {
            return Err(PolicyError::GoalContent {
                id,
                reason: "its sentence's vector is not finite".into(),
            });
        }
        self.known.insert(text.to_owned(), vector.clone());
        Ok(vector)
    }

    /// A goal picture for the encoder, `[1, size, size, 3]`.
    fn picture(&self, id: u64, frame: &Frame, device: &Device) -> Result<Tensor<4>, PolicyError> {
        if frame.camera != self.camera.name {
            return Err(PolicyError::GoalContent {
                id,
                reason: format!(
                    "its picture is of camera `{}`: the policy needs one of camera `{}`",
                    frame.camera, self.camera.name
                ),
            });
        }
        let pixels = checked_pixels(frame, &self.camera.name, self.camera.size)?;
        Ok(self.normalised(pixels, device))
    }

    /// Pixels of the camera for the encoder, `[1, size, size, 3]`.
    fn normalised(&self, pixels: &[u8], device: &Device) -> Tensor<4> {
        let mut values = Vec::with_capacity(pixels.len());
        Normaliser::default().apply(pixels, &mut values);
        let size = self.camera.size;
        Tensor::from_data(TensorData::new(values, [1, size, size, 3]), device)
    }
}

/// The vector of a picture, `[1, goal_dim]`, read from the device.
fn shown(id: u64, vector: Tensor<2>) -> Result<GoalVector, PolicyError> {
    let values = host::values(vector);
    if values.iter().any(|value| !value.is_finite()) {
        return Err(PolicyError::GoalContent {
            id,
            reason: "its picture's vector is not finite".into(),
        });
    }
    Ok(GoalVector {
        values,
        told: false,
    })
}
