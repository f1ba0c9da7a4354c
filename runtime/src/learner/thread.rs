//! The thread that learns while the robot works.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cerebellum_messages::LearnerReport;
use serde::Serialize;

use super::compute::{StepBack, own_pool};
use super::core::LearnerCore;
use super::pace::{Admission, Pace, PaceConfig};
use super::record::Record;
use super::stats::LearnerStats;
use super::step::{Did, Wait};
use crate::inference::Slack;
use crate::inference::panic_message;

/// Where experience comes from: a bounded queue that drops its oldest items.
pub trait ExperienceSource: Send {
    /// The oldest record that waits. Never waits for one.
    fn next(&mut self) -> Option<Record>;
    /// Records dropped so far because the queue was full.
    fn dropped(&self) -> u64;
}

/// Where the rest of the runtime tells the learner things.
pub trait FeedbackSource: Send {
    /// The oldest word that waits. Never waits for one.
    fn next(&mut self) -> Option<Feedback>;
}

/// What the rest of the runtime tells the learner.
#[derive(Clone, Debug, PartialEq)]
pub enum Feedback {
    /// Inference could not use a generation
    /// ([`crate::inference::InferenceEvent::condemned`]).
    Condemned {
        /// The generation.
        generation: u64,
        /// Why.
        reason: String,
    },
    /// The robot jumped where a chunk of this generation was spliced in.
    SpliceAlarm {
        /// The generation.
        generation: u64,
    },
    /// Take the generation in force back.
    TakeBack,
    /// Put a generation in force and keep it there.
    Pin(u64),
    /// End a pin.
    Unpin,
    /// Share of the time that the learner may work, in [0, 1].
    Duty(f64),
}

/// Where reports go: a bounded queue that drops its oldest items.
pub trait ReportSink: Send {
    /// Takes a report. Never waits.
    fn report(&mut self, report: LearnerReport);
}

/// All that the thread is connected to.
pub struct LearnerIo {
    /// Experience in.
    pub experience: Box<dyn ExperienceSource>,
    /// Words in.
    pub feedback: Box<dyn FeedbackSource>,
    /// Reports out.
    pub reports: Box<dyn ReportSink>,
    /// How long the device is free.
    pub slack: Slack,
    /// Run first on each of the learner's threads: its priority and affinity.
    pub step_back: Option<StepBack>,
}

/// What the learner's thread is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LearnerState {
    /// Not running yet.
    #[default]
    Starting,
    /// Waiting for experience.
    Waiting,
    /// Working.
    Learning,
    /// Waiting for room on the device.
    NoRoom,
    /// The duty is zero.
    Paused,
    /// A generation is pinned.
    Pinned,
    /// Off: it failed. Control is not affected; the generation in force stays.
    Off {
        /// Why.
        reason: String,
    },
    /// Ended as it was told to.
    Stopped,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    view: Mutex<View>,
}

#[derive(Default)]
struct View {
    state: LearnerState,
    stats: LearnerStats,
}

impl Shared {
    fn view(&self) -> std::sync::MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// A running learner.
pub struct LearnerThread {
    shared: Arc<Shared>,
    handle: JoinHandle<()>,
}

impl LearnerThread {
    /// Starts a thread that learns with `core`.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn spawn(core: LearnerCore, pace: PaceConfig, io: LearnerIo) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut work = Work {
            pace: Pace::new(pace),
            put_off: 0,
            shared: Arc::clone(&shared),
            core,
            io,
        };
        let handle = std::thread::Builder::new()
            .name("learner".to_owned())
            .spawn(move || {
                let shared = Arc::clone(&work.shared);
                let end = match catch_unwind(AssertUnwindSafe(|| work.run())) {
                    Ok(()) => LearnerState::Stopped,
                    Err(payload) => {
                        let reason = panic_message(payload.as_ref());
                        tracing::error!("the learner is off: it panicked: {reason}");
                        LearnerState::Off { reason }
                    }
                };
                shared.view().state = end;
            })?;
        Ok(Self { shared, handle })
    }

    /// What the thread is doing.
    pub fn state(&self) -> LearnerState {
        self.shared.view().state.clone()
    }

    /// What it has done, as of its last turn.
    pub fn stats(&self) -> LearnerStats {
        self.shared.view().stats.clone()
    }

    /// Asks the thread to end after the micro-step it is in, and waits at most `patience`.
    /// Returns whether it ended; one that did not is left behind.
    pub fn stop(self, patience: Duration) -> (LearnerState, LearnerStats) {
        self.shared.stop.store(true, Ordering::Release);
        self.handle.thread().unpark();
        let end = Instant::now() + patience;
        while !self.handle.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        if !self.handle.is_finished() {
            tracing::error!("the learner does not answer and is left behind");
        }
        (self.state(), self.stats())
    }
}

struct Work {
    core: LearnerCore,
    pace: Pace,
    io: LearnerIo,
    shared: Arc<Shared>,
    put_off: u64,
}

impl Work {
    fn run(&mut self) {
        let pool = own_pool(self.pace.threads(), self.io.step_back.take());
        if let Err(error) = &pool {
            tracing::warn!("the learner computes in the threads of the whole process: {error}");
        }
        for finding in self.core.findings() {
            tracing::warn!("{finding}");
        }
        while !self.shared.stopping() {
            self.take_in();
            let (state, nap) = self.turn();
            self.show(state);
            if !nap.is_zero() {
                // Unparked by `stop`.
                std::thread::park_timeout(nap);
            }
        }
        self.take_in();
        self.core.finish();
        self.show(LearnerState::Stopped);
    }

    /// Takes what waits; experience is taken even if there is no room to learn from it.
    fn take_in(&mut self) {
        while let Some(record) = self.io.experience.next() {
            self.core.record(record);
            if self.shared.stopping() {
                return;
            }
        }
        while let Some(word) = self.io.feedback.next() {
            match word {
                Feedback::Condemned { generation, reason } => {
                    self.core.condemn(generation, &reason);
                }
                Feedback::SpliceAlarm { generation } => self.core.splice_alarm(generation),
                Feedback::TakeBack => self.core.take_back(),
                Feedback::Pin(generation) => {
                    if let Err(error) = self.core.pin(generation) {
                        tracing::error!("generation {generation} was not pinned: {error}");
                    }
                }
                Feedback::Unpin => {
                    if let Err(error) = self.core.unpin() {
                        tracing::error!("the pin was not ended: {error}");
                    }
                }
                Feedback::Duty(duty) => self.pace.set_duty(duty),
            }
        }
    }

    /// One micro-step, if there is room. Returns how long to sleep.
    fn turn(&mut self) -> (LearnerState, Duration) {
        let kind = self.core.next_kind();
        let begun = Instant::now();
        let free = self.io.slack.allowance(begun);
        match self.pace.admit(kind, free, begun) {
            Admission::Go => {}
            Admission::Rest(rest) => return (LearnerState::Learning, rest.min(self.pace.nap())),
            Admission::NoRoom => {
                self.put_off += 1;
                return (
                    LearnerState::NoRoom,
                    self.pace.nap().min(Duration::from_millis(2)),
                );
            }
            Admission::Paused => return (LearnerState::Paused, self.pace.nap()),
        }
        let step = self.core.micro_step();
        if let Some(report) = step.report {
            self.io.reports.report(report);
        }
        match step.did {
            Did::Wait(Wait::Pinned) => return (LearnerState::Pinned, self.pace.nap()),
            Did::Wait(Wait::Broken) => {
                let reason = self.core.stats().last_error;
                return (LearnerState::Off { reason }, self.pace.nap());
            }
            Did::Wait(_) => return (LearnerState::Waiting, self.pace.nap()),
            Did::TakeBack { from, to, trigger } => {
                tracing::warn!("generation {from} was taken back to {to}: {trigger}");
            }
            Did::Judge(judgement) => match judgement.rejection {
                None => tracing::info!(
                    "generation {} is in force: {}",
                    self.core.generation(),
                    judgement.reason
                ),
                Some(rejection) => {
                    tracing::debug!("candidate rejected ({rejection:?}): {}", judgement.reason);
                }
            },
            Did::Update | Did::Refuse | Did::Store | Did::Nominate | Did::Evaluate { .. } => {}
        }
        let now = Instant::now();
        self.pace.finished(kind, now - begun, now);
        (LearnerState::Learning, Duration::ZERO)
    }

    fn show(&self, state: LearnerState) {
        let mut stats = self.core.stats();
        stats.tap_dropped = self.io.experience.dropped();
        stats.put_off = self.put_off;
        let mut view = self.shared.view();
        view.state = state;
        view.stats = stats;
    }
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
