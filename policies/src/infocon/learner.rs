//! Training of the discovery model.

use burn::module::Module as _;
use serde::{Deserialize, Serialize};

use super::batch::DiscoveryBatch;
use super::error::InfoConError;
use super::model::InfoCon;
use super::objective::{Discovery, ObjectiveConfig, Stage, discover};
use super::schedules::{multi_step, warm_cosine};
use crate::host;
use crate::training::gradients::GradientSet;
use crate::training::{AdamW, AdamWConfig};

/// How the learning rate changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RateSchedule {
    /// See [`warm_cosine`].
    WarmCosine {
        /// Steps of warm-up.
        warm_up: u64,
        /// Steps of the whole run.
        total: u64,
    },
    /// See [`multi_step`].
    MultiStep {
        /// Steps from which on the rate is smaller.
        milestones: Vec<u64>,
        /// How much smaller.
        gamma: f64,
    },
}

impl RateSchedule {
    /// Factor of the learning rate at a step counted from 0.
    pub fn factor(&self, step: u64) -> f64 {
        match self {
            Self::WarmCosine { warm_up, total } => warm_cosine(step, *warm_up, *total),
            Self::MultiStep { milestones, gamma } => multi_step(step, milestones, *gamma),
        }
    }
}

/// Settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnerConfig {
    /// The losses.
    pub objective: ObjectiveConfig,
    /// Greatest learning rate.
    pub learning_rate: f64,
    /// How it changes.
    pub schedule: RateSchedule,
    /// Constants of the optimiser.
    pub adam: AdamWConfig,
    /// Steps after which weights of losses have reached their end.
    pub steps: u64,
    /// The step at which this run starts, as far as weights of losses go.
    pub first_step: u64,
}

impl LearnerConfig {
    /// The settings of the authors' scripts for a run of `steps` steps.
    pub const fn published(steps: u64) -> Self {
        Self {
            objective: ObjectiveConfig::PUBLISHED,
            learning_rate: 1e-4,
            schedule: RateSchedule::WarmCosine {
                warm_up: 1000,
                total: steps,
            },
            adam: ADAM,
            steps,
            first_step: 0,
        }
    }
}

/// The authors' optimiser, of both models.
pub(super) const ADAM: AdamWConfig = AdamWConfig {
    beta_1: 0.9,
    beta_2: 0.95,
    epsilon: 1e-8,
    weight_decay: 1e-3,
    decay_linear_only: true,
};

/// A model in training.
#[derive(Clone, Debug)]
pub struct DiscoveryLearner {
    model: InfoCon,
    config: LearnerConfig,
    optimiser: AdamW,
    step: u64,
    turn: usize,
}

/// What one step saw and did.
#[derive(Clone, Debug)]
pub struct LearnerStep {
    /// Losses before the step.
    pub discovery: Discovery,
    /// Gradients.
    pub gradients: GradientSet,
    /// Learning rate.
    pub learning_rate: f64,
}

impl DiscoveryLearner {
    /// A run from a model on an autodiff device.
    pub const fn new(model: InfoCon, config: LearnerConfig) -> Self {
        Self {
            optimiser: AdamW::new(config.adam),
            model,
            config,
            step: 0,
            turn: 0,
        }
    }

    /// A run that goes on after `step` steps, of which the last trained the classifier of `turn`.
    pub const fn resume(
        model: InfoCon,
        config: LearnerConfig,
        optimiser: AdamW,
        step: u64,
        turn: usize,
    ) -> Self {
        Self {
            model,
            config,
            optimiser,
            step,
            turn,
        }
    }

    /// The optimiser.
    pub const fn optimiser(&self) -> &AdamW {
        &self.optimiser
    }

    /// The concept whose classifier was trained last.
    pub const fn turn(&self) -> usize {
        self.turn
    }

    /// The model.
    pub const fn model(&self) -> &InfoCon {
        &self.model
    }

    /// The model as it is now, without what training needs.
    pub fn finished(&self) -> InfoCon {
        self.model.valid()
    }

    /// One step on one batch. Prototypes move before the others learn, even at a learning rate of 0.
    ///
    /// # Errors
    /// If the batch does not fit or the loss is not finite; the model is left as it was then.
    pub fn step(&mut self, batch: &DiscoveryBatch) -> Result<LearnerStep, InfoConError> {
        let mut model = self.model.clone();
        model.key_book = model.key_book.with_bounded_radii();
        let at = self.config.first_step + self.step;
        let stage = Stage {
            progress: at as f64 / self.config.steps.max(1) as f64,
            turn: self.turn,
        };
        let discovery = discover(&model, batch, &self.config.objective, stage)?;
        let total = host::values(discovery.total.clone());
        let total = total.first().copied().unwrap_or(f32::NAN);
        if !total.is_finite() {
            return Err(InfoConError::NonFinite(total));
        }
        let gradients = GradientSet::take(&model, discovery.total.backward(), |_| true);
        model.key_book = model.key_book.with_prototypes(&discovery.moved);
        let learning_rate = self.config.learning_rate * self.config.schedule.factor(self.step);
        self.model = self
            .optimiser
            .step(model, gradients.clone(), learning_rate as f32);
        self.step += 1;
        if let Some(goal) = &discovery.goal {
            self.turn = goal.turn;
        }
        Ok(LearnerStep {
            discovery,
            gradients,
            learning_rate,
        })
    }
}
