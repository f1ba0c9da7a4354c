//! Planning at the pace of a simulator that waits.

use std::time::Duration;

use cerebellum_messages::{Goal, Observation, Tick};
use cerebellum_policies::policy::Plan;

use super::config::{LatencyRule, ReplanConfig};
use super::core::InferenceCore;
use super::fault::InferenceFault;
use super::schedule::{Decision, Schedule};

/// Plans synchronously and delivers each plan a fixed number of ticks after its observation, as
/// if a thread had worked on it meanwhile: one plan at a time, the next one is not begun before the
/// last is delivered.
///
/// No wall time enters: the same observations give the same plans at the same ticks.
pub struct LockstepPlanner {
    core: InferenceCore,
    schedule: Schedule,
    latency: u64,
    under_way: Option<UnderWay>,
}

struct UnderWay {
    due: Tick,
    plan: Plan,
}

impl LockstepPlanner {
    /// A planner whose plans arrive `latency` ticks after their observation; zero delivers at
    /// once. `replan` is taken with that latency in place of its own rule.
    pub fn new(core: InferenceCore, replan: ReplanConfig, latency: u32, period: Duration) -> Self {
        let replan = ReplanConfig {
            latency: LatencyRule::Fixed { ticks: latency },
            ..replan
        };
        Self {
            core,
            schedule: Schedule::new(replan, period),
            latency: u64::from(latency),
            under_way: None,
        }
    }

    /// Takes a new goal; a plan for the old one that is under way is dropped.
    ///
    /// # Errors
    /// If the policy refuses it; no goal is in force then.
    pub fn on_goal(&mut self, goal: &Goal) -> Result<(), InferenceFault> {
        self.under_way = None;
        self.schedule.forget();
        self.core.on_goal(goal)
    }

    /// Passes one tick. Returns the plan that is delivered at it, if one is.
    ///
    /// # Errors
    /// If a plan was due and failed. The planner can be used as before.
    pub fn tick(&mut self, observation: &Observation) -> Result<Option<Plan>, InferenceFault> {
        let now = observation.tick;
        let delivered = self
            .under_way
            .take_if(|under_way| under_way.due <= now)
            .map(|under_way| under_way.plan);
        if let Some(plan) = &delivered {
            self.schedule.delivered(&plan.chunk, Duration::ZERO);
        }
        if self.under_way.is_some() || self.schedule.decide(now) == Decision::Wait {
            return Ok(delivered);
        }
        let limit = super::PlanLimit {
            deadline: None,
            max_steps: self.schedule.max_steps(),
        };
        let plan = match self.core.on_observation(observation, limit) {
            Ok(plan) => plan,
            // The plan that arrived at this tick is good whatever became of the next.
            Err(fault) if delivered.is_none() => return Err(fault),
            Err(_) => return Ok(delivered),
        };
        if self.latency == 0 {
            self.schedule.delivered(&plan.chunk, Duration::ZERO);
            return Ok(Some(plan));
        }
        self.under_way = Some(UnderWay {
            due: Tick(now.0.saturating_add(self.latency)),
            plan,
        });
        Ok(delivered)
    }

    /// The core.
    pub const fn core(&self) -> &InferenceCore {
        &self.core
    }

    /// The core, to take its events.
    pub const fn core_mut(&mut self) -> &mut InferenceCore {
        &mut self.core
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::testing::{LinearPolicy, goal, observation, weights};
    use super::super::{InferenceConfig, WeightSlot};
    use super::*;

    fn planner(latency: u32) -> (LockstepPlanner, WeightSlot) {
        let config = InferenceConfig::default();
        let slot = WeightSlot::new();
        let policy = Box::new(LinearPolicy::new(1.0));
        let core = InferenceCore::new(policy, slot.clone(), 3, &config);
        let period = Duration::from_millis(50);
        let mut planner = LockstepPlanner::new(core, config.replan, latency, period);
        planner.on_goal(&goal(1)).unwrap();
        (planner, slot)
    }

    fn run(latency: u32, ticks: u64) -> Vec<(u64, Plan)> {
        let (mut planner, slot) = planner(latency);
        (0..ticks)
            .filter_map(|tick| {
                if tick == 9 {
                    slot.publish(weights(1, 2.0));
                }
                Some((tick, planner.tick(&observation(tick)).unwrap()?))
            })
            .collect()
    }

    #[test]
    fn a_chunk_arrives_its_latency_after_its_observation() {
        for latency in [0, 1, 3] {
            let plans = run(latency, 40);
            assert!(plans.len() >= 5);
            for (tick, plan) in &plans {
                assert_eq!(tick - plan.chunk.observed.0, u64::from(latency));
            }
        }
    }

    #[test]
    fn equal_runs_are_equal() {
        let chunks = |plans: Vec<(u64, Plan)>| -> Vec<_> {
            plans
                .into_iter()
                .map(|(tick, plan)| (tick, plan.chunk))
                .collect()
        };
        assert_eq!(chunks(run(2, 40)), chunks(run(2, 40)));
    }

    #[test]
    fn weights_enter_with_the_next_plan_that_begins() {
        for (_, plan) in run(2, 40) {
            assert_eq!(plan.chunk.generation, u64::from(plan.chunk.observed.0 >= 9));
        }
    }

    #[test]
    fn a_new_goal_drops_what_is_under_way() {
        let (mut planner, _) = planner(3);
        assert!(planner.tick(&observation(0)).unwrap().is_none());
        planner.on_goal(&goal(2)).unwrap();
        let plans: Vec<_> = (1..6)
            .filter_map(|tick| planner.tick(&observation(tick)).unwrap())
            .collect();
        assert_eq!(plans.len(), 1);
        assert_eq!((plans[0].chunk.goal_id, plans[0].chunk.observed.0), (2, 1));
    }
}
