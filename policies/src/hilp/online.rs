//! HILP learning on the robot: the Hilbert distance from what it does, with no labels.
//!
//! A moment and the one `lookahead` ticks later are a transition of that many steps, whatever was
//! asked for meanwhile. Its goals are found in hindsight: where it led to, and where other moments
//! of the batch led to. Both members of φ follow the temporal-difference objective of section 4.2
//! over that many steps; the actor stays, and the trust region of whoever accepts new weights bounds
//! what the moved skills do to its actions.

use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cerebellum_messages::Observation;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Observations;
use super::config::HilpConfig;
use super::inputs::InputRows;
use super::load::{Loaded, load};
use super::policy::action;
use super::prompt::Prompt;
use super::representation::{self, Values, value};
use super::statistics::host;
use super::variant::{Acting, VariantConfig};
use crate::checkpoint::PolicyPackage;
use crate::checkpoint::package::IN_MEMORY;
use crate::error::{CheckpointError, LearnError, PolicyError};
use crate::mdt::Statistics;
use crate::online::{
    EvaluationReport, ExperienceBatch, ObjectiveId, ObjectiveSpec, OnlineModel, StepReport,
};
use crate::policy::Weights;
use crate::training::adamw::AdamWConfig;
use crate::training::shadow::{Pace, Shadow, not_finite};
use crate::training::target::follow;

/// Name of the objective.
pub const DISTANCE: &str = "hilbert_distance";

/// How the shadow copy learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HilpOnlineConfig {
    /// Learning rate.
    pub learning_rate: f32,
    /// Optimiser constants.
    pub adamw: AdamWConfig,
    /// Greatest norm of the gradient.
    pub clip: f32,
    /// Decay of the moving average that candidates are taken from.
    pub average_decay: f32,
    /// Steps of a transition.
    pub lookahead: u32,
    /// Share of the moments whose goal is where they led to; the others' is where another moment
    /// led to.
    pub own_goals: f32,
    /// Beginnings of the keys of tensors that learn.
    pub trained: Vec<String>,
}

impl Default for HilpOnlineConfig {
    fn default() -> Self {
        Self {
            learning_rate: 3e-5,
            adamw: AdamWConfig {
                weight_decay: 0.0,
                beta_2: 0.999,
                ..AdamWConfig::default()
            },
            clip: 1.0,
            average_decay: 0.98,
            lookahead: 5,
            own_goals: 0.5,
            trained: ["value.", "feature_learner.phi"].map(String::from).to_vec(),
        }
    }
}

/// The learner's copy of a HILP.
pub struct HilpOnline {
    config: HilpConfig,
    online: HilpOnlineConfig,
    statistics: Statistics,
    device: Device,
    shadow: Shadow<Acting>,
    /// Slow copy, without gradients, which the distances regress on.
    slow: Acting,
}

impl HilpOnline {
    /// A copy of a package's policy that can learn.
    ///
    /// # Errors
    /// If the package is of another family or its weights do not fit the configuration.
    pub fn new(
        package: &PolicyPackage,
        online: HilpOnlineConfig,
        device: &Device,
    ) -> Result<Self, PolicyError> {
        let device = device.clone().inner().autodiff();
        let Loaded {
            config,
            statistics,
            acting,
            ..
        } = load(package, &device)?;
        if let VariantConfig::Baseline(_) = config.network {
            let reason = "a baseline of HILP has no distance to learn".into();
            return Err(PolicyError::Checkpoint(CheckpointError::Format {
                path: IN_MEMORY.into(),
                reason,
            }));
        }
        Ok(Self {
            slow: acting.valid(),
            shadow: Shadow::new(acting, online.adamw, package.weights.generation),
            config,
            online,
            statistics,
            device,
        })
    }

    /// Discount and expectile of the distance, and share of the new weights in its slow copy.
    const fn constants(&self) -> [f32; 3] {
        match &self.config.network {
            VariantConfig::GoalConditioned(c) => [c.discount, c.expectile, c.target_rate],
            VariantConfig::ZeroShot(c) => {
                [c.distance_discount, c.distance_expectile, c.phi_target_rate]
            }
            VariantConfig::Baseline(c) => [c.discount, c.expectile, c.target_rate],
        }
    }

    fn rows<'a>(
        &self,
        observations: impl Iterator<Item = &'a Observation>,
    ) -> Result<Observations, LearnError> {
        let mut rows = InputRows::new(&self.config.inputs, &self.statistics);
        for observation in observations {
            rows.push(observation)?;
        }
        Ok(rows.finish(&self.device.clone().inner()))
    }

    /// Loss per moment under `acting`, `[moments]`. The slow copy is the learner's whatever the
    /// weights, so that candidates are judged by the same targets.
    fn losses(
        &self,
        acting: &Acting,
        batch: &ExperienceBatch,
        objective: &ObjectiveId,
    ) -> Result<Tensor<1>, LearnError> {
        if objective.0 != DISTANCE {
            return Err(LearnError::UnknownObjective {
                found: objective.0.clone(),
                known: vec![DISTANCE.into()],
            });
        }
        let moments = &batch.moments;
        if moments.is_empty() {
            return Err(LearnError::Batch("it is empty".into()));
        }
        let now = self.rows(moments.iter().map(|moment| &moment.observation))?;
        let later = self.rows(moments.iter().map(|moment| &moment.future))?;
        let mut rng = ChaCha8Rng::seed_from_u64(batch.seed);
        let goals = (0..moments.len()).map(|index| {
            let own = rng.random::<f32>() < self.online.own_goals;
            let other = rng.random_range(0..moments.len());
            if own { index } else { other }
        });
        let goals = goals.collect::<Vec<_>>();
        let goals = self.rows(goals.iter().map(|&index| &moments[index].future))?;
        let slow_goal = self.slow.members(goals.clone());
        let slow = |rows: Observations| value(self.slow.members(rows), slow_goal.clone());
        let values = Values {
            online: value(acting.members(now.clone()), acting.members(goals)),
            target: slow(now),
            target_next: slow(later),
        };
        let device = self.device.clone().inner();
        // A goal that is reached is 0 away by φ itself, so nothing else marks it.
        let reached = Tensor::zeros([moments.len()], &device);
        let [discount, expectile, _] = self.constants();
        let steps = self.online.lookahead.max(1);
        let loss = representation::over_steps(values, reached, discount, steps, expectile);
        Ok(loss.per_row)
    }

    /// What the policy would do at every moment, prompted straight with the moment's goal.
    fn actions(
        &self,
        acting: &Acting,
        batch: &ExperienceBatch,
    ) -> Result<Vec<Vec<f32>>, LearnError> {
        let device = self.device.clone().inner();
        let mut known: Option<(&cerebellum_messages::Goal, Prompt)> = None;
        let mut actions = Vec::with_capacity(batch.moments.len());
        for moment in &batch.moments {
            let prompt = match &known {
                Some((goal, prompt)) if *goal == &moment.goal => prompt.clone(),
                _ => Prompt::of(
                    &moment.goal,
                    &self.config,
                    &self.statistics,
                    acting,
                    &device,
                )?,
            };
            let rows = self.rows(std::iter::once(&moment.observation))?;
            let skill = match &prompt {
                Prompt::Along(skill) => skill.clone(),
                Prompt::Towards(goal) => {
                    let phi = host(acting.phi(rows.clone()));
                    self.config.network.skill(&phi, goal)
                }
            };
            known = Some((&moment.goal, prompt));
            actions.push(action(acting, rows, skill, &device).repeat(self.config.horizon));
        }
        Ok(actions)
    }
}

impl OnlineModel for HilpOnline {
    fn objectives(&self) -> Vec<ObjectiveSpec> {
        vec![ObjectiveSpec {
            id: ObjectiveId(DISTANCE.into()),
            lookahead: self.online.lookahead.max(1),
            about: "Learn how many steps lie between states from where the robot went (HILP, \
                    arXiv 2402.15567, section 4.2, over several steps)."
                .into(),
        }]
    }

    fn step(
        &mut self,
        batch: &ExperienceBatch,
        objective: &ObjectiveId,
    ) -> Result<StepReport, LearnError> {
        let begun = Instant::now();
        let before = self.shadow.model().clone();
        let losses = self.losses(&before, batch, objective)?;
        let pace = Pace {
            learning_rate: self.online.learning_rate,
            clip: self.online.clip,
            average_decay: self.online.average_decay,
            trained: &self.online.trained,
        };
        let report = self.shadow.step(losses, pace, objective, begun)?;
        let [_, _, rate] = self.constants();
        self.slow = follow(self.slow.clone(), &before, rate);
        Ok(report)
    }

    fn evaluate(
        &self,
        weights: &Weights,
        batch: &ExperienceBatch,
        objective: &ObjectiveId,
    ) -> Result<EvaluationReport, LearnError> {
        let acting = self.shadow.candidate(weights)?;
        let losses = host(self.losses(&acting, batch, objective)?);
        if losses.iter().any(|loss| !loss.is_finite()) {
            return Err(not_finite("loss", objective));
        }
        let actions = self.actions(&acting, batch)?;
        Ok(EvaluationReport { losses, actions })
    }

    fn snapshot(&self) -> Weights {
        self.shadow.snapshot()
    }

    fn restore(&mut self, weights: &Weights) -> Result<(), LearnError> {
        self.shadow.restore(weights)?;
        self.slow = self.shadow.model().valid();
        Ok(())
    }
}
