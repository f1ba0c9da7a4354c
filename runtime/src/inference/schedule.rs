//! When a new plan is due, and how long it may take.
//!
//! With `o` the tick of the observation behind the newest chunk, `H` its number of actions, `n` the
//! present tick, `L` the predicted latency and `m` the margin in ticks, a plan is due when
//!
//! ```text
//! there is no chunk for the goal    or    n − o ≥ every_ticks    or    (o + H) − n ≤ L + m
//! ```
//!
//! One plan is made at a time: a chunk arrives with `H − L` actions left and its successor takes
//! `L` ticks, so a robot that is not to wait needs `H ≥ 2 L`.
//!
//! All but `L` are counted. `L` only decides how early to begin: where a chunk is spliced in is
//! counted by the control thread when the chunk arrives, so a wrong prediction costs time in
//! hand, never alignment.
//!
//! A plan that begins at `n` must end before the actions of the present chunk do, and is worth at
//! most the time to the next replan: it may take `clamp((o + H) − n − m, 1, every_ticks)` ticks.
//! Without a chunk the robot is waiting; the plan may take `every_ticks` then.

use std::time::{Duration, Instant};

use cerebellum_messages::{ActionChunk, Tick};

use super::config::{LatencyRule, ReplanConfig};
use super::core::PlanLimit;
use super::latency::LatencyWindow;

/// Why a plan is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// There is no chunk, or none for this goal.
    NoChunk,
    /// The present chunk is old enough.
    Period,
    /// The present chunk would run out before a later plan was ready.
    RunningLow,
    /// Time went backwards: another world, or a restarted one.
    Restarted,
}

/// Whether to plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Not yet.
    Wait,
    /// Now.
    Plan(Due),
}

/// Decides when to plan.
#[derive(Debug)]
pub struct Schedule {
    config: ReplanConfig,
    period: Duration,
    latencies: LatencyWindow,
    cold_left: u32,
    chunk: Option<Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    observed: Tick,
    horizon: u64,
}

impl Schedule {
    /// A schedule for a control loop with this period. A period of zero counts as 1 ns.
    pub fn new(config: ReplanConfig, period: Duration) -> Self {
        let (window, cold_left) = match config.latency {
            LatencyRule::Measured {
                window, cold_plans, ..
            } => (window, cold_plans),
            LatencyRule::Fixed { .. } => (1, 0),
        };
        Self {
            config,
            period: period.max(Duration::from_nanos(1)),
            latencies: LatencyWindow::new(window),
            cold_left,
            chunk: None,
        }
    }

    /// Forgets the present chunk: the goal changed.
    pub fn forget(&mut self) {
        self.chunk = None;
    }

    /// Whether to plan from an observation of tick `now`.
    pub fn decide(&self, now: Tick) -> Decision {
        let Some(held) = self.chunk else {
            return Decision::Plan(Due::NoChunk);
        };
        if now < held.observed {
            return Decision::Plan(Due::Restarted);
        }
        let age = now.since(held.observed);
        if age >= self.every() {
            return Decision::Plan(Due::Period);
        }
        // A chunk shorter than the latency can only be replaced by one from a newer observation.
        if age > 0 && held.remaining(now) <= self.predicted_ticks() + self.margin() {
            return Decision::Plan(Due::RunningLow);
        }
        Decision::Wait
    }

    /// What a plan that begins at tick `now`, at the instant `begun`, may cost.
    pub fn limit(&self, now: Tick, begun: Instant) -> PlanLimit {
        let deadline = match self.config.latency {
            LatencyRule::Fixed { .. } => None,
            LatencyRule::Measured { .. } => {
                begun.checked_add(self.ticks_to_duration(self.allowed_ticks(now)))
            }
        };
        PlanLimit {
            deadline,
            max_steps: self.config.max_steps,
        }
    }

    /// A chunk was delivered that took `latency` from its observation.
    pub fn delivered(&mut self, chunk: &ActionChunk, latency: Duration) {
        self.chunk = Some(Held {
            observed: chunk.observed,
            horizon: chunk.horizon() as u64,
        });
        if self.cold_left > 0 {
            self.cold_left -= 1;
        } else {
            self.latencies.push(latency);
        }
    }

    /// Predicted latency of the next plan in whole ticks, rounded up.
    pub fn predicted_ticks(&self) -> u64 {
        match self.config.latency {
            LatencyRule::Fixed { ticks } => u64::from(ticks),
            LatencyRule::Measured { quantile, .. } => {
                let latency = self.latencies.quantile(quantile).unwrap_or_default();
                u64::try_from(latency.as_nanos().div_ceil(self.period.as_nanos()))
                    .unwrap_or(u64::MAX / 2)
            }
        }
    }

    /// Most refinement steps of a plan.
    pub const fn max_steps(&self) -> u32 {
        self.config.max_steps
    }

    /// Ticks from `now` until a plan is due, if nothing else changes: time that others may use.
    pub fn ticks_until_due(&self, now: Tick) -> u64 {
        let Some(held) = self.chunk.filter(|held| held.observed <= now) else {
            return 0;
        };
        let by_period = self.every().saturating_sub(now.since(held.observed));
        let in_hand = self.predicted_ticks() + self.margin();
        // Remaining actions fall by one per tick.
        let by_level = held.remaining(now).saturating_sub(in_hand);
        by_period.min(by_level)
    }

    /// The time that a number of ticks takes.
    pub fn ticks_to_duration(&self, ticks: u64) -> Duration {
        self.period
            .saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
    }

    fn allowed_ticks(&self, now: Tick) -> u64 {
        match self.chunk.filter(|held| held.observed <= now) {
            None => self.every(),
            Some(held) => held
                .remaining(now)
                .saturating_sub(self.margin())
                .clamp(1, self.every()),
        }
    }

    fn every(&self) -> u64 {
        u64::from(self.config.every_ticks.max(1))
    }

    fn margin(&self) -> u64 {
        u64::from(self.config.margin_ticks)
    }
}

impl Held {
    /// Actions left for `now` and the ticks after it.
    const fn remaining(self, now: Tick) -> u64 {
        self.horizon.saturating_sub(now.since(self.observed))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use cerebellum_messages::{ActionSpace, Stamp};
    use proptest::prelude::*;

    use super::*;

    const PERIOD: Duration = Duration::from_millis(50);

    fn chunk(observed: u64, horizon: usize) -> ActionChunk {
        ActionChunk {
            stamp: Stamp::default(),
            observed: Tick(observed),
            goal_id: 1,
            generation: 0,
            denoise_steps: 1,
            space: ActionSpace::TcpDelta,
            action_dim: 7,
            actions: vec![0.0; horizon * 7],
        }
    }

    fn measured(every_ticks: u32, margin_ticks: u32, cold_plans: u32) -> Schedule {
        let config = ReplanConfig {
            every_ticks,
            margin_ticks,
            max_steps: 10,
            latency: LatencyRule::Measured {
                quantile: 0.95,
                window: 8,
                cold_plans,
            },
        };
        Schedule::new(config, PERIOD)
    }

    #[test]
    fn plans_at_once_then_periodically() {
        let mut schedule = measured(5, 1, 0);
        assert_eq!(schedule.decide(Tick(3)), Decision::Plan(Due::NoChunk));
        schedule.delivered(&chunk(3, 10), Duration::from_millis(20));
        for tick in 3..8 {
            assert_eq!(schedule.decide(Tick(tick)), Decision::Wait, "tick {tick}");
        }
        assert_eq!(schedule.decide(Tick(8)), Decision::Plan(Due::Period));
        assert_eq!(schedule.decide(Tick(2)), Decision::Plan(Due::Restarted));
        schedule.forget();
        assert_eq!(schedule.decide(Tick(4)), Decision::Plan(Due::NoChunk));
    }

    #[test]
    fn plans_early_if_latency_demands_it() {
        let mut schedule = measured(100, 1, 0);
        // 120 ms are 3 ticks; with the margin, a plan is due when 4 actions are left.
        schedule.delivered(&chunk(0, 10), Duration::from_millis(120));
        assert_eq!(schedule.predicted_ticks(), 3);
        assert_eq!(schedule.decide(Tick(5)), Decision::Wait);
        assert_eq!(schedule.decide(Tick(6)), Decision::Plan(Due::RunningLow));
        assert_eq!(schedule.ticks_until_due(Tick(2)), 4);
    }

    #[test]
    fn cold_plans_do_not_count() {
        let mut schedule = measured(100, 1, 2);
        schedule.delivered(&chunk(0, 10), Duration::from_secs(9));
        schedule.delivered(&chunk(1, 10), Duration::from_secs(9));
        assert_eq!(schedule.predicted_ticks(), 0);
        schedule.delivered(&chunk(2, 10), Duration::from_millis(49));
        assert_eq!(schedule.predicted_ticks(), 1);
    }

    #[test]
    fn the_deadline_is_the_end_of_the_chunk_or_the_next_replan() {
        let begun = Instant::now();
        let ticks = |schedule: &Schedule, now| {
            let deadline = schedule.limit(Tick(now), begun).deadline.unwrap();
            (deadline - begun).as_millis() / 50
        };
        let mut schedule = measured(5, 1, 0);
        assert_eq!(ticks(&schedule, 0), 5, "waiting");
        schedule.delivered(&chunk(0, 10), Duration::ZERO);
        assert_eq!(ticks(&schedule, 1), 5, "long chunk");
        assert_eq!(ticks(&schedule, 7), 2, "3 left, 1 in hand");
        assert_eq!(ticks(&schedule, 30), 1, "starved");
    }

    #[test]
    fn lockstep_has_no_deadline() {
        let config = ReplanConfig {
            latency: LatencyRule::Fixed { ticks: 2 },
            ..ReplanConfig::default()
        };
        let schedule = Schedule::new(config, PERIOD);
        assert_eq!(schedule.predicted_ticks(), 2);
        assert!(schedule.limit(Tick(0), Instant::now()).deadline.is_none());
    }

    proptest! {
        /// If every plan takes no longer than predicted, the chunk in force never runs out, and
        /// `ticks_until_due` agrees with `decide`.
        #[test]
        fn never_starves_within_the_prediction(
            every in 1u32..12, horizon in 4usize..20, latency in 0u64..4, margin in 0u32..2,
        ) {
            // One plan at a time: the next cannot arrive sooner than two latencies after the
            // observation behind the chunk in force, so a shorter chunk runs out whatever is done.
            prop_assume!(2 * latency + u64::from(margin) <= horizon as u64 && horizon as u64 > latency + u64::from(margin));
            let config = ReplanConfig {
                every_ticks: every,
                margin_ticks: margin,
                max_steps: 1,
                latency: LatencyRule::Fixed { ticks: latency as u32 },
            };
            let mut schedule = Schedule::new(config, PERIOD);
            schedule.delivered(&chunk(0, horizon), Duration::ZERO);
            let (mut end, mut busy) = (horizon as u64, None);
            for now in 1..200 {
                if let Some((due, observed)) = busy && due == now {
                    schedule.delivered(&chunk(observed, horizon), Duration::ZERO);
                    end = observed + horizon as u64;
                    busy = None;
                }
                let until = schedule.ticks_until_due(Tick(now));
                let due = schedule.decide(Tick(now)) != Decision::Wait;
                if now > end - horizon as u64 {
                    prop_assert_eq!(due, until == 0);
                }
                if busy.is_none() && due {
                    if latency == 0 {
                        schedule.delivered(&chunk(now, horizon), Duration::ZERO);
                        end = now + horizon as u64;
                    } else {
                        busy = Some((now + latency, now));
                    }
                }
                prop_assert!(now < end, "tick {} has no action", now);
            }
        }
    }
}
