//! One tick of everything, in one thread and in a fixed order: learner, inference, control.
//!
//! The same controller, planner and learner serve the real-time threads; here the caller owns time,
//! so that the same observations and seed give the same commands bit for bit.

use std::sync::Arc;

use cerebellum_messages::{Goal, LearnerReport, Observation, Stamp};
use cerebellum_policies::policy::Plan;

use crate::control::{Controller, FixedChunk, Measured, TickInput, TickRecord};
use crate::inference::{InferenceEvent, InferenceFault, LockstepPlanner};
use crate::learner::{LearnerCore, Record};

/// Learns, plans and controls in step with the caller.
pub struct Stepper {
    controller: Controller,
    planner: LockstepPlanner,
    learner: Option<LearnerCore>,
    micro_steps: u32,
    names: Vec<String>,
    goal: Option<Arc<Goal>>,
    action_dim: usize,
    relocated: Option<Stamp>,
    faulted: bool,
}

/// What a tick gave.
#[derive(Debug)]
pub struct Stepped {
    /// The control tick, its command included.
    pub record: TickRecord,
    /// The plan that was delivered at this tick.
    pub plan: Option<Plan>,
    /// What the learner did.
    pub reports: Vec<LearnerReport>,
    /// What happened to weights and plans.
    pub events: Vec<InferenceEvent>,
    /// Why a due plan failed.
    pub fault: Option<InferenceFault>,
}

impl Stepper {
    /// `micro_steps` of `learner` are made before each tick.
    pub fn new(
        controller: Controller,
        planner: LockstepPlanner,
        learner: Option<LearnerCore>,
        micro_steps: u32,
    ) -> Self {
        let names = controller.robot().names().to_vec();
        let action_dim = planner.core().spec().action_dim;
        Self {
            controller,
            planner,
            learner,
            micro_steps,
            names,
            goal: None,
            action_dim,
            relocated: None,
            faulted: false,
        }
    }

    /// Takes a goal. `relocated`: the world was reset for it, and motion begins anew from the joints
    /// measured at this stamp or later.
    ///
    /// # Errors
    /// If the policy refuses it; the robot holds then.
    pub fn set_goal(
        &mut self,
        goal: &Goal,
        relocated: Option<Stamp>,
    ) -> Result<(), InferenceFault> {
        self.relocated = relocated;
        self.goal = None;
        self.planner.on_goal(goal)?;
        self.goal = Some(Arc::new(goal.clone()));
        Ok(())
    }

    /// Forgets the goal: the robot holds.
    pub fn clear_goal(&mut self) {
        self.goal = None;
        self.planner.core_mut().clear_goal();
    }

    /// The robot's joints, the gripper included, in command order.
    pub fn joint_names(&self) -> &[String] {
        &self.names
    }

    /// The controller, for its counters.
    pub const fn controller(&self) -> &Controller {
        &self.controller
    }

    /// The planner, for its statistics.
    pub const fn planner(&self) -> &LockstepPlanner {
        &self.planner
    }

    /// The learner, if there is one.
    pub const fn learner(&self) -> Option<&LearnerCore> {
        self.learner.as_ref()
    }

    /// Writes what the learner holds in memory only: the end of an orderly run.
    pub fn finish(&mut self) {
        if let Some(learner) = &mut self.learner {
            learner.finish();
        }
    }

    /// One tick.
    pub fn tick(&mut self, observation: Arc<Observation>) -> Stepped {
        let reports = self.learn();
        let tick = observation.tick;
        let mut fault = None;
        let plan = match self.goal {
            Some(_) => self.planner.tick(&observation).unwrap_or_else(|error| {
                fault = Some(error);
                None
            }),
            None => None,
        };
        let goal_id = self.goal.as_ref().map_or(0, |goal| goal.id);
        self.controller.set_goal(goal_id);
        self.faulted = match (&plan, &fault) {
            (Some(_), _) => false,
            (None, Some(_)) => true,
            (None, None) => self.faulted,
        };
        if let Some(chunk) = plan
            .as_ref()
            .and_then(|plan| FixedChunk::try_from(&plan.chunk).ok())
        {
            self.controller.offer(&chunk, tick);
        }
        let measured = Measured::from_message(&observation.joints, &self.names).ok();
        let input = TickInput {
            measured,
            goal_id,
            policy_fault: self.faulted,
            relocated: self.relocated.take(),
            ..TickInput::fresh(tick, measured.unwrap_or_default(), goal_id)
        };
        let record = self.controller.tick(&input);
        self.remember(observation, &record);
        let events = self.events();
        Stepped {
            record,
            plan,
            reports,
            events,
            fault,
        }
    }

    fn learn(&mut self) -> Vec<LearnerReport> {
        let Some(learner) = &mut self.learner else {
            return Vec::new();
        };
        (0..self.micro_steps)
            .filter_map(|_| learner.micro_step().report)
            .collect()
    }

    fn remember(&mut self, observation: Arc<Observation>, record: &TickRecord) {
        let (Some(learner), Some(goal)) = (&mut self.learner, &self.goal) else {
            return;
        };
        if record.source.is_none() {
            return;
        }
        learner.record(Record {
            observation,
            action: record
                .action
                .iter()
                .take(self.action_dim)
                .copied()
                .collect(),
            goal: Arc::clone(goal),
            episode: goal.id,
        });
    }

    fn events(&mut self) -> Vec<InferenceEvent> {
        let events = self.planner.core_mut().take_events();
        if let Some(learner) = &mut self.learner {
            for (generation, reason) in events.iter().filter_map(InferenceEvent::condemned) {
                learner.condemn(generation, reason);
            }
        }
        events
    }
}
