//! GRIF at work: towards a sentence or a picture, and what the change seen so far is called.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cerebellum_messages::{ActionChunk, Goal, GoalSpec, LatentSample, Observation};

use super::config::Modality;
use super::inputs::{Ears, Eyes, stacked};
use super::model::{Grif, Learning, Scene};
use super::policy_config::GrifPolicyConfig;
use super::resnet::Features;
use super::task_encoder::{Picture, TaskInput};
use super::unit_length;
use crate::checkpoint::package::{IN_MEMORY, Network};
use crate::checkpoint::{PolicyPackage, apply};
use crate::error::PolicyError;
use crate::host;
use crate::language::SentenceEncoder;
use crate::mdt::Statistics;
use crate::mdt::inputs::{robot_state, square_pixels};
use crate::policy::{Plan, PlanBudget, Policy, PolicySpec, Weights, latent};

/// A policy ready to plan. Owns its copy of the weights.
///
/// A task is the change from what is seen when its goal is set, the scene's first picture, to the
/// goal. It is encoded once and kept until the goal or the weights change.
pub struct GrifPolicy {
    config: GrifPolicyConfig,
    spec: PolicySpec,
    statistics: Statistics,
    device: Device,
    model: Grif,
    weights: Weights,
    eyes: Eyes,
    ears: Ears,
    /// Unit representations of the known instructions, `[instructions, width]`.
    known: Option<Tensor<2>>,
    goal: Option<ActiveGoal>,
}

struct ActiveGoal {
    id: u64,
    task: TaskInput,
    modality: Modality,
    first: Option<Picture>,
    representation: Option<Features>,
}

impl GrifPolicy {
    /// A policy from a package, on a device.
    ///
    /// # Errors
    /// If the package is of another family, its weights do not fit the configuration or the
    /// sentence encoder is another one than that of training.
    pub fn new(
        package: &PolicyPackage,
        language: Arc<dyn SentenceEncoder>,
        device: &Device,
    ) -> Result<Self, PolicyError> {
        let Network::Grif { config, statistics } = &package.network else {
            return Err(package.network.refuse("grif"));
        };
        if !package.language.is_empty() && package.language != language.name() {
            return Err(PolicyError::InputShape {
                what: "sentence encoder".into(),
                expected: package.language.clone(),
                found: language.name().into(),
                advice: "use the sentence encoder that the policy was trained with".into(),
            });
        }
        let device = device.clone().inner();
        let fresh = Grif::new(&config.network, &device);
        let model = apply(fresh, &package.weights, Path::new(IN_MEMORY))?.valid();
        let mut policy = Self {
            spec: config.spec(),
            statistics: statistics.clone(),
            eyes: Eyes::of(&config.network),
            ears: Ears::of(&config.network, language)?,
            config: (**config).clone(),
            device,
            model,
            weights: package.weights.clone(),
            known: None,
            goal: None,
        };
        policy.known = policy.named()?;
        Ok(policy)
    }

    /// Representations of the known instructions that need no picture; none if there are no
    /// instructions or they need one.
    fn named(&self) -> Result<Option<Tensor<2>>, PolicyError> {
        let maps = |config: Option<&super::task_encoder::TaskEncoderConfig>| {
            config.is_none_or(|config| config.width().is_none())
        };
        let network = &self.config.network;
        let [images, sentences] = [Modality::Image, Modality::Language]
            .map(|modality| maps(network.task_encoder(modality)));
        if self.config.instructions.is_empty() || images || sentences || network.share_encoders {
            return Ok(None);
        }
        let blank = vec![0u8; 3 * self.config.side() * self.config.side()];
        let blank = self.eyes.picture(&[blank], &self.device);
        let scene = Scene {
            now: blank.clone(),
            first: blank,
            proprioception: None,
        };
        let rows = self.config.instructions.iter().map(|instruction| {
            let task = self.ears.task(instruction, &self.device)?;
            let features = self.model.task(&scene, &task, Modality::Language)?;
            Ok(unit_length(features.flat()))
        });
        let rows = rows.collect::<Result<Vec<_>, PolicyError>>()?;
        Ok(Some(Tensor::cat(rows, 0)))
    }

    fn scene(&self, observation: &Observation, first: Picture) -> Result<Scene, PolicyError> {
        let side = self.config.side();
        let pictures = self.config.cameras.iter();
        let pictures = pictures.map(|camera| square_pixels(observation, camera, side));
        let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
        let mut values = Vec::with_capacity(pictures.len() * 3 * side * side);
        stacked(&pictures, &mut values);
        let proprioception = match self.config.network.proprioception {
            0 => None,
            width => {
                let mut state = Vec::with_capacity(width);
                self.statistics
                    .normalise(&robot_state(observation)?, &mut state);
                let state = TensorData::new(state, [1, width]);
                Some(Tensor::from_data(state, &self.device))
            }
        };
        Ok(Scene {
            now: Picture {
                bytes: self.eyes.bytes(values, 1, &self.device),
                normal: None,
            },
            first,
            proprioception,
        })
    }

    /// The camera of goal pictures.
    fn look(&self, observation: &Observation) -> Result<Vec<u8>, PolicyError> {
        let camera = self.config.cameras.first().map_or("", String::as_str);
        Ok(square_pixels(observation, camera, self.config.side())?.to_vec())
    }

    /// How much the change since the first picture is like each known instruction: cosines.
    fn likeness(&self, scene: &Scene, now: Vec<u8>) -> Result<Option<Vec<f32>>, PolicyError> {
        let Some(known) = &self.known else {
            return Ok(None);
        };
        let seen = self.eyes.goal(&[now], &self.device);
        let change = self.model.task(scene, &seen, Modality::Image)?;
        let cosines = unit_length(change.flat()).matmul(known.clone().transpose());
        Ok(Some(host::values(cosines)))
    }

    fn latent(&self, observation: &Observation, name: &str, values: Vec<f32>) -> LatentSample {
        latent(observation, self.weights.generation, name, values)
    }

    fn goal_picture(&self, goal: &Goal) -> Result<TaskInput, PolicyError> {
        let GoalSpec::Image { frame } = &goal.spec else {
            return Err(self.unknown(goal));
        };
        let camera = self.config.cameras.first().map_or("", String::as_str);
        if frame.camera != camera {
            return Err(PolicyError::GoalContent {
                id: goal.id,
                reason: format!(
                    "its picture is of camera `{}`: the policy needs one of camera `{camera}`",
                    frame.camera
                ),
            });
        }
        let pixels = crate::mdt::inputs::checked_pixels(frame, camera, self.config.side())?;
        Ok(self.eyes.goal(&[pixels.to_vec()], &self.device))
    }

    fn unknown(&self, goal: &Goal) -> PolicyError {
        PolicyError::GoalKind {
            policy: self.config.name.clone(),
            accepted: self.config.goals(),
            found: goal.kind(),
        }
    }
}

impl Policy for GrifPolicy {
    fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    fn reset(&mut self, goal: &Goal) -> Result<(), PolicyError> {
        if !self.spec.goals.contains(&goal.kind()) {
            return Err(self.unknown(goal));
        }
        let (task, modality) = match &goal.spec {
            GoalSpec::Language { text } => {
                let task = self.ears.task(text, &self.device)?;
                (task, Modality::Language)
            }
            _ => (self.goal_picture(goal)?, Modality::Image),
        };
        self.goal = Some(ActiveGoal {
            id: goal.id,
            task,
            modality,
            first: None,
            representation: None,
        });
        Ok(())
    }

    /// The latents are `task`, the goal's representation, and `alignment`, the cosine of the change
    /// seen so far with each of [`GrifPolicyConfig::instructions`]. There is nothing to refine, so
    /// the budget does not matter.
    fn plan(&mut self, observation: &Observation, _: PlanBudget) -> Result<Plan, PolicyError> {
        let begun = Instant::now();
        let now = self.look(observation)?;
        let goal = self.goal.as_ref().ok_or(PolicyError::NoGoal)?;
        let first = match &goal.first {
            Some(first) => first.clone(),
            None => self.eyes.picture(std::slice::from_ref(&now), &self.device),
        };
        let scene = self.scene(observation, first.clone())?;
        let representation = match &goal.representation {
            Some(representation) if !self.config.network.no_initial => representation.clone(),
            _ => self.model.task(&scene, &goal.task, goal.modality)?,
        };
        let task = representation.clone();
        let output = self.model.act(&scene, task, 1.0, Learning::default())?;
        let mut numbers = host::values(output.actions.mean);
        let likeness = self.likeness(&scene, now)?;
        let generation = self.weights.generation;
        let width = self.spec.action_dim;
        if numbers.len() != self.config.chunk * width || numbers.iter().any(|n| !n.is_finite()) {
            return Err(PolicyError::NonFinite {
                what: "the planned chunk".into(),
                generation,
            });
        }
        for action in numbers.chunks_exact_mut(width) {
            self.config.actions.restore(action);
            // What leaves the range of the demonstrations' actions is cut, as the robot would do it.
            for value in action {
                *value = value.clamp(-1.0, 1.0);
            }
        }
        let last = numbers[numbers.len() - width..].to_vec();
        for _ in self.config.chunk..self.spec.horizon {
            numbers.extend_from_slice(&last);
        }
        let goal_id = goal.id;
        let mut latents = Vec::new();
        if let Features::Vector(vector) = &representation {
            latents.push(self.latent(observation, "task", host::values(vector.clone())));
        }
        if let Some(likeness) = likeness {
            latents.push(self.latent(observation, "alignment", likeness));
        }
        if let Some(goal) = &mut self.goal {
            goal.first = Some(first);
            goal.representation = Some(representation);
        }
        Ok(Plan {
            chunk: ActionChunk {
                stamp: observation.stamp,
                observed: observation.tick,
                goal_id,
                generation,
                denoise_steps: 0,
                space: self.spec.action_space,
                action_dim: width as u32,
                actions: numbers,
            },
            latents,
            encode: begun.elapsed(),
            refine: Duration::ZERO,
        })
    }

    /// The episode goes on with its first picture.
    fn load(&mut self, weights: &Weights) -> Result<(), PolicyError> {
        self.model = apply(self.model.clone(), weights, Path::new(IN_MEMORY))?;
        self.weights = weights.clone();
        self.known = self.named()?;
        if let Some(goal) = &mut self.goal {
            goal.representation = None;
        }
        Ok(())
    }

    fn weights(&self) -> Weights {
        self.weights.clone()
    }
}
