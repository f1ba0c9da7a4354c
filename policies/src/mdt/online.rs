//! MDT learning on the robot from what it sees and does.

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::config::MdtConfig;
use super::experience::Experienced;
use super::goals::GoalVectors;
use super::load::{Loaded, load};
use super::model::{Inputs, Mdt};
use super::planning::{Descent, Ladder, SeededNoise, encode, sample};
use super::statistics::Statistics;
use crate::checkpoint::PolicyPackage;
use crate::error::{LearnError, PolicyError};
use crate::language::SentenceEncoder;
use crate::online::{
    EvaluationReport, ExperienceBatch, ObjectiveId, ObjectiveSpec, OnlineModel, StepReport,
};
use crate::policy::Weights;
use crate::training::adamw::AdamWConfig;
use crate::training::shadow::{Pace, Shadow, not_finite};

/// Name of the masked generative foresight objective.
pub const FORESIGHT: &str = "mgf";
/// Name of the contrastive latent alignment objective.
pub const ALIGNMENT: &str = "cla";
/// Name of the inverse dynamics objective.
pub const INVERSE_DYNAMICS: &str = "inverse_dynamics";

/// How the shadow copy learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OnlineConfig {
    /// Learning rate.
    pub learning_rate: f32,
    /// Optimiser constants.
    pub adamw: AdamWConfig,
    /// Greatest norm of the gradient.
    pub clip: f32,
    /// Decay of the moving average that candidates are taken from.
    pub average_decay: f32,
    /// Beginnings of the keys of tensors that learn. By default the image encoders and the
    /// objectives' own heads: what moves when the pictures change, while the mapping from tokens to
    /// actions stays.
    pub trained: Vec<String>,
}

impl Default for OnlineConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            adamw: AdamWConfig {
                weight_decay: 0.0,
                beta_2: 0.99,
                ..AdamWConfig::default()
            },
            clip: 1.0,
            average_decay: 0.98,
            trained: [
                "static_resnet.",
                "gripper_resnet.",
                "gen_img.",
                "logit_scale",
                "clip_proj.",
                "inverse_dynamics.",
            ]
            .map(String::from)
            .to_vec(),
        }
    }
}

/// The learner's copy of an MDT.
pub struct MdtOnline {
    config: MdtConfig,
    online: OnlineConfig,
    statistics: Statistics,
    device: Device,
    shadow: Shadow<Mdt>,
    goals: GoalVectors,
}

impl MdtOnline {
    /// A copy of a package's policy that can learn.
    ///
    /// # Errors
    /// If the weights do not fit the configuration or the sentence encoder has another width.
    pub fn new(
        package: &PolicyPackage,
        online: OnlineConfig,
        language: Arc<dyn SentenceEncoder>,
        device: &Device,
    ) -> Result<Self, PolicyError> {
        let device = device.clone().inner().autodiff();
        let Loaded {
            config,
            statistics,
            model,
            goals,
        } = load(package, language, &device)?;
        Ok(Self {
            shadow: Shadow::new(model, online.adamw, package.weights.generation),
            config,
            statistics,
            online,
            device,
            goals,
        })
    }

    fn lookahead(&self) -> u32 {
        self.config.foresight.as_ref().map_or(1, |f| f.lookahead)
    }

    fn unknown(&self, objective: &ObjectiveId) -> LearnError {
        LearnError::UnknownObjective {
            found: objective.0.clone(),
            known: self
                .objectives()
                .into_iter()
                .map(|spec| spec.id.0)
                .collect(),
        }
    }

    /// Loss per moment, `[moments]`, and the inputs.
    fn losses(
        &self,
        model: &Mdt,
        batch: &ExperienceBatch,
        objective: &ObjectiveId,
        device: &Device,
    ) -> Result<(Tensor<1>, Inputs), LearnError> {
        let settings = (&self.config, &self.statistics);
        let moments = Experienced::new(settings, model, &self.goals, batch, device)?;
        let losses = match objective.0.as_str() {
            FORESIGHT => moments.foresight()?,
            ALIGNMENT => moments.alignment()?,
            INVERSE_DYNAMICS => moments.inverse_dynamics(self.lookahead() as usize)?,
            _ => None,
        };
        let losses = losses.ok_or_else(|| self.unknown(objective))?;
        Ok((losses, moments.inputs))
    }
}

impl OnlineModel for MdtOnline {
    fn objectives(&self) -> Vec<ObjectiveSpec> {
        let spec = |id: &str, lookahead: u32, about: &str| ObjectiveSpec {
            id: ObjectiveId(id.into()),
            lookahead,
            about: about.into(),
        };
        let foresight = self.config.foresight.as_ref().map(|_| {
            spec(
                FORESIGHT,
                self.lookahead(),
                "Reconstruct hidden patches of both cameras' next pictures from the context (MDT, \
                 arXiv 2407.05996, masked generative foresight).",
            )
        });
        let inverse = self.config.inverse_dynamics.map(|_| {
            spec(
                INVERSE_DYNAMICS,
                self.lookahead(),
                "Tell the executed actions from the pictures before and after them (policy \
                 adaptation during deployment, arXiv 2007.04309).",
            )
        });
        let alignment = self.config.alignment.as_ref().map(|alignment| {
            spec(
                ALIGNMENT,
                alignment.lookahead,
                "Make the context of a told goal that of its shown outcome (MDT, arXiv 2407.05996, \
                 contrastive latent alignment).",
            )
        });
        let all = foresight.into_iter().chain(alignment).chain(inverse);
        all.collect()
    }

    fn step(
        &mut self,
        batch: &ExperienceBatch,
        objective: &ObjectiveId,
    ) -> Result<StepReport, LearnError> {
        let begun = Instant::now();
        let (losses, _) = self.losses(self.shadow.model(), batch, objective, &self.device)?;
        let pace = Pace {
            learning_rate: self.online.learning_rate,
            clip: self.online.clip,
            average_decay: self.online.average_decay,
            trained: &self.online.trained,
        };
        self.shadow.step(losses, pace, objective, begun)
    }

    fn evaluate(
        &self,
        weights: &Weights,
        batch: &ExperienceBatch,
        objective: &ObjectiveId,
    ) -> Result<EvaluationReport, LearnError> {
        let device = self.device.clone().inner();
        let model = self.shadow.candidate(weights)?;
        let (losses, inputs) = self.losses(&model, batch, objective, &device)?;
        let losses = losses
            .try_into_vec_as::<f32>()
            .map_err(|error| LearnError::Batch(error.to_string()))?;
        if losses.iter().any(|loss| !loss.is_finite()) {
            return Err(not_finite("loss", objective));
        }
        let d = &self.config.denoiser;
        let diffusion = &self.config.diffusion;
        let mut ladder = Ladder::new(model.denoiser(), diffusion, diffusion.steps, &device);
        let seeds = (0..batch.moments.len() as u64)
            .map(|i| batch.seed.wrapping_add(i))
            .collect::<Vec<_>>();
        let shape = [d.horizon, d.action_dim];
        let noise = SeededNoise::new(&seeds, shape, &device);
        let context = encode(&model, &inputs).context;
        let sampled = sample(
            model.denoiser(),
            diffusion,
            &mut ladder,
            &context,
            Descent::new(noise),
        )?;
        let actions = sampled
            .actions
            .try_into_vec_as::<f32>()
            .map_err(|error| LearnError::Batch(error.to_string()))?;
        Ok(EvaluationReport {
            losses,
            actions: actions
                .chunks_exact(d.horizon * d.action_dim)
                .map(<[f32]>::to_vec)
                .collect(),
        })
    }

    fn snapshot(&self) -> Weights {
        self.shadow.snapshot()
    }

    fn restore(&mut self, weights: &Weights) -> Result<(), LearnError> {
        self.shadow.restore(weights)
    }
}
