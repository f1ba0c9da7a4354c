//! What a thread asks of the operating system to run on time: `SCHED_FIFO`, memory that stays in
//! place, its own CPU, sharp timers. And the opposite, for threads that must never be in the way.
//!
//! Each request may be refused. Then the program goes on, and says what was refused, why, and how
//! to permit it; or, if the configuration is strict, it does not start.
//!
//! ```
//! use cerebellum::realtime::RealtimeConfig;
//!
//! let config = RealtimeConfig { priority: Some(80), ..RealtimeConfig::default() };
//! let outcome = config.apply()?; // for the calling thread
//! for warning in &outcome.warnings {
//!     println!("{warning}");
//! }
//! # Ok::<(), cerebellum::realtime::RealtimeError>(())
//! ```

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::MonotonicTime;

mod advice;
mod permissions;
#[cfg(not(target_os = "linux"))]
#[path = "realtime/portable.rs"]
mod sys;
#[cfg(target_os = "linux")]
mod sys;

pub use permissions::{Permissions, permissions};

/// Bytes of stack that the control thread touches before its first tick, so that no tick has to.
const PREFAULTED_STACK: usize = 256 * 1024;

/// Resource limits of the process that matter here.
#[derive(Clone, Copy, Debug)]
enum Limit {
    /// Highest real-time priority.
    RealtimePriority,
    /// Most bytes locked in memory.
    LockedMemory,
}

/// What to ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RealtimeConfig {
    /// `SCHED_FIFO` priority, 1 to 99; none to stay an ordinary thread. Above 50 also goes before
    /// the kernel's interrupt threads on `PREEMPT_RT`.
    pub priority: Option<i32>,
    /// Keep the process's pages in memory (`mlockall`).
    pub lock_memory: bool,
    /// CPUs that the thread may use; none for all.
    pub affinity: Option<Vec<usize>>,
    /// Refuse to start if any of it is not granted.
    pub strict: bool,
}

impl RealtimeConfig {
    /// An ordinary thread: nothing that needs a permission.
    pub const ORDINARY: Self = Self {
        priority: None,
        lock_memory: false,
        affinity: None,
        strict: false,
    };
    /// What a robot should have.
    pub const ROBOT: Self = Self {
        priority: Some(50),
        lock_memory: true,
        affinity: None,
        strict: false,
    };
}

impl Default for RealtimeConfig {
    fn default() -> Self {
        Self::ROBOT
    }
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RealtimeWarning {
    /// What was asked for.
    pub what: String,
    /// Why it was refused.
    pub why: String,
    /// How to permit it.
    pub remedy: String,
}

impl fmt::Display for RealtimeWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} refused: {}. {}", self.what, self.why, self.remedy)
    }
}

/// What was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RealtimeOutcome {
    /// `SCHED_FIFO` priority in force.
    pub priority: Option<i32>,
    /// Whether the process's pages stay in memory.
    pub memory_locked: bool,
    /// CPUs that the thread was bound to.
    pub affinity: Option<Vec<usize>>,
    /// What was refused.
    pub warnings: Vec<RealtimeWarning>,
}

/// Why a thread cannot run as configured.
#[derive(Debug, thiserror::Error)]
pub enum RealtimeError {
    /// The configuration makes no sense.
    #[error("real-time priority {0} does not exist: give a number from 1 to 99")]
    Priority(i32),
    /// A request was refused and the configuration is strict.
    #[error("not permitted to run as configured (`strict` is set): {}", list(.0))]
    Refused(Vec<RealtimeWarning>),
}

fn list(warnings: &[RealtimeWarning]) -> String {
    let lines: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

impl RealtimeConfig {
    /// Applies the configuration to the calling thread (memory locking: to the process), sharpens
    /// its timers and touches its stack. Called once, before the thread's loop.
    ///
    /// # Errors
    /// A priority that does not exist; any refusal if `strict`.
    pub fn apply(&self) -> Result<RealtimeOutcome, RealtimeError> {
        let mut outcome = RealtimeOutcome::default();
        // Needs no permission; a kernel without it only wakes us a little later.
        let _sharpened = sys::sharpen_timers();
        if let Some(cpus) = &self.affinity {
            match bind(cpus) {
                Ok(()) => outcome.affinity = Some(cpus.clone()),
                Err(warning) => outcome.warnings.push(warning),
            }
        }
        if self.lock_memory {
            match lock_memory() {
                Ok(()) => outcome.memory_locked = true,
                Err(warning) => outcome.warnings.push(warning),
            }
        }
        if let Some(priority) = self.priority {
            if !(1..=99).contains(&priority) {
                return Err(RealtimeError::Priority(priority));
            }
            match set_priority(priority) {
                Ok(()) => outcome.priority = Some(priority),
                Err(warning) => outcome.warnings.push(warning),
            }
        }
        prefault_stack();
        if self.strict && !outcome.warnings.is_empty() {
            return Err(RealtimeError::Refused(outcome.warnings));
        }
        Ok(outcome)
    }
}

/// How far a thread steps back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Background {
    /// Long time slices and a high nice value: yields to all ordinary threads, still progresses.
    #[default]
    Batch,
    /// Runs only when nothing else wants the CPU.
    Idle,
}

/// Puts the calling thread behind all others; needs no permission. `cpus`, if given, are the only
/// ones it may use: leave out the control thread's.
///
/// # Errors
/// What was refused; the rest is in force.
pub fn lower_priority(
    background: Background,
    cpus: Option<&[usize]>,
) -> Result<(), RealtimeWarning> {
    let lowered = match background {
        Background::Batch => sys::set_batch().and_then(|()| sys::set_nice(15)),
        Background::Idle => sys::set_idle(),
    };
    if let Some(cpus) = cpus {
        bind(cpus)?;
    }
    lowered.map_err(|error| RealtimeWarning {
        what: format!("background scheduling ({background:?})"),
        why: error.to_string(),
        remedy: "The thread competes with ordinary ones; leave it a CPU of its own.".to_owned(),
    })
}

/// CPUs that the calling thread may use, without those in `reserved`; all of them if none would be
/// left. Empty where the system cannot tell.
pub fn other_cpus(reserved: &[usize]) -> Vec<usize> {
    let all = sys::affinity().unwrap_or_default();
    let others: Vec<usize> = all
        .iter()
        .copied()
        .filter(|cpu| !reserved.contains(cpu))
        .collect();
    if others.is_empty() { all } else { others }
}

/// Sleeps until the monotonic clock reads `time` or later. Signals do not end it early.
pub fn sleep_until(time: MonotonicTime) {
    sys::sleep_until(time.nanos());
}

/// Reads the monotonic clock, in nanoseconds.
pub(crate) fn monotonic_nanos() -> i64 {
    sys::monotonic_nanos()
}

fn bind(cpus: &[usize]) -> Result<(), RealtimeWarning> {
    sys::set_affinity(cpus).map_err(|error| {
        let available = sys::affinity().unwrap_or_default();
        advice::binding(cpus, &error.to_string(), &available)
    })
}

fn lock_memory() -> Result<(), RealtimeWarning> {
    // Under a bound, locking future pages would make later allocations fail: a crash in exchange
    // for a page fault. So it is asked for only where there is no bound.
    if let Some(bound) = sys::limit(Limit::LockedMemory)
        && !permissions::may_lock_without_bound()
    {
        return Err(advice::memory(&advice::bound(bound)));
    }
    sys::lock_memory().map_err(|error| advice::memory(&error.to_string()))
}

fn set_priority(priority: i32) -> Result<(), RealtimeWarning> {
    sys::set_fifo(priority).map_err(|error| {
        let highest = sys::limit(Limit::RealtimePriority).unwrap_or(0);
        advice::priority(priority, &error.to_string(), highest)
    })
}

/// Touches the stack below the caller, so that its pages exist before the loop needs them.
#[inline(never)]
fn prefault_stack() {
    let mut pages = [0_u8; PREFAULTED_STACK];
    for byte in pages.iter_mut().step_by(4096) {
        *byte = 1;
    }
    std::hint::black_box(&mut pages);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Scheduling is a property of the thread: each test asks for it in one of its own.
    fn in_thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(body).join().unwrap()
    }

    #[test]
    fn what_is_granted_is_in_force_and_what_is_not_is_explained() {
        let (outcome, fifo) = in_thread(|| {
            let config = RealtimeConfig {
                lock_memory: false,
                ..RealtimeConfig::ROBOT
            };
            (config.apply().unwrap(), sys::is_fifo())
        });
        assert_eq!(outcome.priority.is_some(), fifo);
        assert_eq!(outcome.warnings.is_empty(), fifo);
        for warning in outcome.warnings {
            assert!(warning.to_string().contains("rtprio"), "{warning}");
        }
    }

    #[test]
    fn strict_turns_a_refusal_into_an_error() {
        let config = RealtimeConfig {
            affinity: Some(vec![100_000]),
            strict: true,
            ..RealtimeConfig::ORDINARY
        };
        let lenient = RealtimeConfig {
            strict: false,
            ..config.clone()
        };
        let error = in_thread(move || config.apply()).unwrap_err();
        assert!(
            matches!(&error, RealtimeError::Refused(list) if list.len() == 1),
            "{error}"
        );
        let outcome = in_thread(move || lenient.apply()).unwrap();
        assert_eq!(outcome.warnings.len(), 1);
        assert_eq!(outcome.affinity, None);
    }

    #[test]
    fn priorities_that_do_not_exist_are_refused() {
        for priority in [0, -3, 100] {
            let config = RealtimeConfig {
                priority: Some(priority),
                ..RealtimeConfig::ORDINARY
            };
            assert!(matches!(config.apply(), Err(RealtimeError::Priority(_))));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_can_be_bound_and_put_last() {
        in_thread(|| {
            let all = sys::affinity().unwrap();
            let first = all[0];
            lower_priority(Background::Batch, Some(&[first])).unwrap();
            assert_eq!(sys::affinity().unwrap(), vec![first]);
            lower_priority(Background::Idle, Some(&all)).unwrap();
            assert!(!sys::is_fifo());
            assert_eq!(other_cpus(&all), all, "something must be left");
            if all.len() > 1 {
                assert!(!other_cpus(&[first]).contains(&first));
            }
        });
    }

    #[test]
    fn sleeping_until_a_moment_does_not_end_before_it() {
        let until = MonotonicTime::now() + crate::clock::Span::from_millis(5);
        sleep_until(until);
        assert!(MonotonicTime::now() >= until);
        sleep_until(MonotonicTime::from_nanos(-1));
    }
}
