//! The policy, its weights in force and what happens when a plan fails.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use cerebellum_messages::{Goal, Observation, Tick};
use cerebellum_policies::policy::{Plan, PlanBudget, Policy, PolicySpec, Weights};
use serde::Serialize;

use super::config::InferenceConfig;
use super::event::InferenceEvent;
use super::fault::{InferenceFault, panic_message};
use super::latency::{LatencySummary, LatencyWindow};
use super::seed::{Stream, derive};
use super::slot::WeightSlot;
use super::trust::Trust;

/// Events kept for [`InferenceCore::take_events`]; older ones are dropped and counted.
const MAX_EVENTS: usize = 64;
/// Plans over which latency quantiles are reported.
const REPORT_WINDOW: usize = 1024;

/// How much one plan may cost.
#[derive(Clone, Copy, Debug)]
pub struct PlanLimit {
    /// When the chunk must be ready; `None` in lockstep and replay.
    pub deadline: Option<Instant>,
    /// Most refinement steps.
    pub max_steps: u32,
}

/// Owns a policy: goals and observations in, plans out, weights replaced between plans.
///
/// The same observations, goals, weights and step limits give the same plans bit for bit, whatever
/// the wall clock does (if no limit has a deadline).
pub struct InferenceCore {
    policy: Box<dyn Policy>,
    spec: PolicySpec,
    slot: WeightSlot,
    trust: Trust,
    goal: Option<Goal>,
    seed: u64,
    /// Tick of the last observation.
    last_tick: Tick,
    events: VecDeque<InferenceEvent>,
    counts: Counts,
    total: LatencyWindow,
    encode: LatencyWindow,
    refine: LatencyWindow,
    load: LatencyWindow,
}

#[derive(Debug, Default)]
struct Counts {
    plans: u64,
    faults: u64,
    swaps: u64,
    loads_refused: u64,
    taken_back: u64,
    latents_dropped: u64,
    events_dropped: u64,
}

/// What a core has done so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InferenceStats {
    /// Generation in force.
    pub generation: u64,
    /// Plans given.
    pub plans: u64,
    /// Plans that failed, those repeated with older weights included.
    pub faults: u64,
    /// New weights put in force.
    pub swaps: u64,
    /// New weights that did not fit.
    pub loads_refused: u64,
    /// Times that older weights came back after a fault.
    pub taken_back: u64,
    /// Latents left out because they were not finite.
    pub latents_dropped: u64,
    /// Events that nobody took in time.
    pub events_dropped: u64,
    /// Time from an observation to its plan.
    pub total: LatencySummary,
    /// Part of it spent on encoding inputs.
    pub encode: LatencySummary,
    /// Part of it spent on refinement.
    pub refine: LatencySummary,
    /// Time to put new weights in force.
    pub load: LatencySummary,
}

impl InferenceCore {
    /// A core around `policy`, which takes new weights from `slot`. `seed` is the run's.
    ///
    /// The policy's present weights are the first that are fallen back on.
    pub fn new(
        policy: Box<dyn Policy>,
        slot: WeightSlot,
        seed: u64,
        config: &InferenceConfig,
    ) -> Self {
        let initial = policy.weights();
        let spec = policy.spec().clone();
        Self {
            policy,
            spec,
            slot,
            trust: Trust::new(initial, config.probation_plans, config.fault_limit),
            goal: None,
            seed,
            last_tick: Tick::default(),
            events: VecDeque::new(),
            counts: Counts::default(),
            total: LatencyWindow::new(REPORT_WINDOW),
            encode: LatencyWindow::new(REPORT_WINDOW),
            refine: LatencyWindow::new(REPORT_WINDOW),
            load: LatencyWindow::new(REPORT_WINDOW),
        }
    }

    /// What the policy needs and gives.
    pub const fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    /// Generation of the weights in force.
    pub fn generation(&self) -> u64 {
        self.trust.generation()
    }

    /// The goal in force.
    pub const fn goal(&self) -> Option<&Goal> {
        self.goal.as_ref()
    }

    /// Takes a new goal.
    ///
    /// # Errors
    /// If the policy refuses it; no goal is in force then, as its author no longer wants the old
    /// one.
    pub fn on_goal(&mut self, goal: &Goal) -> Result<(), InferenceFault> {
        self.goal = None;
        self.guarded("take a goal", |policy| policy.reset(goal))?;
        self.goal = Some(goal.clone());
        Ok(())
    }

    /// Forgets the goal: nothing is planned until the next [`InferenceCore::on_goal`].
    pub fn clear_goal(&mut self) {
        self.goal = None;
    }

    /// Plans from an observation, with the newest weights that the slot offers.
    ///
    /// If new weights fault, the last good ones are put back and the plan is made with those.
    ///
    /// # Errors
    /// If there is no plan. The core can be used as before.
    pub fn on_observation(
        &mut self,
        observation: &Observation,
        limit: PlanLimit,
    ) -> Result<Plan, InferenceFault> {
        let Some(goal_id) = self.goal.as_ref().map(|goal| goal.id) else {
            return Err(InferenceFault::NoGoal);
        };
        self.last_tick = observation.tick;
        self.swap_pending();
        // At most one more attempt than there are weights to fall back on.
        loop {
            match self.attempt(observation, goal_id, limit) {
                Ok(plan) => {
                    self.trust.succeeded();
                    return Ok(plan);
                }
                Err(fault) => {
                    self.counts.faults += 1;
                    let fault = match self.recover(observation.tick, &fault) {
                        Ok(true) => continue,
                        Ok(false) => fault,
                        Err(worse) => worse,
                    };
                    self.push_fault(observation.tick, &fault);
                    return Err(fault);
                }
            }
        }
    }

    /// Puts the weights that wait in the slot in force. Called by
    /// [`InferenceCore::on_observation`]; calling it after a plan was delivered takes the time for
    /// it out of the next plan. Returns whether other weights are in force now.
    pub fn swap_pending(&mut self) -> bool {
        let Some(weights) = self.slot.take() else {
            return false;
        };
        if self.trust.holds(&weights) {
            return false;
        }
        let from = self.generation();
        let to = weights.generation;
        match self.load(&weights) {
            Ok(()) => {
                self.trust.begin_trial(weights);
                self.counts.swaps += 1;
                self.push(InferenceEvent::Swapped { from, to });
                true
            }
            Err(fault) => {
                self.counts.loads_refused += 1;
                self.push(InferenceEvent::LoadRefused {
                    generation: to,
                    reason: fault.to_string(),
                });
                if matches!(fault, InferenceFault::Panicked { .. }) {
                    self.repair();
                }
                false
            }
        }
    }

    /// A policy that panicked while loading may hold half of the new weights.
    fn repair(&mut self) {
        let Some(held) = self.trust.in_force().cloned() else {
            return;
        };
        if let Err(fault) = self.restore(&held) {
            self.push_fault(self.last_tick, &fault);
        }
        self.forget_plan();
    }

    /// Takes what has happened since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<InferenceEvent> {
        self.events.drain(..).collect()
    }

    /// Counts and latencies so far.
    pub fn stats(&self) -> InferenceStats {
        InferenceStats {
            generation: self.generation(),
            plans: self.counts.plans,
            faults: self.counts.faults,
            swaps: self.counts.swaps,
            loads_refused: self.counts.loads_refused,
            taken_back: self.counts.taken_back,
            latents_dropped: self.counts.latents_dropped,
            events_dropped: self.counts.events_dropped,
            total: self.total.summary(),
            encode: self.encode.summary(),
            refine: self.refine.summary(),
            load: self.load.summary(),
        }
    }

    /// Runs the policy without touching goal, weights, counts or latencies; the policy's own
    /// memory of the goal is `goal` afterwards.
    pub(super) fn rehearse(
        &mut self,
        goal: &Goal,
        observation: &Observation,
        max_steps: u32,
    ) -> Result<(), InferenceFault> {
        self.goal = None;
        self.guarded("take a goal", |policy| policy.reset(goal))?;
        let budget = PlanBudget {
            deadline: None,
            max_steps,
            seed: derive(self.seed, Stream::Plan, observation.tick.0),
        };
        let plan = self.guarded("warm up", |policy| policy.plan(observation, budget))?;
        self.check(&plan)
    }

    fn attempt(
        &mut self,
        observation: &Observation,
        goal_id: u64,
        limit: PlanLimit,
    ) -> Result<Plan, InferenceFault> {
        let begun = Instant::now();
        let budget = PlanBudget {
            deadline: limit.deadline,
            max_steps: limit.max_steps,
            seed: derive(self.seed, Stream::Plan, observation.tick.0),
        };
        let mut plan = self.guarded("plan", |policy| policy.plan(observation, budget))?;
        self.check(&plan)?;
        // What the log and the splice rely on is stated here, not trusted.
        plan.chunk.stamp = observation.stamp;
        plan.chunk.observed = observation.tick;
        plan.chunk.goal_id = goal_id;
        plan.chunk.generation = self.generation();
        let before = plan.latents.len();
        plan.latents
            .retain(|latent| latent.values.iter().all(|value| value.is_finite()));
        self.counts.latents_dropped += (before - plan.latents.len()) as u64;
        self.counts.plans += 1;
        self.total.push(begun.elapsed());
        self.encode.push(plan.encode);
        self.refine.push(plan.refine);
        Ok(plan)
    }

    fn check(&self, plan: &Plan) -> Result<(), InferenceFault> {
        let chunk = &plan.chunk;
        let width = chunk.action_dim as usize;
        let expected = self.spec.action_dim;
        if width != expected
            || width == 0
            || chunk.actions.is_empty()
            || !chunk.actions.len().is_multiple_of(width)
        {
            return Err(InferenceFault::Malformed {
                generation: self.generation(),
                found: chunk.actions.len(),
                width,
                expected,
            });
        }
        match chunk.actions.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(InferenceFault::NonFinite {
                generation: self.generation(),
                action: index / width,
                number: index % width,
            }),
            None => Ok(()),
        }
    }

    /// After a fault: whether to plan again. Leaves the policy without memory of what faulted.
    fn recover(&mut self, tick: Tick, fault: &InferenceFault) -> Result<bool, InferenceFault> {
        if !fault.blames_weights() {
            return Ok(false);
        }
        let from = self.generation();
        let Some(weights) = self.trust.faulted() else {
            self.forget_plan();
            return Ok(false);
        };
        self.restore(&weights)?;
        self.counts.taken_back += 1;
        self.push(InferenceEvent::TakenBack {
            tick,
            from,
            to: weights.generation,
            reason: fault.to_string(),
        });
        self.forget_plan();
        Ok(true)
    }

    /// A policy may start from its previous plan: one with NaN in it must not come back.
    fn forget_plan(&mut self) {
        let Some(goal) = self.goal.take() else {
            return;
        };
        match self.guarded("take its goal again", |policy| policy.reset(&goal)) {
            Ok(()) => self.goal = Some(goal),
            Err(fault) => self.push_fault(self.last_tick, &fault),
        }
    }

    fn restore(&mut self, weights: &Weights) -> Result<(), InferenceFault> {
        self.load(weights).map_err(|fault| InferenceFault::Restore {
            generation: weights.generation,
            reason: fault.to_string(),
        })
    }

    fn load(&mut self, weights: &Weights) -> Result<(), InferenceFault> {
        let begun = Instant::now();
        self.guarded("load weights", |policy| policy.load(weights))?;
        self.load.push(begun.elapsed());
        Ok(())
    }

    /// Calls the policy; a panic becomes a fault.
    fn guarded<T, E: Into<InferenceFault>>(
        &mut self,
        during: &'static str,
        call: impl FnOnce(&mut dyn Policy) -> Result<T, E>,
    ) -> Result<T, InferenceFault> {
        let policy = self.policy.as_mut();
        // Sound to go on after a panic: the policy is reset or reloaded before its next plan.
        match catch_unwind(AssertUnwindSafe(|| call(policy))) {
            Ok(result) => result.map_err(Into::into),
            Err(payload) => Err(InferenceFault::Panicked {
                generation: self.generation(),
                during,
                message: panic_message(payload.as_ref()),
            }),
        }
    }

    fn push_fault(&mut self, tick: Tick, fault: &InferenceFault) {
        self.push(InferenceEvent::Faulted {
            tick,
            generation: self.generation(),
            name: fault.name(),
            reason: fault.to_string(),
        });
    }

    fn push(&mut self, event: InferenceEvent) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
            self.counts.events_dropped += 1;
        }
        self.events.push_back(event);
    }
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
