//! When a generation is taken back without being asked to.
//!
//! Passing the gate is not the end: a generation is watched after it was put in force. It is taken
//! back when
//!
//! - inference could not use it: a value that is not finite, a panic, tensors that do not fit;
//! - the control thread reports more jumps at chunk splices than allowed while it is watched;
//! - on windows recorded since it was put in force, which neither it nor its parent was trained
//!   on, its parent has the lower loss by more than chance (the paired test of
//!   [`super::paired_test`] with the sides exchanged);
//! - its losses on those windows are not finite.
//!
//! A generation that passes all checks is confirmed; from then on only faults take it back. No
//! candidate is nominated before that, so at most one generation at a time is unproven.

use std::collections::VecDeque;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{positive, within};
use super::error::LearnerError;
use super::gate::{Losses, relative_gains};
use super::paired::paired_test;

/// When a generation is taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RollbackConfig {
    /// Confidence that the parent is better, in [0.5, 1). 0.95 by default.
    pub confidence: f64,
    /// Checks that a generation must pass to be confirmed. 2 by default; 0 for no checks.
    pub checks: u32,
    /// Ticks of new experience before each check. 150 by default.
    pub check_ticks: u32,
    /// Jumps at chunk splices, within the ticks below, that take a watched generation back.
    /// 3 by default.
    pub splice_alarms: u32,
    /// Ticks over which jumps are counted. 200 by default.
    pub splice_ticks: u32,
    /// Ticks after a rollback during which nothing is judged. 400 by default.
    pub rest_ticks: u32,
}

impl Default for RollbackConfig {
    fn default() -> Self {
        Self {
            confidence: 0.95,
            checks: 2,
            check_ticks: 150,
            splice_alarms: 3,
            splice_ticks: 200,
            rest_ticks: 400,
        }
    }
}

impl RollbackConfig {
    pub(super) fn validate(&self) -> Result<(), LearnerError> {
        within("rollback.confidence", self.confidence, 0.5, 1.0 - 1e-9)?;
        positive("rollback.check_ticks", self.check_ticks)?;
        positive("rollback.splice_alarms", self.splice_alarms)
    }
}

/// Why a generation is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Inference could not use it.
    Fault(String),
    /// It made the robot jump at splices.
    Splices(u32),
    /// Its parent is better on fresh windows.
    Loss(String),
    /// Its losses on fresh windows are not finite.
    NonFinite(String),
    /// A person said so.
    Operator,
}

impl std::fmt::Display for Trigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fault(reason) => write!(f, "fault: {reason}"),
            Self::Splices(count) => write!(f, "{count} jumps at chunk splices"),
            Self::Loss(numbers) => write!(f, "its parent is better on fresh windows: {numbers}"),
            Self::NonFinite(what) => write!(f, "{what}"),
            Self::Operator => write!(f, "taken back by hand"),
        }
    }
}

/// Watches the generation in force. Times are record numbers: ticks of experience.
#[derive(Debug)]
pub struct Monitor {
    config: RollbackConfig,
    watched: Option<Watched>,
    trigger: Option<Trigger>,
}

#[derive(Debug)]
struct Watched {
    generation: u64,
    parent: u64,
    since: u64,
    checked: u32,
    next_check: u64,
    alarms: VecDeque<u64>,
}

impl Monitor {
    /// Watches nothing yet.
    pub const fn new(config: RollbackConfig) -> Self {
        Self {
            config,
            watched: None,
            trigger: None,
        }
    }

    /// A generation was put in force at record `now`.
    pub fn published(&mut self, generation: u64, parent: u64, now: u64) {
        self.trigger = None;
        self.watched = (self.config.checks > 0).then(|| Watched {
            generation,
            parent,
            since: now,
            checked: 0,
            next_check: now + u64::from(self.config.check_ticks),
            alarms: VecDeque::new(),
        });
    }

    /// The generation in force was replaced by an older one.
    pub fn stop(&mut self) {
        self.watched = None;
        self.trigger = None;
    }

    /// The generation in force is to be taken back.
    pub fn trigger(&mut self, trigger: Trigger) {
        self.trigger.get_or_insert(trigger);
    }

    /// The robot jumped at a splice of a chunk of `generation`, at record `now`.
    pub fn splice_alarm(&mut self, generation: u64, now: u64) {
        let Some(watched) = &mut self.watched else {
            return;
        };
        if watched.generation != generation {
            return;
        }
        let oldest = now.saturating_sub(u64::from(self.config.splice_ticks));
        watched.alarms.push_back(now);
        while watched.alarms.front().is_some_and(|at| *at < oldest) {
            watched.alarms.pop_front();
        }
        let count = watched.alarms.len() as u32;
        if count >= self.config.splice_alarms {
            self.trigger(Trigger::Splices(count));
        }
    }

    /// Whether the generation in force is not confirmed yet.
    pub const fn watching(&self) -> bool {
        self.watched.is_some()
    }

    /// Takes the reason to take the generation in force back, if there is one.
    pub fn take_trigger(&mut self) -> Option<Trigger> {
        self.trigger.take()
    }

    /// Whether there is a reason to take the generation in force back.
    pub const fn triggered(&self) -> bool {
        self.trigger.is_some()
    }

    /// The generation to compare with and the records to do it on, if a check is due at `now`.
    pub fn check_due(&self, now: u64) -> Option<(u64, Range<u64>)> {
        let watched = self.watched.as_ref()?;
        (now >= watched.next_check).then_some((watched.parent, watched.since..now))
    }

    /// A check could not be made at record `now`: it is put off.
    pub fn put_off(&mut self, now: u64) {
        if let Some(watched) = &mut self.watched {
            watched.next_check = now + u64::from(self.config.check_ticks);
        }
    }

    /// A check was made at record `now`; `losses` has the generation in force as its reference and
    /// its parent as its candidate.
    pub fn checked(&mut self, losses: &[Losses], blocks: u32, now: u64) {
        let Some(watched) = &mut self.watched else {
            return;
        };
        watched.checked += 1;
        watched.next_check = now + u64::from(self.config.check_ticks);
        let passed = watched.checked >= self.config.checks;
        let broken = losses
            .iter()
            .find(|entry| entry.reference.iter().any(|loss| !loss.is_finite()));
        if let Some(entry) = broken {
            let reason = format!("loss `{}` on fresh windows is not finite", entry.objective);
            self.trigger(Trigger::NonFinite(reason));
            return;
        }
        let gains = relative_gains(losses);
        if let Some(test) = paired_test(&gains, blocks as usize)
            && test.mean > 0.0
            && test.p <= 1.0 - self.config.confidence
        {
            self.trigger(Trigger::Loss(format!(
                "by {:.3} %, p {:.4} on {} windows",
                test.mean * 100.0,
                test.p,
                gains.len()
            )));
        } else if passed {
            self.watched = None;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn losses(in_force: f32, parent: f32) -> Vec<Losses> {
        let around = |value: f32| (0..32).map(|i| value + 0.01 * (i % 5) as f32).collect();
        vec![Losses {
            objective: "o".to_owned(),
            weight: 1.0,
            reference: around(in_force),
            candidate: around(parent),
        }]
    }

    fn watching() -> Monitor {
        let mut monitor = Monitor::new(RollbackConfig::default());
        monitor.published(4, 3, 1000);
        monitor
    }

    #[test]
    fn a_generation_that_passes_its_checks_is_confirmed() {
        let mut monitor = watching();
        let mut now = 1000;
        for _ in 0..2 {
            assert!(monitor.watching());
            assert_eq!(monitor.check_due(now + 149), None);
            now += 150;
            assert_eq!(monitor.check_due(now), Some((3, 1000..now)));
            monitor.checked(&losses(1.0, 1.2), 8, now);
        }
        assert!(!monitor.watching());
        assert_eq!(monitor.check_due(u64::MAX), None);
        assert_eq!(monitor.take_trigger(), None);
        monitor.splice_alarm(4, now);
        monitor.splice_alarm(4, now);
        monitor.splice_alarm(4, now);
        assert!(!monitor.triggered());
    }

    #[test]
    fn a_better_parent_takes_it_back() {
        let mut monitor = watching();
        monitor.checked(&losses(1.2, 1.0), 8, 1200);
        assert!(matches!(monitor.take_trigger(), Some(Trigger::Loss(_))));
        let mut monitor = watching();
        monitor.checked(&losses(f32::NAN, 1.0), 8, 1200);
        assert!(matches!(
            monitor.take_trigger(),
            Some(Trigger::NonFinite(_))
        ));
    }

    #[test]
    fn jumps_count_only_close_together_and_for_the_watched_generation() {
        let mut monitor = watching();
        for now in [1000, 1300, 1600, 1900] {
            monitor.splice_alarm(4, now);
            monitor.splice_alarm(3, now);
        }
        assert!(!monitor.triggered());
        monitor.splice_alarm(4, 1950);
        monitor.splice_alarm(4, 2000);
        assert_eq!(monitor.take_trigger(), Some(Trigger::Splices(3)));
    }
}
