//! MDT at work.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cerebellum_messages::{ActionChunk, Goal, LatentSample, Observation, Tick};

use super::config::MdtConfig;
use super::goals::{GoalVectors, PreparedGoal};
use super::inputs::InputBatch;
use super::load::{Loaded, load};
use super::model::Mdt;
use super::packed::PackedContext;
use super::packed_planner::PackedPlanner;
use super::planning::{Context, Descent, Ladders, Sampled, SeededNoise, encode, sample};
use super::shortcuts::{Shortcuts, moved_on};
use super::statistics::Statistics;
use crate::checkpoint::package::IN_MEMORY;
use crate::checkpoint::{PolicyPackage, apply};
use crate::error::PolicyError;
use crate::host;
use crate::language::SentenceEncoder;
use crate::nn::kernels::Precision;
use crate::policy::{Plan, PlanBudget, Policy, PolicySpec, Weights, latent};

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
    packed: Option<PackedPlanner>,
    shortcuts: Shortcuts,
    last: Option<LastPlan>,
}

/// The last plan towards the goal in force.
struct LastPlan {
    observed: Tick,
    actions: Vec<f32>,
}

/// What one observation's chunk is denoised with.
enum Encoding {
    Packed(PackedContext),
    Composed(Context),
}

/// A picture's vector belongs to the weights that encoded it, so the goal itself is kept too.
struct ActiveGoal {
    goal: Goal,
    prepared: PreparedGoal,
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
        let model = model.valid();
        Ok(Self {
            spec: config.spec(),
            config,
            statistics,
            device,
            packed: PackedPlanner::new(model.denoiser(), Precision::default()),
            shortcuts: Shortcuts::default(),
            last: None,
            model,
            weights: package.weights.clone(),
            goals,
            goal: None,
            ladders: Ladders::default(),
        })
    }

    /// The policy, planning with shortcuts.
    ///
    /// # Errors
    /// If a number of theirs is out of range.
    pub fn with_shortcuts(mut self, shortcuts: Shortcuts) -> Result<Self, PolicyError> {
        shortcuts.check(&self.config.diffusion)?;
        if shortcuts.precision != self.shortcuts.precision {
            self.packed = PackedPlanner::new(self.model.denoiser(), shortcuts.precision);
        }
        self.shortcuts = shortcuts;
        Ok(self)
    }

    /// What is left of the last plan at a tick, as a guess of the next one.
    fn guess(&self, observed: Tick) -> Option<Tensor<3>> {
        self.shortcuts.warm_start?;
        let last = self.last.as_ref()?;
        let ticks = observed.0.checked_sub(last.observed.0)?;
        let ticks = usize::try_from(ticks).ok()?;
        let left = moved_on(&last.actions, self.spec.action_dim, ticks)?;
        let shape = [1, self.spec.horizon, self.spec.action_dim];
        Some(Tensor::from_data(
            TensorData::new(left, shape),
            &self.device,
        ))
    }

    /// Denoises a chunk.
    fn refine(
        &mut self,
        encoding: &Encoding,
        observed: Tick,
        budget: PlanBudget,
    ) -> Result<Sampled, PolicyError> {
        let guess = self.guess(observed);
        let diffusion = match (&guess, self.shortcuts.warm_start) {
            (Some(_), Some(warm)) => warm.diffusion(&self.config.diffusion),
            _ => self.config.diffusion.clone(),
        };
        let steps = diffusion.steps.min(budget.max_steps.max(1) as usize);
        let shape = [self.spec.horizon, self.spec.action_dim];
        let descent = Descent {
            noise: SeededNoise::new(&[budget.seed], shape, &self.device),
            guess,
            deadline: budget.deadline,
        };
        let denoiser = self.model.denoiser();
        match (encoding, &mut self.packed) {
            (Encoding::Packed(context), Some(packed)) => {
                packed.sample(denoiser, &diffusion, steps, context, descent)
            }
            (Encoding::Composed(context), _) => {
                let ladder = self.ladders.get(denoiser, &diffusion, steps, &self.device);
                sample(denoiser, &diffusion, ladder, context, descent)
            }
            (Encoding::Packed(_), None) => Err(PolicyError::Device {
                device: format!("{:?}", self.device),
                reason: "an observation was encoded for a packed network that is gone".into(),
            }),
        }
    }

    fn latent(&self, observation: &Observation, name: &str, tensor: Tensor<3>) -> LatentSample {
        let shape = tensor.dims();
        LatentSample {
            shape: shape.iter().skip(1).map(|&size| size as u32).collect(),
            ..latent(
                observation,
                self.weights.generation,
                name,
                host::values(tensor),
            )
        }
    }
}

impl Policy for MdtPolicy {
    fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    fn reset(&mut self, goal: &Goal) -> Result<(), PolicyError> {
        let prepared = self.goals.prepare(goal, &self.model, &self.device)?;
        self.goal = Some(ActiveGoal {
            goal: goal.clone(),
            prepared,
        });
        self.last = None;
        Ok(())
    }

    fn plan(&mut self, observation: &Observation, budget: PlanBudget) -> Result<Plan, PolicyError> {
        let goal = self.goal.as_ref().ok_or(PolicyError::NoGoal)?;
        let goal_id = goal.goal.id;
        let begun = Instant::now();
        let mut batch = InputBatch::new(&self.config, &self.statistics);
        let vector = self
            .goals
            .vector(&goal.prepared, observation, &self.model, &self.device)?;
        batch.push(observation, &vector)?;
        let inputs = batch.finish(&self.device);
        let (output, encoding) = match &mut self.packed {
            Some(packed) => {
                let (output, context) = packed.encode(&self.model, &inputs);
                (Some(output), Encoding::Packed(context))
            }
            None => {
                let encoded = encode(&self.model, &inputs);
                (encoded.output, Encoding::Composed(encoded.context))
            }
        };
        let goal_token = self.model.denoiser().goal_emb.forward(inputs.goal);
        let mut latents = vec![self.latent(observation, "goal", goal_token.unsqueeze_dim(1))];
        if let Some(output) = output {
            // Reading the context back also waits for it, so that the two times are told apart.
            latents.push(self.latent(observation, "context", output));
        }
        let encode_time = begun.elapsed();

        let refining = Instant::now();
        let shape = [self.spec.horizon, self.spec.action_dim];
        let sampled = self.refine(&encoding, observation.tick, budget)?;
        let actions = host::values(sampled.actions);
        if actions.len() != shape[0] * shape[1] || actions.iter().any(|value| !value.is_finite()) {
            return Err(PolicyError::NonFinite {
                what: "the planned chunk".into(),
                generation: self.weights.generation,
            });
        }
        self.last = self.shortcuts.warm_start.map(|_| LastPlan {
            observed: observation.tick,
            actions: actions.clone(),
        });
        Ok(Plan {
            chunk: ActionChunk {
                stamp: observation.stamp,
                observed: observation.tick,
                goal_id,
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
            active.prepared = self.goals.prepare(&active.goal, &model, &self.device)?;
        }
        self.model = model;
        self.weights = weights.clone();
        self.ladders = Ladders::default();
        self.packed = PackedPlanner::new(self.model.denoiser(), self.shortcuts.precision);
        Ok(())
    }

    fn weights(&self) -> Weights {
        self.weights.clone()
    }
}
