//! One update of either variant.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use rand::Rng;

use super::config::PlayTraining;
use crate::checkpoint::file::Tensors;
use crate::checkpoint::{apply, collect};
use crate::error::{CheckpointError, LearnError};
use crate::hilp::baselines::{self, BaselineAgent};
use crate::hilp::goal_conditioned::agent::ADAM;
use crate::hilp::goal_conditioned::{self, SkillAgent};
use crate::hilp::play::{Picked, PlayData};
use crate::hilp::statistics::Numbers;
use crate::hilp::variant::{Acting, VariantConfig};
use crate::hilp::zero_shot::SuccessorAgent;
use crate::hilp::zero_shot::agent as zero_shot;
use crate::policy::Weights;
use crate::training::AdamW;

/// A learner of either variant, on a device with gradients.
#[derive(Clone, Debug)]
pub enum Learner {
    /// Goal-conditioned.
    Skills(SkillAgent),
    /// Zero-shot.
    Successors(SuccessorAgent),
    /// Of a baseline.
    Baseline(BaselineAgent),
}

impl Learner {
    /// A learner that begins with fresh networks; check the configuration first.
    pub fn new(config: &VariantConfig, device: &Device) -> Self {
        match config {
            VariantConfig::GoalConditioned(config) => Self::Skills(SkillAgent::new(
                config.clone(),
                goal_conditioned::Networks::new(config, device),
            )),
            VariantConfig::ZeroShot(config) => Self::Successors(SuccessorAgent::new(
                config.clone(),
                zero_shot::Networks::new(config, device),
            )),
            VariantConfig::Baseline(config) => Self::Baseline(BaselineAgent::new(
                config.clone(),
                baselines::Networks::new(config, device),
            )),
        }
    }

    /// One update on some transitions of the data, which are moved to `device` (without
    /// gradients).
    ///
    /// # Errors
    /// If the data does not fit or something is not finite; nothing has changed then.
    pub fn update(
        &mut self,
        data: &PlayData,
        picked: &Picked,
        train: &PlayTraining,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Result<Numbers, LearnError> {
        match self {
            Self::Skills(agent) => {
                let batch = data.skill_batch(picked, device);
                Ok(agent.update(&batch, rng)?.numbers)
            }
            Self::Successors(agent) => {
                let batch = data.successor_batch(picked, train.successor_discount, device);
                Ok(agent.update(batch, rng)?.numbers)
            }
            Self::Baseline(agent) => {
                let batch = data.skill_batch(picked, device);
                Ok(agent.update(&batch)?.numbers)
            }
        }
    }

    /// Sets what is left of the learning rate of `config`.
    pub fn pace(&mut self, config: &VariantConfig, left: f32) {
        match (self, config) {
            (Self::Skills(agent), VariantConfig::GoalConditioned(config)) => {
                agent.set_learning_rate(config.learning_rate * left);
            }
            (Self::Baseline(agent), VariantConfig::Baseline(config)) => {
                agent.set_learning_rate(config.learning_rate * left);
            }
            _ => {}
        }
    }

    /// What acting needs, without gradients.
    pub fn acting(&self) -> Acting {
        match self {
            Self::Skills(agent) => Acting::GoalConditioned(agent.networks().acting()),
            Self::Successors(agent) => Acting::ZeroShot(agent.networks().acting()),
            Self::Baseline(agent) => Acting::Baseline(agent.networks().acting()),
        }
        .valid()
    }

    /// All networks' tensors.
    pub fn weights(&self) -> Weights {
        match self {
            Self::Skills(agent) => collect(agent.networks(), 0),
            Self::Successors(agent) => collect(agent.networks(), 0),
            Self::Baseline(agent) => collect(agent.networks(), 0),
        }
    }

    /// The optimiser's state.
    pub fn optimiser(&self) -> Tensors {
        match self {
            Self::Skills(agent) => agent.optimiser().state(),
            Self::Successors(agent) => agent.optimiser().state(),
            Self::Baseline(agent) => agent.optimiser().state(),
        }
    }

    /// The same learner as it was when [`Learner::weights`] and [`Learner::optimiser`] were taken.
    ///
    /// # Errors
    /// If the tensors do not fit; `origin` names where they come from.
    pub fn restored(
        self,
        config: &VariantConfig,
        weights: &Weights,
        optimiser: &Tensors,
        origin: &Path,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        let optimiser = AdamW::from_state(ADAM, optimiser, device);
        Ok(match (self, config) {
            (Self::Skills(agent), VariantConfig::GoalConditioned(config)) => {
                let networks = apply(agent.networks().clone(), weights, origin)?;
                Self::Skills(SkillAgent::resume(config.clone(), networks, optimiser))
            }
            (Self::Successors(agent), VariantConfig::ZeroShot(config)) => {
                let networks = apply(agent.networks().clone(), weights, origin)?;
                Self::Successors(SuccessorAgent::resume(config.clone(), networks, optimiser))
            }
            (Self::Baseline(agent), VariantConfig::Baseline(config)) => {
                let networks = apply(agent.networks().clone(), weights, origin)?;
                Self::Baseline(BaselineAgent::resume(config.clone(), networks, optimiser))
            }
            (_, _) => {
                return Err(CheckpointError::Format {
                    path: origin.to_owned(),
                    reason: "it is of the other variant of HILP".into(),
                });
            }
        })
    }
}
