//! Training of the policy.

use burn::module::Module as _;
use serde::{Deserialize, Serialize};

use super::loss::{CotBatch, CotLosses, losses};
use super::network::Cotpc;
use crate::host;
use crate::infocon::error::InfoConError;
use crate::infocon::learner::{ADAM, RateSchedule};
use crate::training::gradients::GradientSet;
use crate::training::{AdamW, AdamWConfig};

/// Settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CotLearnerConfig {
    /// Weight of the key-state loss.
    pub key_state_weight: f64,
    /// Greatest learning rate.
    pub learning_rate: f64,
    /// How it changes.
    pub schedule: RateSchedule,
    /// Constants of the optimiser.
    pub adam: AdamWConfig,
}

impl CotLearnerConfig {
    /// The settings of the authors' scripts for a run of `steps` steps.
    pub const fn published(steps: u64) -> Self {
        Self {
            key_state_weight: 0.1,
            learning_rate: 1e-3,
            schedule: RateSchedule::WarmCosine {
                warm_up: 1000,
                total: steps,
            },
            adam: ADAM,
        }
    }
}

/// A policy in training.
#[derive(Clone, Debug)]
pub struct CotLearner {
    network: Cotpc,
    config: CotLearnerConfig,
    optimiser: AdamW,
    step: u64,
}

/// What one step saw and did.
#[derive(Clone, Debug)]
pub struct CotStep {
    /// Losses before the step.
    pub losses: CotLosses,
    /// Gradients.
    pub gradients: GradientSet,
    /// Learning rate.
    pub learning_rate: f64,
}

impl CotLearner {
    /// A run from a network on an autodiff device.
    pub const fn new(network: Cotpc, config: CotLearnerConfig) -> Self {
        Self {
            optimiser: AdamW::new(config.adam),
            network,
            config,
            step: 0,
        }
    }

    /// A run that goes on after `step` steps.
    pub const fn resume(
        network: Cotpc,
        config: CotLearnerConfig,
        optimiser: AdamW,
        step: u64,
    ) -> Self {
        Self {
            network,
            config,
            optimiser,
            step,
        }
    }

    /// The optimiser.
    pub const fn optimiser(&self) -> &AdamW {
        &self.optimiser
    }

    /// The network.
    pub const fn network(&self) -> &Cotpc {
        &self.network
    }

    /// The network as it is now, without what training needs.
    pub fn finished(&self) -> Cotpc {
        self.network.valid()
    }

    /// One step on one batch.
    ///
    /// # Errors
    /// If the batch does not fit or the loss is not finite; the network is left as it was then.
    pub fn step(&mut self, batch: &CotBatch) -> Result<CotStep, InfoConError> {
        let losses = losses(&self.network, batch, self.config.key_state_weight)?;
        let total = host::values(losses.total.clone());
        let total = total.first().copied().unwrap_or(f32::NAN);
        if !total.is_finite() {
            return Err(InfoConError::NonFinite(total));
        }
        let gradients = GradientSet::take(&self.network, losses.total.backward(), |_| true);
        let learning_rate = self.config.learning_rate * self.config.schedule.factor(self.step);
        self.network = self.optimiser.step(
            self.network.clone(),
            gradients.clone(),
            learning_rate as f32,
        );
        self.step += 1;
        Ok(CotStep {
            losses,
            gradients,
            learning_rate,
        })
    }
}
