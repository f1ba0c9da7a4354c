//! When sensor messages were taken, on this computer's clock, and the control tick that they are for.
//!
//! A policy plans the first action of a chunk for the moment of its observation: of an observation
//! taken at `c`, that is the tick that begins next, in `[c, c + period)`. Its command is the one that
//! moves the robot on from what was seen. Which tick that is must not depend on how long the message
//! was under way: counting from the arrival would put an observation that is delayed past the
//! beginning of its tick one tick late, and counting the tick that the arrival lies in puts all others
//! one tick early, so that every plan is executed without its first action.
//!
//! So the time of capture is told by the message's stamp. Stamps count on the sender's clock; its
//! offset to this computer's is that of the message that was least long under way of the last few.

use std::collections::VecDeque;

use cerebellum_messages::{Stamp, Tick};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::{Monotonic, MonotonicTime, Span, TickClock};

/// Messages among which the one that was least long under way is sought. Few, so that a sender that
/// skipped a period under load is soon believed again.
const WINDOW: usize = 8;
/// A sender whose clock moved by more than this against ours was set or stood still.
const JUMP: Span = Span::from_millis(200);

/// The section `[sensing]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SensingConfig {
    /// How long a message is under way at least, from the moment that it tells of to its arrival:
    /// exposure, drawing, sending. In milliseconds; 2 by default, which fits the embedded world.
    pub latency_ms: f64,
}

impl Default for SensingConfig {
    fn default() -> Self {
        Self { latency_ms: 2.0 }
    }
}

/// Follows the clock behind the stamps of one sender.
#[derive(Debug)]
pub struct CaptureClock {
    ticks: TickClock<Monotonic>,
    latency: Span,
    /// Arrival minus stamp of the last few messages.
    gaps: VecDeque<Span>,
    /// Stamp of the last message.
    last: Option<Stamp>,
}

impl CaptureClock {
    /// For control ticks on this grid. A latency that is negative or not a number counts as none.
    pub fn new(ticks: TickClock<Monotonic>, config: &SensingConfig) -> Self {
        Self {
            ticks,
            latency: Span::from_seconds(config.latency_ms * 1e-3).max(Span::ZERO),
            gaps: VecDeque::with_capacity(WINDOW),
            last: None,
        }
    }

    /// When a message was taken that is stamped `stamp` and arrived at `arrival`: not after that.
    pub fn capture(&mut self, stamp: Stamp, arrival: MonotonicTime) -> MonotonicTime {
        let gap = arrival - MonotonicTime::from_nanos(stamp.0);
        // A sender that does not stamp its messages, or whose clock stands still, is believed by
        // the arrival alone.
        let runs = self.last.replace(stamp).is_none_or(|last| stamp > last);
        let last = self.gaps.back();
        if !runs || last.is_some_and(|last| (gap - *last).abs() > JUMP) {
            self.gaps.clear();
        }
        if self.gaps.len() == WINDOW {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
        let least = self.gaps.iter().copied().min().unwrap_or(gap);
        arrival - (gap - least) - self.latency
    }

    /// The tick that an observation taken at `capture` is for: the first that begins at that moment
    /// or later.
    pub fn tick(&self, capture: MonotonicTime) -> Tick {
        let last_moment = self.ticks.period().span() - Span::from_nanos(1);
        self.ticks.tick_at(capture + last_moment)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::Period;

    const MS: i64 = 1_000_000;

    fn clock() -> CaptureClock {
        let ticks = TickClock::new(MonotonicTime::from_nanos(0), Period::from_hz(20.0).unwrap());
        CaptureClock::new(ticks, &SensingConfig::default())
    }

    /// Ticks of messages taken every 50 ms from `phase` on, by the delays [ms] that they had.
    fn ticks(phase: i64, delays: &[i64]) -> Vec<u64> {
        let mut clock = clock();
        delays
            .iter()
            .zip(0i64..)
            .map(|(delay, index)| {
                let taken = (phase + 50 * index) * MS;
                let arrival = MonotonicTime::from_nanos(taken + delay * MS);
                // The sender's clock began 7 s before ours.
                let stamp = Stamp(taken + 7_000 * MS);
                let capture = clock.capture(stamp, arrival);
                clock.tick(capture).0
            })
            .collect()
    }

    #[test]
    fn an_observation_is_for_the_tick_that_begins_next() {
        for phase in [3, 10, 25, 49] {
            assert_eq!(ticks(phase, &[2, 2, 2]), [1, 2, 3], "{phase} ms");
        }
    }

    #[test]
    fn delays_under_way_do_not_matter() {
        // Taken 1 ms before its tick, so that it arrives after the tick has begun.
        assert_eq!(ticks(49, &[2, 30, 3, 48, 2]), [1, 2, 3, 4, 5]);
        assert_eq!(ticks(20, &[2, 45, 2, 2]), [1, 2, 3, 4]);
    }

    #[test]
    fn a_clock_that_was_set_is_followed_at_once() {
        let mut clock = clock();
        let at = |ms: i64| MonotonicTime::from_nanos(ms * MS);
        assert_eq!(clock.capture(Stamp(0), at(102)), at(100));
        assert_eq!(clock.capture(Stamp(9_000 * MS), at(152)), at(150));
        assert_eq!(clock.capture(Stamp(10 * MS), at(202)), at(200));
        assert_eq!(clock.capture(Stamp(i64::MAX), at(252)), at(250));
        assert_eq!(clock.capture(Stamp(i64::MIN), at(302)), at(300));
    }

    #[test]
    fn without_stamps_the_arrival_counts() {
        let mut clock = clock();
        for index in 0..20i64 {
            let taken = 50 * index * MS;
            let arrival = MonotonicTime::from_nanos(taken + 2 * MS);
            assert_eq!(clock.capture(Stamp(0), arrival).nanos(), taken);
        }
    }

    #[test]
    fn a_sender_that_skipped_a_period_is_believed_again() {
        let mut clock = clock();
        let mut capture = MonotonicTime::default();
        for index in 0..20i64 {
            let skipped = if index < 5 { 0 } else { 50 };
            let arrival = MonotonicTime::from_nanos((2 + 50 * index + skipped) * MS);
            capture = clock.capture(Stamp(50 * index * MS), arrival);
        }
        assert_eq!(capture.nanos(), (19 * 50 + 50) * MS);
    }
}
