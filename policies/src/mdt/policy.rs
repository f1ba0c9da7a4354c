//! MDT at work.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cerebellum_messages::{ActionChunk, Goal, LatentSample, Observation};

use super::config::MdtConfig;
use super::goals::GoalVectors;
use super::inputs::{GoalVector, InputBatch};
use super::load::{IN_MEMORY, Loaded, load};
use super::model::Mdt;
use super::planning::{Ladders, SeededNoise, encode, sample};
use super::statistics::Statistics;
use crate::checkpoint::{PolicyPackage, apply};
use crate::error::PolicyError;
use crate::host;
use crate::language::SentenceEncoder;
use crate::policy::{Plan, PlanBudget, Policy, PolicySpec, Weights};

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

/// A picture's vector belongs to the weights that encoded it, so the goal itself is kept too.
struct ActiveGoal {
    goal: Goal,
    vector: GoalVector,
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
        let device = device.clone().inner();
        let Loaded {
            config,
            statistics,
            model,
            goals,
        } = load(package, language, &device)?;
        Ok(Self {
            spec: config.spec(),
            config,
            statistics,
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
        let vector = self.goals.get(goal, &self.model, &self.device)?;
        self.goal = Some(ActiveGoal {
            goal: goal.clone(),
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
        let noise = SeededNoise::new(&[budget.seed], shape, &self.device);
        let sampled = sample(
            self.model.denoiser(),
            diffusion,
            ladder,
            &encoded.context,
            noise,
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
                goal_id: goal.goal.id,
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
        let model = apply(self.model.clone(), weights, Path::new(IN_MEMORY))?;
        if let Some(active) = &mut self.goal {
            active.vector = self.goals.get(&active.goal, &model, &self.device)?;
        }
        self.model = model;
        self.weights = weights.clone();
        self.ladders = Ladders::default();
        Ok(())
    }

    fn weights(&self) -> Weights {
        self.weights.clone()
    }
}
