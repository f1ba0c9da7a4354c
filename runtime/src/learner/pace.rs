//! How much of the machine the learner takes.
//!
//! Two rules, both on measured times:
//!
//! - *duty*: after a micro-step of `t` seconds the learner rests for at least `t (1/d − 1)`, so
//!   that it works a share `d` of the time;
//! - *slack*: a micro-step begins only if a high quantile of the times of its kind fits what
//!   inference leaves free.
//!
//! A machine that never leaves enough room keeps the learner waiting, visibly; after a while the
//! measured times are forgotten, so that one slow hour does not stop it for good.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{positive, within};
use super::error::LearnerError;
use super::step::StepKind;
use crate::inference::LatencyWindow;

/// How much of the machine the learner's thread may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PaceConfig {
    /// Largest share of the time that the learner works, in [0, 1]. 0 stops it. 0.5 by default.
    pub duty: f64,
    /// Quantile of the measured times that must fit the slack, in [0, 1]. 0.9 by default.
    pub quantile: f64,
    /// Measured times looked back at, per kind of micro-step. 32 by default.
    pub window: usize,
    /// Time without room for a micro-step after which the measured times are forgotten [s].
    /// 60 by default; 0 for never.
    pub reconsider_s: u32,
    /// Longest sleep when there is nothing to do or no room [ms]. 10 by default.
    pub nap_ms: u32,
    /// Threads that the learner computes with, its own included. 1 by default.
    pub threads: u32,
}

impl Default for PaceConfig {
    fn default() -> Self {
        Self {
            duty: 0.5,
            quantile: 0.9,
            window: 32,
            reconsider_s: 60,
            nap_ms: 10,
            threads: 1,
        }
    }
}

impl PaceConfig {
    pub(super) fn validate(&self) -> Result<(), LearnerError> {
        within("pace.duty", self.duty, 0.0, 1.0)?;
        within("pace.quantile", self.quantile, 0.0, 1.0)?;
        positive("pace.threads", self.threads)
    }
}

/// Whether a micro-step may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Go,
    /// No: the duty cycle asks for rest, for this long.
    Rest(Duration),
    /// No: it needs longer than the device is free.
    NoRoom,
    /// No: the duty is zero.
    Paused,
}

/// Decides when micro-steps may begin.
#[derive(Debug)]
pub struct Pace {
    config: PaceConfig,
    times: [LatencyWindow; 3],
    rest_until: Option<Instant>,
    no_room_since: Option<Instant>,
}

impl Pace {
    /// Nothing measured yet: the first micro-step of each kind begins in any slack at all.
    pub fn new(config: PaceConfig) -> Self {
        let window = || LatencyWindow::new(config.window);
        Self {
            times: [window(), window(), window()],
            config,
            rest_until: None,
            no_room_since: None,
        }
    }

    /// Whether a micro-step of this kind may begin at `now`, if the device is free for `free`.
    pub fn admit(&mut self, kind: StepKind, free: Duration, now: Instant) -> Admission {
        if self.config.duty.is_nan() || self.config.duty <= 0.0 {
            return Admission::Paused;
        }
        if let Some(end) = self.rest_until
            && now < end
        {
            return Admission::Rest(end - now);
        }
        let needed = self.times[kind as usize]
            .quantile(self.config.quantile)
            .unwrap_or_default();
        if free.is_zero() || needed > free {
            let since = *self.no_room_since.get_or_insert(now);
            let patience = Duration::from_secs(u64::from(self.config.reconsider_s));
            if !patience.is_zero() && now.saturating_duration_since(since) >= patience {
                self.times[kind as usize].clear();
                self.no_room_since = None;
            }
            return Admission::NoRoom;
        }
        self.no_room_since = None;
        Admission::Go
    }

    /// A micro-step of this kind ended at `now` and took `took`.
    pub fn finished(&mut self, kind: StepKind, took: Duration, now: Instant) {
        let times = &mut self.times[kind as usize];
        // The first of a kind compiles and tunes: it says nothing about the next.
        if times.summary().count > 0 || !times.is_empty() {
            times.push(took);
        } else {
            times.push(Duration::ZERO);
        }
        let rest = took.as_secs_f64() * (1.0 / self.config.duty.max(1e-6) - 1.0);
        self.rest_until = now.checked_add(Duration::from_secs_f64(rest.min(3600.0)));
    }

    /// Longest sleep when there is nothing to do or no room.
    pub fn nap(&self) -> Duration {
        Duration::from_millis(u64::from(self.config.nap_ms.max(1)))
    }

    /// Threads to compute with.
    pub fn threads(&self) -> usize {
        self.config.threads.max(1) as usize
    }

    /// Sets the duty, cut to [0, 1].
    pub fn set_duty(&mut self, duty: f64) {
        self.config.duty = duty.clamp(0.0, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn pace(duty: f64) -> Pace {
        Pace::new(PaceConfig {
            duty,
            reconsider_s: 1,
            ..PaceConfig::default()
        })
    }

    #[test]
    fn the_duty_cycle_is_kept() {
        let mut pace = pace(0.25);
        let now = Instant::now();
        assert_eq!(
            pace.admit(StepKind::Update, Duration::MAX, now),
            Admission::Go
        );
        pace.finished(StepKind::Update, 10 * MS, now);
        assert_eq!(
            pace.admit(StepKind::Update, Duration::MAX, now + 10 * MS),
            Admission::Rest(20 * MS)
        );
        assert_eq!(
            pace.admit(StepKind::Update, Duration::MAX, now + 30 * MS),
            Admission::Go
        );
        pace.set_duty(0.0);
        assert_eq!(
            pace.admit(StepKind::Update, Duration::MAX, now),
            Admission::Paused
        );
    }

    #[test]
    fn what_does_not_fit_does_not_begin() {
        let mut pace = pace(1.0);
        let now = Instant::now();
        assert_eq!(
            pace.admit(StepKind::Update, Duration::ZERO, now),
            Admission::NoRoom
        );
        // The first is cold and does not count.
        pace.finished(StepKind::Update, 9000 * MS, now);
        assert_eq!(pace.admit(StepKind::Update, MS, now), Admission::Go);
        for _ in 0..20 {
            pace.finished(StepKind::Update, 30 * MS, now);
        }
        assert_eq!(
            pace.admit(StepKind::Update, 29 * MS, now),
            Admission::NoRoom
        );
        assert_eq!(pace.admit(StepKind::Update, 31 * MS, now), Admission::Go);
        assert_eq!(pace.admit(StepKind::Evaluate, 29 * MS, now), Admission::Go);
    }

    #[test]
    fn a_slow_past_is_forgotten_in_the_end() {
        let mut pace = pace(1.0);
        let now = Instant::now();
        for _ in 0..20 {
            pace.finished(StepKind::Update, 500 * MS, now);
        }
        assert_eq!(
            pace.admit(StepKind::Update, 20 * MS, now),
            Admission::NoRoom
        );
        let later = now + 1001 * MS;
        assert_eq!(
            pace.admit(StepKind::Update, 20 * MS, later),
            Admission::NoRoom
        );
        assert_eq!(pace.admit(StepKind::Update, 20 * MS, later), Admission::Go);
    }
}
