//! MDT at work.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cerebellum_messages::{ActionChunk, Goal, GoalSpec, LatentSample, Observation};

use super::config::MdtConfig;
use super::inputs::InputBatch;
use super::model::Mdt;
use super::planning::{Ladders, encode, sample, starting_noise};
use super::statistics::Statistics;
use crate::checkpoint::package::Network;
use crate::checkpoint::{PolicyPackage, apply};
use crate::error::PolicyError;
use crate::host;
use crate::language::SentenceEncoder;
use crate::policy::{Plan, PlanBudget, Policy, PolicySpec, Weights};

/// Named in errors about weights that come from the learner and not from a file.
pub(crate) const IN_MEMORY: &str = "weights in memory";

/// Instructions remembered: far more than a robot is given, and a bound for one that is given
/// another every moment.
const MAX_KNOWN: usize = 1024;

/// Instructions to goal vectors, each encoded once.
#[derive(Clone)]
pub(crate) struct GoalVectors {
    encoder: Arc<dyn SentenceEncoder>,
    known: BTreeMap<String, Vec<f32>>,
    policy: String,
}

impl GoalVectors {
    /// `trained_with` names the encoder of training; empty if unknown.
    pub(crate) fn new(
        encoder: Arc<dyn SentenceEncoder>,
        config: &MdtConfig,
        trained_with: &str,
    ) -> Result<Self, PolicyError> {
        if !trained_with.is_empty() && trained_with != encoder.name() {
            return Err(PolicyError::InputShape {
                what: "sentence encoder".into(),
                expected: trained_with.into(),
                found: encoder.name().into(),
                advice: "use the sentence encoder that the policy was trained with".into(),
            });
        }
        if encoder.dim() != config.denoiser.goal_dim {
            return Err(PolicyError::InputShape {
                what: "sentence vector".into(),
                expected: format!("{} numbers", config.denoiser.goal_dim),
                found: format!("{} numbers", encoder.dim()),
                advice: "use the sentence encoder that the policy was trained with".into(),
            });
        }
        Ok(Self {
            encoder,
            known: BTreeMap::new(),
            policy: config.name.clone(),
        })
    }

    pub(crate) fn get(&mut self, goal: &Goal) -> Result<&[f32], PolicyError> {
        let GoalSpec::Language { text } = &goal.spec else {
            return Err(PolicyError::GoalKind {
                policy: self.policy.clone(),
                accepted: vec![cerebellum_messages::GoalKind::Language],
                found: goal.kind(),
            });
        };
        if !self.known.contains_key(text) {
            if self.known.len() >= MAX_KNOWN {
                self.known.clear();
            }
            let vector = self.encoder.encode(text)?;
            self.known.insert(text.clone(), vector);
        }
        Ok(self.known.get(text).map_or(&[], Vec::as_slice))
    }
}

/// A policy ready to plan. Owns its copy of the weights.
pub struct MdtPolicy {
    config: MdtConfig,
    spec: PolicySpec,
    statistics: Statistics,
    device: Device,
    model: Mdt,
    weights: Weights,
    goals: GoalVectors,
    goal: Option<ActiveGoal>,
    ladders: Ladders,
}

struct ActiveGoal {
    id: u64,
    vector: Vec<f32>,
}

impl MdtPolicy {
    /// A policy from a package, on a device.
    ///
    /// # Errors
    /// If the weights do not fit the configuration or the sentence encoder has another width.
    pub fn new(
        package: &PolicyPackage,
        language: Arc<dyn SentenceEncoder>,
        device: &Device,
    ) -> Result<Self, PolicyError> {
        let Network::Mdt { config, statistics } = &package.network;
        let device = device.clone().inner();
        let goals = GoalVectors::new(language, config, &package.language)?;
        let model = apply(
            Mdt::new(config, &device),
            &package.weights,
            Path::new(IN_MEMORY),
        )?;
        Ok(Self {
            spec: config.spec(),
            config: (**config).clone(),
            statistics: statistics.clone(),
            device,
            model: model.valid(),
            weights: package.weights.clone(),
            goals,
            goal: None,
            ladders: Ladders::default(),
        })
    }

    fn latent(&self, observation: &Observation, name: &str, tensor: Tensor<3>) -> LatentSample {
        let shape = tensor.dims();
        LatentSample {
            stamp: observation.stamp,
            tick: observation.tick,
            generation: self.weights.generation,
            name: name.into(),
            shape: shape.iter().skip(1).map(|&size| size as u32).collect(),
            values: host::values(tensor),
        }
    }
}

impl Policy for MdtPolicy {
    fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    fn reset(&mut self, goal: &Goal) -> Result<(), PolicyError> {
        let vector = self.goals.get(goal)?.to_vec();
        self.goal = Some(ActiveGoal {
            id: goal.id,
            vector,
        });
        Ok(())
    }

    fn plan(&mut self, observation: &Observation, budget: PlanBudget) -> Result<Plan, PolicyError> {
        let goal = self.goal.as_ref().ok_or(PolicyError::NoGoal)?;
        let begun = Instant::now();
        let mut batch = InputBatch::new(&self.config, &self.statistics);
        batch.push(observation, &goal.vector)?;
        let inputs = batch.finish(&self.device);
        let encoded = encode(&self.model, &inputs);
        let goal_token = self.model.denoiser().goal_emb.forward(inputs.goal);
        let mut latents = vec![self.latent(observation, "goal", goal_token.unsqueeze_dim(1))];
        if let Some(output) = encoded.output.clone() {
            // Reading the context back also waits for it, so that the two times are told apart.
            latents.push(self.latent(observation, "context", output));
        }
        let encode_time = begun.elapsed();

        let refining = Instant::now();
        let diffusion = &self.config.diffusion;
        let steps = diffusion.steps.min(budget.max_steps.max(1) as usize);
        let ladder = self
            .ladders
            .get(self.model.denoiser(), diffusion, steps, &self.device);
        let shape = [self.spec.horizon, self.spec.action_dim];
        let start = starting_noise(&[budget.seed], diffusion.sigma_max, shape, &self.device);
        let sampled = sample(
            self.model.denoiser(),
            diffusion,
            ladder,
            &encoded.context,
            start,
            budget.deadline,
        )?;
        let actions = host::values(sampled.actions);
        if actions.len() != shape[0] * shape[1] || actions.iter().any(|value| !value.is_finite()) {
            return Err(PolicyError::NonFinite {
                what: "the planned chunk".into(),
                generation: self.weights.generation,
            });
        }
        Ok(Plan {
            chunk: ActionChunk {
                stamp: observation.stamp,
                observed: observation.tick,
                goal_id: goal.id,
                generation: self.weights.generation,
                denoise_steps: sampled.steps,
                space: self.spec.action_space,
                action_dim: self.spec.action_dim as u32,
                actions,
            },
            latents,
            encode: encode_time,
            refine: refining.elapsed(),
        })
    }

    fn load(&mut self, weights: &Weights) -> Result<(), PolicyError> {
        self.model = apply(self.model.clone(), weights, Path::new(IN_MEMORY))?;
        self.weights = weights.clone();
        self.ladders = Ladders::default();
        Ok(())
    }

    fn weights(&self) -> Weights {
        self.weights.clone()
    }
}
