//! What any thread may read about the control loop while it runs.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use cerebellum_messages::{RuntimeState, RuntimeStatus, Stamp, Tick};
use serde::Serialize;

use super::counters::{COUNTERS, Counter, Counters};
use super::histogram::{Figures, Histogram, HistogramSnapshot};
use super::record::TickRecord;

/// Figures that the control loop keeps up to date. Written by one thread with plain atomic stores:
/// no lock, no allocation.
#[derive(Debug)]
pub struct ControlStats {
    counters: [AtomicU64; COUNTERS],
    tick: AtomicU64,
    state: AtomicU8,
    goal_id: AtomicU64,
    generation: AtomicU64,
    remaining: AtomicU64,
    slack: std::sync::atomic::AtomicI64,
    lateness: Histogram,
    work: Histogram,
    splice_index: Histogram,
    splice_jump: Histogram,
}

impl Default for ControlStats {
    fn default() -> Self {
        Self {
            counters: std::array::from_fn(|_| AtomicU64::new(0)),
            tick: AtomicU64::new(0),
            state: AtomicU8::new(RuntimeState::Waiting as u8),
            goal_id: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            remaining: AtomicU64::new(0),
            slack: std::sync::atomic::AtomicI64::new(0),
            lateness: Histogram::default(),
            work: Histogram::default(),
            splice_index: Histogram::default(),
            splice_jump: Histogram::default(),
        }
    }
}

/// Units of a splice jump in its histogram: millionths of the action's own scale.
const JUMP_UNIT: f32 = 1e-6;

impl ControlStats {
    /// The newest tick begun.
    pub fn tick(&self) -> Tick {
        Tick(self.tick.load(Relaxed))
    }
    /// Ticks that the chunks in force still cover: when to plan again.
    pub fn remaining(&self) -> u64 {
        self.remaining.load(Relaxed)
    }
    /// What the loop is doing.
    pub fn state(&self) -> RuntimeState {
        const STATES: [RuntimeState; 8] = [
            RuntimeState::Waiting,
            RuntimeState::Running,
            RuntimeState::Starved,
            RuntimeState::Stale,
            RuntimeState::PeerLost,
            RuntimeState::PolicyFault,
            RuntimeState::Watchdog,
            RuntimeState::Stopping,
        ];
        let number = usize::from(self.state.load(Relaxed));
        STATES.get(number).copied().unwrap_or_default()
    }
    /// All figures, read once.
    pub fn snapshot(&self) -> ControlSnapshot {
        let mut counters = Counters::default();
        for (&counter, value) in Counter::ALL.iter().zip(&self.counters) {
            counters.set(counter, value.load(Relaxed));
        }
        ControlSnapshot {
            tick: self.tick(),
            state: self.state(),
            goal_id: self.goal_id.load(Relaxed),
            generation: self.generation.load(Relaxed),
            slack_us: self.slack.load(Relaxed) as f64 * 1e-3,
            counters,
            lateness: self.lateness.snapshot(),
            work: self.work.snapshot(),
            splice_index: self.splice_index.snapshot(),
            splice_jump: self.splice_jump.snapshot(),
        }
    }

    /// Notes that a tick begins, before anything else of it happens.
    pub fn begin(&self, tick: Tick) {
        self.tick.store(tick.0, Relaxed);
    }

    /// Publishes a finished tick. `timed` says whether it ran against the clock; in lockstep
    /// lateness and work mean nothing.
    pub fn publish(&self, record: &TickRecord, counters: &Counters, remaining: u64, timed: bool) {
        self.tick.store(record.tick.0, Relaxed);
        self.state.store(record.state as u8, Relaxed);
        self.goal_id.store(record.goal_id, Relaxed);
        if let Some(source) = &record.source {
            self.generation.store(source.generation, Relaxed);
        }
        self.remaining.store(remaining, Relaxed);
        for (slot, (_, value)) in self.counters.iter().zip(counters.iter()) {
            slot.store(value, Relaxed);
        }
        if timed {
            self.slack.store(record.slack.nanos(), Relaxed);
            self.lateness.record(record.lateness.nanos().max(0) as u64);
            self.work.record(record.work.nanos().max(0) as u64);
        }
        if let Some(index) = record.splice_index {
            self.splice_index.record(index);
        }
        if let Some(jump) = record.splice_jump {
            self.splice_jump.record((jump / JUMP_UNIT) as u64);
        }
    }
}

/// The figures at one moment.
#[derive(Clone, Debug)]
pub struct ControlSnapshot {
    /// The newest tick.
    pub tick: Tick,
    /// What the loop was doing.
    pub state: RuntimeState,
    /// Goal in force; 0 for none.
    pub goal_id: u64,
    /// Generation behind the newest executed action.
    pub generation: u64,
    /// Time left over in the newest tick, in microseconds.
    pub slack_us: f64,
    /// What was counted.
    pub counters: Counters,
    /// How late ticks began, in nanoseconds.
    pub lateness: HistogramSnapshot,
    /// Time spent on ticks, in nanoseconds.
    pub work: HistogramSnapshot,
    /// Ticks between observation and first action, per splice.
    pub splice_index: HistogramSnapshot,
    /// Jumps at splices [millionths of the action's scale].
    pub splice_jump: HistogramSnapshot,
}

/// What a report says about the control loop.
#[derive(Clone, Debug, Serialize)]
pub struct ControlFigures {
    /// What was counted.
    pub counters: Counters,
    /// How late ticks began, in nanoseconds.
    pub lateness_ns: Figures,
    /// Time spent on ticks, in nanoseconds.
    pub work_ns: Figures,
    /// Ticks between observation and first action, per splice.
    pub splice_index_ticks: Figures,
    /// Jumps at splices [millionths of the action's scale].
    pub splice_jump_millionths: Figures,
}

impl ControlSnapshot {
    /// The message that tells others how the loop is. `stamp` is the robot's clock, `detail` one
    /// line for a person.
    pub fn status(&self, stamp: Stamp, detail: &str) -> RuntimeStatus {
        RuntimeStatus {
            stamp,
            tick: self.tick,
            state: self.state,
            goal_id: self.goal_id,
            generation: self.generation,
            missed: self.counters.get(Counter::Missed),
            limited: self.counters.get(Counter::Limited),
            slack_us: self.slack_us as f32,
            detail: detail.to_owned(),
        }
    }

    /// The figures of a report.
    pub fn figures(&self) -> ControlFigures {
        ControlFigures {
            counters: self.counters,
            lateness_ns: self.lateness.figures(),
            work_ns: self.work.figures(),
            splice_index_ticks: self.splice_index.figures(),
            splice_jump_millionths: self.splice_jump.figures(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Span;

    #[test]
    fn what_is_published_can_be_read() {
        let stats = ControlStats::default();
        assert_eq!(stats.state(), RuntimeState::Waiting);
        let mut counters = Counters::default();
        counters.add(Counter::Ticks, 3);
        let record = TickRecord {
            tick: Tick(9),
            state: RuntimeState::Stopping,
            splice_index: Some(4),
            splice_jump: Some(0.5),
            work: Span::from_micros(7),
            slack: Span::from_micros(-2),
            ..TickRecord::default()
        };
        stats.publish(&record, &counters, 6, true);
        let snapshot = stats.snapshot();
        assert_eq!(
            (snapshot.tick, snapshot.state),
            (Tick(9), RuntimeState::Stopping)
        );
        assert_eq!(stats.remaining(), 6);
        assert_eq!(snapshot.counters, counters);
        assert_eq!(snapshot.slack_us, -2.0);
        let report = snapshot.figures();
        assert_eq!(report.splice_index_ticks.max, 4);
        assert_eq!(report.splice_jump_millionths.max, 500_000);
        assert_eq!(report.work_ns.max, 7_000);
        let status = snapshot.status(Stamp(3), "fine");
        assert_eq!((status.tick, status.slack_us), (Tick(9), -2.0));
    }
}
