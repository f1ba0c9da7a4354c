//! The copy of a network that learns on the robot beside the one that acts.

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Tensor;

use super::adamw::{AdamW, AdamWConfig};
use super::average::Average;
use super::gradients::GradientSet;
use crate::checkpoint::apply;
use crate::checkpoint::package::IN_MEMORY;
use crate::error::{LearnError, PolicyError};
use crate::online::{ObjectiveId, StepReport};
use crate::policy::Weights;

/// How a step is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace<'a> {
    /// Learning rate.
    pub(crate) learning_rate: f32,
    /// Greatest norm of the gradient.
    pub(crate) clip: f32,
    /// Decay of the moving average.
    pub(crate) average_decay: f32,
    /// Beginnings of the keys of tensors that learn.
    pub(crate) trained: &'a [String],
}

/// A network with gradients, its optimiser, and the moving average that candidates are taken from.
pub(crate) struct Shadow<M> {
    model: M,
    adamw: AdamWConfig,
    optimiser: AdamW,
    average: Average,
    generation: u64,
}

impl<M: Module> Shadow<M> {
    /// A copy that begins with `model`, of a generation of weights.
    pub(crate) fn new(model: M, adamw: AdamWConfig, generation: u64) -> Self {
        Self {
            average: Average::of(&model),
            optimiser: AdamW::new(adamw),
            model,
            adamw,
            generation,
        }
    }

    /// The network as it stands.
    pub(crate) const fn model(&self) -> &M {
        &self.model
    }

    /// One step down the mean of `losses`, which the network gave for an objective since `begun`.
    ///
    /// # Errors
    /// If the loss or the gradient is not finite; nothing has changed then.
    pub(crate) fn step(
        &mut self,
        losses: Tensor<1>,
        pace: Pace<'_>,
        objective: &ObjectiveId,
        begun: Instant,
    ) -> Result<StepReport, LearnError> {
        let refuse = |what| not_finite(what, objective);
        let total = losses.mean();
        let loss = total.clone().try_into_scalar::<f32>().unwrap_or(f32::NAN);
        if !loss.is_finite() {
            return Err(refuse("loss"));
        }
        let gradients = GradientSet::take(&self.model, total.backward(), |key| {
            pace.trained.iter().any(|start| key.starts_with(start))
        });
        let grad_norm = gradients.norm();
        if !grad_norm.is_finite() {
            return Err(refuse("gradient"));
        }
        let gradients = if grad_norm > pace.clip {
            gradients.scaled(pace.clip / grad_norm)
        } else {
            gradients
        };
        let rate = pace.learning_rate;
        self.model = self.optimiser.step(self.model.clone(), gradients, rate);
        self.average.update(&self.model, pace.average_decay);
        Ok(StepReport {
            loss,
            grad_norm,
            elapsed: begun.elapsed(),
        })
    }

    /// The network with other weights, without gradients.
    ///
    /// # Errors
    /// If the tensors do not fit.
    pub(crate) fn candidate(&self, weights: &Weights) -> Result<M, LearnError> {
        Ok(apply(self.model.valid(), weights, Path::new(IN_MEMORY)).map_err(PolicyError::from)?)
    }

    /// The moving average.
    pub(crate) fn snapshot(&self) -> Weights {
        self.average.weights(self.generation)
    }

    /// Begins anew with `weights`.
    ///
    /// # Errors
    /// If the tensors do not fit; nothing has changed then.
    pub(crate) fn restore(&mut self, weights: &Weights) -> Result<(), LearnError> {
        let model =
            apply(self.model.clone(), weights, Path::new(IN_MEMORY)).map_err(PolicyError::from)?;
        *self = Self::new(model, self.adamw, weights.generation);
        Ok(())
    }
}

/// The refusal of a step or a candidate whose `what` is not finite.
pub(crate) fn not_finite(what: &'static str, objective: &ObjectiveId) -> LearnError {
    LearnError::NonFinite {
        what,
        objective: objective.0.clone(),
    }
}
