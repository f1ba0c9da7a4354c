//! Figures of a run, from what its parts counted.

use std::collections::BTreeMap;

use cerebellum_bridge::Counters;

use super::lockstep::LockstepLoop;
use super::realtime::Outcome;
use crate::control::{ControlSnapshot, Counter};
use crate::inference::LatencySummary;
use crate::learner::LearnerStats;
use crate::report::{ControlReport, LearnerTotals, Percentiles, RunReport, TailPercentiles};

/// The report of a run in real time, but for outcomes and names.
pub fn realtime(outcome: &Outcome, counters: &Counters, rate_hz: f64) -> RunReport {
    let snapshot = &outcome.control.snapshot;
    RunReport {
        control: control(snapshot, rate_hz),
        inference_ms: outcome
            .inference
            .as_ref()
            .map(|stats| latency(&stats.total))
            .unwrap_or_default(),
        observation_age_ms: Percentiles {
            p50: outcome.ages.quantile(0.5) as f64 * 1e-6,
            p99: outcome.ages.quantile(0.99) as f64 * 1e-6,
        },
        learner: outcome
            .learner
            .as_ref()
            .map(|(_, stats)| learner(stats))
            .unwrap_or_default(),
        dropped: counters.losses(),
        counters: events(snapshot),
        ..RunReport::default()
    }
}

/// The report of a run in lockstep, but for outcomes and names.
pub fn lockstep(looping: &LockstepLoop, counters: &Counters, rate_hz: f64) -> RunReport {
    let snapshot = looping.stats().snapshot();
    let stepper = looping.stepper();
    RunReport {
        control: control(&snapshot, rate_hz),
        inference_ms: latency(&stepper.planner().core().stats().total),
        learner: stepper
            .learner()
            .map(|core| learner(&core.stats()))
            .unwrap_or_default(),
        dropped: counters.losses(),
        counters: events(&snapshot),
        ..RunReport::default()
    }
}

fn control(snapshot: &ControlSnapshot, rate_hz: f64) -> ControlReport {
    let us = |nanos: u64| nanos as f64 * 1e-3;
    let (late, work) = (&snapshot.lateness, &snapshot.work);
    ControlReport {
        rate_hz,
        ticks: snapshot.counters.get(Counter::Ticks),
        missed: snapshot.counters.get(Counter::Missed),
        jitter_us: TailPercentiles {
            p50: us(late.quantile(0.5)),
            p99: us(late.quantile(0.99)),
            p999: us(late.quantile(0.999)),
        },
        overhead_us: Percentiles {
            p50: us(work.quantile(0.5)),
            p99: us(work.quantile(0.99)),
        },
    }
}

const fn latency(summary: &LatencySummary) -> Percentiles {
    Percentiles {
        p50: summary.p50_ms,
        p99: summary.p99_ms,
    }
}

fn learner(stats: &LearnerStats) -> LearnerTotals {
    LearnerTotals {
        updates: stats.updates,
        accepted: stats.accepted,
        rejected: stats.rejected_in_all(),
    }
}

fn events(snapshot: &ControlSnapshot) -> BTreeMap<String, u64> {
    snapshot
        .counters
        .iter()
        .map(|(counter, value)| (counter.name().to_owned(), value))
        .collect()
}
