//! InfoCon at work: one task, by key states that were discovered, or a sequence of its concepts.

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use cerebellum_messages::{ActionChunk, Goal, LatentSample, Observation, Tick};

use super::cotpc::Rollout;
use super::error::InfoConError;
use super::policy_config::{InfoConNetworks, InfoConPolicyConfig};
use super::sequence::ConceptSequence;
use super::tracker::ConceptTracker;
use crate::checkpoint::package::{IN_MEMORY, Network};
use crate::checkpoint::{PolicyPackage, apply};
use crate::error::PolicyError;
use crate::mdt::Statistics;
use crate::mdt::inputs::robot_state;
use crate::policy::{Plan, PlanBudget, Policy, PolicySpec, Weights, latent};

/// A policy ready to plan. Owns its copy of the weights.
///
/// A goal names concepts in order. The order of the demonstrations
/// ([`InfoConPolicyConfig::order`]) is the task: the transformer acts on its own predictions of the
/// key states. Any other order is followed concept by concept, by the action network that discovery
/// trained, each until it has been complete for a while ([`ConceptSequence`]).
///
/// The history holds one state per tick: it is to be planned at every tick. After a gap the last
/// action stands for those between.
pub struct InfoConPolicy {
    config: InfoConPolicyConfig,
    spec: PolicySpec,
    statistics: Statistics,
    device: Device,
    networks: InfoConNetworks,
    weights: Weights,
    tracker: ConceptTracker,
    rollout: Rollout,
    seen: Option<Tick>,
    planned: Option<Plan>,
    /// The action that was decided on last, and before that those that may not have begun yet.
    decided: Vec<Vec<f32>>,
    goal: Option<(u64, Way)>,
}

/// How a goal is reached.
enum Way {
    Task,
    Composed(ConceptSequence),
}

/// The networks of a package on a device, with what belongs to them.
///
/// # Errors
/// If the package is of another family or its weights do not fit the configuration.
pub(super) fn load(
    package: &PolicyPackage,
    device: &Device,
) -> Result<(InfoConPolicyConfig, Statistics, InfoConNetworks), PolicyError> {
    let Network::InfoCon { config, statistics } = &package.network else {
        return Err(package.network.refuse("infocon"));
    };
    let fresh = InfoConNetworks::new(config, device).map_err(unusable)?;
    let networks = apply(fresh, &package.weights, Path::new(IN_MEMORY))?;
    Ok(((**config).clone(), statistics.clone(), networks))
}

/// The normalised state of an observation.
///
/// # Errors
/// If a part is missing, of another width or not finite.
pub fn state(
    observation: &Observation,
    world: usize,
    statistics: &Statistics,
) -> Result<Vec<f32>, PolicyError> {
    let mut raw = robot_state(observation)?;
    if observation.world.is_empty() && world > 0 {
        return Err(PolicyError::MissingInput {
            what: "true state of the world".into(),
            needed: format!(
                "{world} numbers that only the embedded world gives (`cerebellum eval`), beside \
                 joints and tool pose"
            ),
        });
    }
    let finite = observation.world.iter().all(|value| value.is_finite());
    if observation.world.len() != world || !finite {
        return Err(PolicyError::InputShape {
            what: "the true state of the world".into(),
            expected: format!("{world} finite numbers"),
            found: format!("{} numbers", observation.world.len()),
            advice: "run the policy in the world that it was trained in".into(),
        });
    }
    raw.extend_from_slice(&observation.world);
    let mut state = Vec::with_capacity(raw.len());
    statistics.normalise(&raw, &mut state);
    Ok(state)
}

/// An error of a model that was checked before it was built.
pub(super) fn unusable(error: InfoConError) -> PolicyError {
    PolicyError::InputShape {
        what: "the model".into(),
        expected: "sizes and inputs that go together".into(),
        found: error.to_string(),
        advice: "check the package's configuration".into(),
    }
}

impl InfoConPolicy {
    /// A policy from a package, on a device.
    ///
    /// # Errors
    /// If the package is of another family or its weights do not fit the configuration.
    pub fn new(package: &PolicyPackage, device: &Device) -> Result<Self, PolicyError> {
        let device = device.clone().inner();
        let (config, statistics, networks) = load(package, &device)?;
        let networks = networks.valid();
        Ok(Self {
            spec: config.spec(),
            tracker: tracker(&config, &networks, &device)?,
            rollout: Rollout::new(config.policy.clone()),
            config,
            statistics,
            device,
            networks,
            weights: package.weights.clone(),
            seen: None,
            planned: None,
            decided: Vec::new(),
            goal: None,
        })
    }

    fn forget(&mut self) {
        self.tracker.reset();
        self.rollout = Rollout::new(self.config.policy.clone());
        self.seen = None;
        self.decided.clear();
        self.planned = None;
    }

    fn see(&mut self, observation: &Observation) -> Result<(), PolicyError> {
        let state = state(observation, self.config.world, &self.statistics)?;
        match self.seen {
            Some(tick) if tick == observation.tick => return Ok(()),
            Some(tick) if tick > observation.tick => self.forget(),
            _ => {}
        }
        let action = self.decided.last().map(Vec::as_slice);
        self.rollout.push(action, &state).map_err(unusable)?;
        self.tracker.push(action, &state).map_err(unusable)?;
        self.seen = Some(observation.tick);
        self.planned = None;
        Ok(())
    }
}

fn tracker(
    config: &InfoConPolicyConfig,
    networks: &InfoConNetworks,
    device: &Device,
) -> Result<ConceptTracker, PolicyError> {
    let (model, sizes) = (networks.discovery.clone(), config.discovery.clone());
    ConceptTracker::new(model, sizes, config.expected_steps, device).map_err(unusable)
}

impl Policy for InfoConPolicy {
    fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    fn reset(&mut self, goal: &Goal) -> Result<(), PolicyError> {
        let concepts = self.config.discovery.concepts;
        let sequence = ConceptSequence::from_goal(goal, concepts, &self.config.name)?;
        let order = self.config.order.iter().map(|&id| id as usize);
        let way = if sequence.ids().iter().copied().eq(order) {
            Way::Task
        } else {
            Way::Composed(sequence)
        };
        self.forget();
        self.goal = Some((goal.id, way));
        Ok(())
    }

    /// The latents are those of [`super::ConceptReading::latents`] and `key_states`, what the
    /// transformer expects the key states of the whole task to be. There is nothing to refine, so
    /// the budget does not matter.
    fn plan(&mut self, observation: &Observation, _: PlanBudget) -> Result<Plan, PolicyError> {
        let begun = Instant::now();
        if self.goal.is_none() {
            return Err(PolicyError::NoGoal);
        }
        self.see(observation)?;
        // A tick that was planned before gets the same plan.
        if let Some(plan) = self.planned.clone() {
            return Ok(plan);
        }
        let Some((goal_id, way)) = &mut self.goal else {
            return Err(PolicyError::NoGoal);
        };
        let generation = self.weights.generation;
        let asked = match way {
            Way::Task => None,
            Way::Composed(sequence) => Some(sequence.current()),
        };
        let reading = self.tracker.read(asked).map_err(unusable)?;
        let mut latents = reading.latents(observation, generation);
        let action = match way {
            Way::Task => {
                let decision = self.rollout.decide(&self.networks.policy, &self.device);
                let decision = decision.map_err(unusable)?;
                if !decision.key_states.is_empty() {
                    let width = self.config.state_dim().max(1);
                    let shape = vec![(decision.key_states.len() / width) as u32, width as u32];
                    latents.push(LatentSample {
                        shape,
                        ..latent(observation, generation, "key_states", decision.key_states)
                    });
                }
                decision.action
            }
            Way::Composed(sequence) => {
                sequence.advance(reading.completion);
                reading.action
            }
        };
        let numbers = latents.iter().flat_map(|latent| &latent.values);
        let finite = numbers.chain(&action).all(|value| value.is_finite());
        if action.len() != self.spec.action_dim || !finite {
            return Err(PolicyError::NonFinite {
                what: "the planned action or a concept".into(),
                generation,
            });
        }
        // What leaves the range of the demonstrations' actions is cut, as the robot would do it.
        let action = action.iter().map(|value| value.clamp(-1.0, 1.0));
        let action = action.collect::<Vec<_>>();
        // Actions of the ticks until this one can begin were decided on before.
        let delay = self.config.delay;
        self.decided.push(action);
        let late = self.decided.len().saturating_sub(delay + 1);
        self.decided.drain(..late);
        let rows = (0..self.spec.horizon).map(|index| {
            let newest = self.decided.len() - 1;
            &self.decided[(index + newest).saturating_sub(delay).min(newest)]
        });
        let actions = rows.flatten().copied().collect();
        let plan = Plan {
            chunk: ActionChunk {
                stamp: observation.stamp,
                observed: observation.tick,
                goal_id: *goal_id,
                generation,
                denoise_steps: 0,
                space: self.spec.action_space,
                action_dim: self.spec.action_dim as u32,
                actions,
            },
            latents,
            encode: begun.elapsed(),
            refine: std::time::Duration::ZERO,
        };
        self.planned = Some(plan.clone());
        Ok(plan)
    }

    /// The episode goes on with its history.
    fn load(&mut self, weights: &Weights) -> Result<(), PolicyError> {
        let networks = apply(self.networks.clone(), weights, Path::new(IN_MEMORY))?;
        self.tracker = self.tracker.with_model(networks.discovery.clone());
        self.networks = networks;
        // The present tick is decided on anew.
        if self.planned.take().is_some() {
            self.decided.pop();
        }
        self.weights = weights.clone();
        Ok(())
    }

    fn weights(&self) -> Weights {
        self.weights.clone()
    }
}
