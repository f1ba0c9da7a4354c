//! Keeping ticks apart.
//!
//! Tick `n` begins at `anchor + n * period`: deadlines are absolute, so lateness never adds up. A
//! tick runs inside its own period or not at all. If it cannot start early enough in it, because
//! the work of the tick before took too long or the thread was not given a CPU, it is skipped and
//! counted, and the next one keeps its place on the grid: periods are skipped whole, never
//! compressed.

use cerebellum_messages::Tick;

use super::config::PacingConfig;
use crate::clock::{MonotonicTime, Period, Span, TickClock};
use crate::realtime;

/// The beginning of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The tick.
    pub tick: Tick,
    /// When it was to begin.
    pub deadline: MonotonicTime,
    /// When it began.
    pub woke: MonotonicTime,
    /// Ticks skipped since the last one.
    pub missed: u64,
}

impl Wake {
    /// How late the tick began.
    pub fn lateness(&self) -> Span {
        self.woke - self.deadline
    }
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    clock: TickClock<crate::clock::Monotonic>,
    spin: Span,
    latest: Span,
    next: Tick,
    missed: u64,
}

impl Pacer {
    /// Tick 0 begins at `anchor`.
    pub fn new(anchor: MonotonicTime, period: Period, config: &PacingConfig) -> Self {
        let latest = Span::from_seconds(config.latest_start.clamp(0.0, 1.0) * period.seconds());
        Self {
            clock: TickClock::new(anchor, period),
            spin: Span::from_seconds(config.spin_us.max(0.0) * 1e-6),
            latest,
            next: Tick(0),
            missed: 0,
        }
    }

    /// The grid of ticks.
    pub const fn clock(&self) -> TickClock<crate::clock::Monotonic> {
        self.clock
    }

    /// Waits for the next tick that can still begin in time.
    pub fn wait(&mut self) -> Wake {
        self.wait_with(|_, _| {})
    }

    /// As [`Pacer::wait`]; `prepare` is called with the next tick and its deadline when the time of
    /// active waiting begins, if there is such a time.
    pub fn wait_with(&mut self, mut prepare: impl FnMut(Tick, MonotonicTime)) -> Wake {
        loop {
            let deadline = self.clock.start_of(self.next);
            realtime::sleep_until(deadline - self.spin);
            let mut now = MonotonicTime::now();
            if now < deadline {
                prepare(self.next, deadline);
                now = MonotonicTime::now();
            }
            while now < deadline {
                std::hint::spin_loop();
                now = MonotonicTime::now();
            }
            if let Some(wake) = self.wake_at(now) {
                return wake;
            }
        }
    }

    /// What to do at `now`, which is not before the next tick's deadline: begin a tick, or (none)
    /// go back to sleep, because it is too late for the tick of this period.
    fn wake_at(&mut self, now: MonotonicTime) -> Option<Wake> {
        let current = self.clock.tick_at(now).max(self.next);
        let deadline = self.clock.start_of(current);
        self.missed = self.missed.saturating_add(current.since(self.next));
        if now - deadline > self.latest {
            self.missed = self.missed.saturating_add(1);
            self.next = Tick(current.0.saturating_add(1));
            return None;
        }
        self.next = Tick(current.0.saturating_add(1));
        Some(Wake {
            tick: current,
            deadline,
            woke: now,
            missed: std::mem::take(&mut self.missed),
        })
    }

    /// Time left until the next tick is to begin.
    pub fn slack(&self, now: MonotonicTime) -> Span {
        self.clock.start_of(self.next) - now
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const PERIOD: i64 = 50_000_000;

    fn pacer(latest_start: f64) -> Pacer {
        let config = PacingConfig {
            spin_us: 0.0,
            latest_start,
        };
        let period = Period::from_span(Span::from_nanos(PERIOD)).unwrap();
        Pacer::new(MonotonicTime::from_nanos(0), period, &config)
    }

    /// Runs against a scripted clock: each tick's work takes `work`, each sleep ends `late` after
    /// its deadline.
    fn run(pacer: &mut Pacer, script: &[(i64, i64)]) -> Vec<Wake> {
        let mut now = 0_i64;
        let mut wakes = Vec::new();
        for &(work, late) in script {
            let wake = loop {
                let deadline = pacer.clock.start_of(pacer.next).nanos();
                if now < deadline {
                    now = deadline + late;
                }
                if let Some(wake) = pacer.wake_at(MonotonicTime::from_nanos(now)) {
                    break wake;
                }
            };
            wakes.push(wake);
            now += work;
        }
        wakes
    }

    #[test]
    fn an_overrun_skips_whole_periods_and_counts_them() {
        let work = [
            (1, 0),
            (2 * PERIOD + PERIOD / 4, 0),
            (PERIOD + PERIOD * 3 / 4, 0),
            (1, 0),
        ];
        let wakes = run(&mut pacer(0.5), &work);
        let seen: Vec<_> = wakes
            .iter()
            .map(|wake| (wake.tick.0, wake.missed))
            .collect();
        // Tick 1 ends at 3.25: tick 2 is gone, tick 3 begins a quarter late and ends at 5.0.
        // Tick 5 begins on time.
        assert_eq!(seen, [(0, 0), (1, 0), (3, 1), (5, 1)]);
        assert_eq!(wakes[2].lateness(), Span::from_nanos(PERIOD / 4));
        assert_eq!(wakes[3].lateness(), Span::ZERO);
    }

    #[test]
    fn a_tick_that_would_begin_too_late_is_skipped() {
        let wakes = run(&mut pacer(0.5), &[(PERIOD + PERIOD * 3 / 4, 0), (1, 0)]);
        assert_eq!((wakes[1].tick, wakes[1].missed), (Tick(2), 1));
    }

    #[test]
    fn real_sleeping_keeps_to_the_grid() {
        let config = PacingConfig {
            spin_us: 200.0,
            latest_start: 1.0,
        };
        let period = Period::from_span(Span::from_millis(2)).unwrap();
        let anchor = MonotonicTime::now() + Span::from_millis(2);
        let mut pacer = Pacer::new(anchor, period, &config);
        for _ in 0..50 {
            let wake = pacer.wait();
            assert!(wake.woke >= wake.deadline);
            assert_eq!(wake.deadline, anchor + period.times(wake.tick.0));
        }
    }

    proptest! {
        #[test]
        fn lateness_never_adds_up(
            script in prop::collection::vec((0..3 * PERIOD, 0..PERIOD * 2 / 5), 1..200),
            latest_start in 0.4f64..=1.0,
        ) {
            let mut pacer = pacer(latest_start);
            let wakes = run(&mut pacer, &script);
            let mut expected = 0;
            for wake in &wakes {
                // On the grid, inside its own period, early enough in it, and nothing uncounted.
                prop_assert_eq!(wake.deadline.nanos(), wake.tick.0 as i64 * PERIOD);
                prop_assert!(wake.lateness() >= Span::ZERO);
                prop_assert!(wake.lateness().nanos() <= (latest_start * PERIOD as f64) as i64 + 1);
                expected += wake.missed;
                prop_assert_eq!(wake.tick.0, expected);
                expected += 1;
            }
        }

        #[test]
        fn without_overruns_no_tick_is_missed(
            lates in prop::collection::vec(0..PERIOD / 4, 1..200),
        ) {
            let script: Vec<_> = lates.into_iter().map(|late| (PERIOD / 2, late)).collect();
            let wakes = run(&mut pacer(0.5), &script);
            prop_assert_eq!(wakes.last().unwrap().tick.0 as usize, script.len() - 1);
        }
    }
}
