//! One update of value and representation together, as SPR was published.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::categorical::{QLoss, Step, Support, q_loss, to_categorical};
use super::config::SprConfig;
use super::loss::{PerSample, per_sample};
use super::model::{Sequence, Spr};
use crate::error::LearnError;
use crate::hilp::statistics::{Numbers, host};
use crate::training::gradients::GradientSet;
use crate::training::{AdamW, AdamWConfig};

/// Constants of the updates. The defaults are the authors'.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearnerConfig {
    /// Learning rate of Adam.
    pub learning_rate: f32,
    /// Added to the root of Adam's second moment.
    pub epsilon: f32,
    /// Greatest norm of the gradient of encoder and head, and of that of the transition model.
    pub clip: f32,
    /// Weight of the prediction's loss.
    pub prediction_weight: f32,
    /// Discount of a step.
    pub discount: f32,
    /// Steps from an observation to the one that its return is taken from.
    pub steps: usize,
    /// Atoms.
    pub support: Support,
}

impl Default for LearnerConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            epsilon: 1.5e-4,
            clip: 10.0,
            prediction_weight: 5.0,
            discount: 0.99,
            steps: 10,
            support: Support {
                least: -10.0,
                most: 10.0,
                atoms: 51,
            },
        }
    }
}

/// What a batch of a replay gives.
#[derive(Clone, Debug)]
pub struct ReplayBatch {
    /// Observations and actions.
    pub sequence: Sequence,
    /// What is seen some steps after the first observation, augmented, for the network that learns
    /// and for its copy.
    pub later: [Tensor<4>; 2],
    /// Action, return and end of each row.
    pub steps: Vec<Step>,
    /// Rewards at every latent, per row.
    pub rewards: Vec<Vec<f32>>,
    /// Whether each step ended an episode, per row.
    pub ends: Vec<Vec<bool>>,
    /// Weight of each row.
    pub weights: Vec<f32>,
}

/// What an update did.
#[derive(Clone, Debug)]
pub struct UpdateReport {
    /// Losses before the step and norms of gradients before clipping.
    pub numbers: Numbers,
    /// New priority of each row.
    pub divergence: Vec<f32>,
}

/// A learner.
#[derive(Clone, Debug)]
pub struct SprLearner {
    model: Spr,
    copy: Spr,
    spr: SprConfig,
    config: LearnerConfig,
    optimiser: AdamW,
}

impl SprLearner {
    /// A learner that starts from `model`, which must be on a device with gradients.
    pub fn new(model: Spr, spr: SprConfig, config: LearnerConfig) -> Self {
        let adam = AdamWConfig {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: config.epsilon,
            weight_decay: 0.0,
            decay_linear_only: false,
        };
        Self {
            copy: model.valid(),
            model,
            spr,
            config,
            optimiser: AdamW::new(adam),
        }
    }

    /// The model.
    pub const fn model(&self) -> &Spr {
        &self.model
    }

    /// One update; afterwards the copy that tells returns equals the model.
    ///
    /// # Errors
    /// If a loss or a gradient is not finite; nothing has changed then.
    pub fn update(&mut self, batch: &ReplayBatch) -> Result<UpdateReport, LearnError> {
        let config = &self.config;
        let mut model = self.model.clone();
        let pass = model.train_forward(&batch.sequence, &self.spr);
        let q = self.q_loss(pass.log_probabilities.clone(), batch);
        let device = q.loss.device().inner();
        let weights = Tensor::<1>::from_floats(batch.weights.as_slice(), &device);
        let weighted = |rows: Tensor<1>| (rows * weights.clone()).mean();
        let PerSample { first, predicted } = per_sample(pass.distances, &batch.ends);
        let (first, predicted) = (weighted(first), weighted(predicted));
        let loss = weighted(q.loss);
        let total = loss.clone() + predicted.clone() * config.prediction_weight;
        let rewards = reward_loss(&pass.log_rewards, &batch.rewards);

        let mut numbers = Numbers::default();
        for (name, tensor) in [
            ("rl_loss", &loss),
            ("model_spr", &predicted),
            ("t0_spr", &first),
            ("total", &total),
            ("reward_loss", &weighted(rewards)),
        ] {
            numbers.put(name, &host(tensor.clone()));
        }
        // Noise is no weight.
        let wanted = |key: &str| !key.ends_with("_epsilon");
        let gradients = GradientSet::take(&model, total.backward(), wanted);
        let (dynamics, others) = gradients.split("dynamics_model.");
        let (head, others) = others.split("head.");
        let (conv, others) = others.split("conv.");
        let (stem, stem_norm) = clipped(head.plus(conv), config.clip);
        let (dynamics, dynamics_norm) = clipped(dynamics, config.clip);
        numbers.put("grad_norm_stem", &[stem_norm]);
        numbers.put("grad_norm_dynamics", &[dynamics_norm]);
        if let Some(name) = numbers.not_finite() {
            return Err(LearnError::NonFinite {
                what: "a loss or the gradient",
                objective: format!("spr ({name})"),
            });
        }
        let gradients = stem.plus(dynamics).plus(others);
        self.model = self.optimiser.step(model, gradients, config.learning_rate);
        self.copy = self.model.valid();
        Ok(UpdateReport {
            numbers,
            divergence: q.divergence,
        })
    }

    fn q_loss(&self, log_probabilities: Tensor<3>, batch: &ReplayBatch) -> QLoss {
        let [online, target] = [&self.model.valid(), &self.copy];
        let later = |model: &Spr, images: &Tensor<4>| {
            let latents = model.encode(images.clone(), &self.spr);
            model.log_probabilities(latents, &self.spr)
        };
        let later = [
            later(online, &batch.later[0]),
            later(target, &batch.later[1]),
        ];
        let discount = self.config.discount.powi(self.config.steps as i32);
        let support = &self.config.support;
        q_loss(log_probabilities, later, &batch.steps, support, discount)
    }
}

/// Cross-entropy of the rewards at every latent, the mean over latents, `[batch]`.
fn reward_loss(log_rewards: &[Tensor<2>], rewards: &[Vec<f32>]) -> Tensor<1> {
    let losses = log_rewards.iter().zip(rewards).map(|(predicted, rewards)| {
        let [batch, width] = predicted.dims();
        let shares = TensorData::new(to_categorical(rewards, width / 2), [batch, width]);
        let shares = Tensor::<2>::from_data(shares, &predicted.device().inner());
        -(predicted.clone() * shares).sum_dim(1)
    });
    let joined = Tensor::cat(losses.collect(), 1);
    let [batch, _] = joined.dims();
    joined.mean_dim(1).reshape([batch])
}

/// Gradients of at most the norm `most`, and the norm that they had.
fn clipped(gradients: GradientSet, most: f32) -> (GradientSet, f32) {
    let norm = gradients.norm();
    let factor = most / (norm + 1e-6);
    if factor < 1.0 {
        (gradients.scaled(factor), norm)
    } else {
        (gradients, norm)
    }
}
