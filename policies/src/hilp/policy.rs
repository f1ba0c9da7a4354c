//! HILP at work.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cerebellum_messages::{ActionChunk, Goal, LatentSample, Observation};

use super::Observations;
use super::config::HilpConfig;
use super::inputs::{InputRows, on_device};
use super::load::{Loaded, load};
use super::planning::Midpoints;
use super::prompt::Prompt;
use super::skills;
use super::statistics::host;
use super::variant::Acting;
use crate::checkpoint::package::IN_MEMORY;
use crate::checkpoint::{PolicyPackage, apply};
use crate::error::PolicyError;
use crate::mdt::Statistics;
use crate::policy::{Plan, PlanBudget, Policy, PolicySpec, Weights, latent};

/// Candidates whose φ is computed at once.
const AT_ONCE: usize = 1024;

/// A policy ready to plan. Owns its copy of the weights.
///
/// It decides on one action per observation, which fills the chunk: [`HilpConfig::horizon`].
pub struct HilpPolicy {
    config: HilpConfig,
    spec: PolicySpec,
    statistics: Statistics,
    device: Device,
    acting: Acting,
    weights: Weights,
    candidates: Arc<Vec<f32>>,
    midpoints: Option<Midpoints>,
    /// φ belongs to the weights that made it, so the goal itself is kept too.
    goal: Option<(Goal, Prompt)>,
}

impl HilpPolicy {
    /// A policy from a package, on a device.
    ///
    /// # Errors
    /// If the package is of another family or its weights do not fit the configuration.
    pub fn new(package: &PolicyPackage, device: &Device) -> Result<Self, PolicyError> {
        let device = device.clone().inner();
        let Loaded {
            config,
            statistics,
            acting,
            candidates,
        } = load(package, &device)?;
        let acting = acting.valid();
        Ok(Self {
            spec: config.spec(),
            midpoints: midpoints(&config, &candidates, &acting, &device),
            config,
            statistics,
            device,
            acting,
            weights: package.weights.clone(),
            candidates,
            goal: None,
        })
    }

    fn prompt(&self, goal: &Goal, acting: &Acting) -> Result<Prompt, PolicyError> {
        Prompt::of(goal, &self.config, &self.statistics, acting, &self.device)
    }

    fn latent(&self, observation: &Observation, name: &str, values: Vec<f32>) -> LatentSample {
        latent(observation, self.weights.generation, name, values)
    }
}

/// The action of one row.
pub(super) fn action(
    acting: &Acting,
    rows: Observations,
    skill: Vec<f32>,
    device: &Device,
) -> Vec<f32> {
    let shape = [1, skill.len()];
    let skill = Tensor::from_data(TensorData::new(skill, shape), device);
    host(acting.act(rows, skill))
}

/// φ of all candidates, if midpoints are planned over.
fn midpoints(
    config: &HilpConfig,
    candidates: &[f32],
    acting: &Acting,
    device: &Device,
) -> Option<Midpoints> {
    let planning = config.midpoints?;
    let shape = config.inputs.shape();
    let pieces = candidates.chunks(AT_ONCE * shape.len());
    let phi = pieces.flat_map(|rows| host(acting.phi(on_device(rows.to_vec(), shape, device))));
    let width = config.network.phi_dim();
    let (nearest, recursions) = (planning.nearest, planning.recursions);
    Some(Midpoints::new(phi.collect(), width, nearest, recursions))
}

impl Policy for HilpPolicy {
    fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    fn reset(&mut self, goal: &Goal) -> Result<(), PolicyError> {
        let prompt = self.prompt(goal, &self.acting)?;
        self.goal = Some((goal.clone(), prompt));
        Ok(())
    }

    /// The latents are `phi` of the observation, `skill`, and on the way to a goal `goal` (its φ),
    /// `distance` (to it, in steps as φ has it) and, with midpoints, `midpoint` (the φ that is moved
    /// to). Recursions of midpoint planning stop at the budget's deadline and number of steps.
    fn plan(&mut self, observation: &Observation, budget: PlanBudget) -> Result<Plan, PolicyError> {
        let (goal, prompt) = self.goal.as_ref().ok_or(PolicyError::NoGoal)?;
        let begun = Instant::now();
        let mut rows = InputRows::new(&self.config.inputs, &self.statistics);
        rows.push(observation)?;
        let rows = rows.finish(&self.device);
        let phi = host(self.acting.phi(rows.clone()));
        let encode = begun.elapsed();

        let refining = Instant::now();
        let mut latents = vec![self.latent(observation, "phi", phi.clone())];
        let mut refinements = 0;
        let skill = match prompt {
            Prompt::Along(skill) => skill.clone(),
            Prompt::Towards(far) => {
                let late = || budget.deadline.is_some_and(|end| Instant::now() >= end);
                let mut way = match &self.midpoints {
                    Some(midpoints) => midpoints.plan_while(&phi, far, |done| {
                        done < budget.max_steps as usize && !late()
                    }),
                    None => Vec::new(),
                };
                refinements = way.len() as u32;
                let midpoint = way.pop().map(|midpoint| midpoint.phi);
                latents.push(self.latent(observation, "goal", far.clone()));
                let distance = skills::distance(&phi, far);
                latents.push(self.latent(observation, "distance", vec![distance]));
                let near = midpoint.as_deref().unwrap_or(far);
                let skill = self.config.network.skill(&phi, near);
                latents.extend(midpoint.map(|phi| self.latent(observation, "midpoint", phi)));
                skill
            }
        };
        latents.push(self.latent(observation, "skill", skill.clone()));
        let action = action(&self.acting, rows, skill, &self.device);
        let numbers = latents.iter().flat_map(|latent| &latent.values);
        let finite = numbers.chain(&action).all(|value| value.is_finite());
        if action.len() != self.spec.action_dim || !finite {
            return Err(PolicyError::NonFinite {
                what: "the planned action or φ".into(),
                generation: self.weights.generation,
            });
        }
        Ok(Plan {
            chunk: ActionChunk {
                stamp: observation.stamp,
                observed: observation.tick,
                goal_id: goal.id,
                generation: self.weights.generation,
                denoise_steps: refinements,
                space: self.spec.action_space,
                action_dim: self.spec.action_dim as u32,
                actions: action.repeat(self.spec.horizon),
            },
            latents,
            encode,
            refine: refining.elapsed(),
        })
    }

    fn load(&mut self, weights: &Weights) -> Result<(), PolicyError> {
        let acting = apply(self.acting.clone(), weights, Path::new(IN_MEMORY))?;
        let goal = match &self.goal {
            Some((goal, _)) => Some((goal.clone(), self.prompt(goal, &acting)?)),
            None => None,
        };
        self.midpoints = midpoints(&self.config, &self.candidates, &acting, &self.device);
        self.goal = goal;
        self.acting = acting;
        self.weights = weights.clone();
        Ok(())
    }

    fn weights(&self) -> Weights {
        self.weights.clone()
    }
}
