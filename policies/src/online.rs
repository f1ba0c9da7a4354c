//! The seam that the learner sees: self-supervised updates from recent experience.

use std::time::Duration;

use cerebellum_messages::{Goal, Observation};
use serde::{Deserialize, Serialize};

use crate::error::LearnError;
use crate::policy::Weights;

/// Names one objective of a model, for example `mgf`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectiveId(pub String);

/// What an objective needs of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveSpec {
    /// Its name.
    pub id: ObjectiveId,
    /// How many ticks after an anchor the experience must reach (0: the anchor alone).
    pub lookahead: u32,
    /// One sentence and the source (paper, equation).
    pub about: String,
}

/// One moment of experience as the replay buffer gives it.
#[derive(Clone, Debug)]
pub struct Experience {
    /// The anchor.
    pub observation: Observation,
    /// The observation `lookahead` ticks later.
    pub future: Observation,
    /// Actions executed at the anchor and the ticks after it (policy action space, row-major);
    /// as many whole actions as the window holds, at least `lookahead`.
    pub actions: Vec<f32>,
    /// Goal in force at the anchor.
    pub goal: Goal,
}

/// A batch of moments.
#[derive(Clone, Debug, Default)]
pub struct ExperienceBatch {
    /// The moments.
    pub moments: Vec<Experience>,
    /// Seed of all randomness of the step (masks, noise), so that a run can be repeated.
    pub seed: u64,
}

/// What one update did.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Loss on the batch before the update.
    pub loss: f32,
    /// Norm of the gradient over all trained tensors.
    pub grad_norm: f32,
    /// Wall time.
    pub elapsed: Duration,
}

/// What an evaluation found.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationReport {
    /// Loss per moment, in the order of the batch: the gate compares candidates in pairs.
    pub losses: Vec<f32>,
    /// A deterministic plan per moment (fixed noise), row-major actions: the gate's trust region.
    pub actions: Vec<Vec<f32>>,
}

/// What the learner needs of a model. Called from the learner's thread only.
pub trait OnlineModel: Send {
    /// Objectives that the model can follow.
    fn objectives(&self) -> Vec<ObjectiveSpec>;

    /// One optimizer step of one objective on the shadow copy.
    ///
    /// # Errors
    /// If the batch lacks what the objective needs, or the loss is not finite (the weights are
    /// left as they were).
    fn step(
        &mut self,
        batch: &ExperienceBatch,
        objective: &ObjectiveId,
    ) -> Result<StepReport, LearnError>;

    /// Losses and plans of the given weights on a batch, without learning. The same batch and seed
    /// give the same masks and noise whatever the weights.
    ///
    /// # Errors
    /// As for [`OnlineModel::step`].
    fn evaluate(
        &self,
        weights: &Weights,
        batch: &ExperienceBatch,
        objective: &ObjectiveId,
    ) -> Result<EvaluationReport, LearnError>;

    /// The shadow copy's weights (their moving average, where one is kept).
    fn snapshot(&self) -> Weights;

    /// Makes the shadow copy equal to `weights` and forgets the optimizer's moments.
    ///
    /// # Errors
    /// If the tensors do not fit.
    fn restore(&mut self, weights: &Weights) -> Result<(), LearnError>;
}
