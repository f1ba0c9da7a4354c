//! The thread that plans in real time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cerebellum_messages::{ActionChunk, Goal, Observation, Tick};
use cerebellum_policies::policy::Plan;

use super::config::InferenceConfig;
use super::core::{InferenceCore, InferenceStats};
use super::event::InferenceEvent;
use super::fault::panic_message;
use super::pulse::{InferenceState, Pulse};
use super::schedule::{Decision, Schedule};
use super::slack::Slack;
use super::warmup::{WarmupInputs, WarmupReport, warm_up};

/// Where observations come from.
pub trait ObservationSource: Send {
    /// The newest observation, unless it is that of tick `after` (`None`: any will do); waits for
    /// one at most `timeout`.
    fn wait_newer(&mut self, after: Option<Tick>, timeout: Duration) -> Option<Arc<Observation>>;
}

/// Where goals come from.
pub trait GoalSource: Send {
    /// What happened to the goal since the last call, if anything did. Never waits.
    fn newest(&mut self) -> Option<GoalChange>;
}

/// What happened to the goal.
#[derive(Clone, Debug, PartialEq)]
pub enum GoalChange {
    /// There is a new one.
    Set(Goal),
    /// There is none any more.
    Cleared,
}

/// Where chunks go: the control thread's ring.
pub trait ChunkSink: Send {
    /// Hands a chunk over. Returns whether it was taken; one that was not is counted and lost, as
    /// a newer one will follow. Never waits.
    fn deliver(&mut self, chunk: &ActionChunk) -> bool;
}

/// Who else wants to know. Implementations put things into bounded queues and never wait.
pub trait InferenceTap: Send {
    /// A plan was delivered: its latents are worth showing.
    fn plan(&mut self, plan: &Plan);
    /// Something happened to weights or plans.
    fn event(&mut self, event: &InferenceEvent);
    /// The warm-up is over.
    fn warmed_up(&mut self, report: &WarmupReport);
}

/// All that the thread is connected to.
pub struct InferenceIo {
    /// Observations in.
    pub observations: Box<dyn ObservationSource>,
    /// Goals in.
    pub goals: Box<dyn GoalSource>,
    /// Chunks out.
    pub chunks: Box<dyn ChunkSink>,
    /// Latents and events out.
    pub tap: Box<dyn InferenceTap>,
    /// Told when the device is free.
    pub slack: Slack,
    /// For the warm-up.
    pub warmup: WarmupInputs,
    /// Run first on the thread: its priority and affinity.
    pub on_start: Option<Box<dyn FnOnce() + Send>>,
}

/// A running inference thread.
pub struct InferenceThread {
    pulse: Arc<Pulse>,
    handle: JoinHandle<Option<InferenceStats>>,
}

impl InferenceThread {
    /// Starts a thread that plans with `core` for a control loop of the given period.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn spawn(
        core: InferenceCore,
        config: &InferenceConfig,
        period: Duration,
        io: InferenceIo,
    ) -> std::io::Result<Self> {
        let pulse = Arc::new(Pulse::default());
        let mut work = Work {
            schedule: Schedule::new(config.replan.clone(), period),
            poll: Duration::from_millis(config.poll_ms.max(1)),
            warmup_plans: config.warmup_plans,
            newest: None,
            refused: 0,
            pulse: Arc::clone(&pulse),
            core,
            io,
        };
        let handle = std::thread::Builder::new()
            .name("inference".to_owned())
            .spawn(move || {
                let pulse = Arc::clone(&work.pulse);
                let slack = work.io.slack.clone();
                let result = catch_unwind(AssertUnwindSafe(|| work.run()));
                slack.open();
                match result {
                    Ok(stats) => {
                        pulse.beat(InferenceState::Stopped);
                        Some(stats)
                    }
                    Err(payload) => {
                        tracing::error!(
                            "the inference thread has died: {}",
                            panic_message(payload.as_ref())
                        );
                        pulse.beat(InferenceState::Dead);
                        None
                    }
                }
            })?;
        Ok(Self { pulse, handle })
    }

    /// Signs of life, for the watchdog.
    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// Asks the thread to end and waits for it at most `patience`. `None` if it died, or does not
    /// answer (a device that hangs cannot be interrupted; the thread is left behind then).
    pub fn stop(self, patience: Duration) -> Option<InferenceStats> {
        self.pulse.stop();
        let end = Instant::now() + patience;
        while !self.handle.is_finished() {
            if Instant::now() >= end {
                tracing::error!("the inference thread does not answer and is left behind");
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.handle.join().ok().flatten()
    }
}

struct Work {
    core: InferenceCore,
    schedule: Schedule,
    io: InferenceIo,
    pulse: Arc<Pulse>,
    poll: Duration,
    warmup_plans: u32,
    /// Tick of the newest observation seen.
    newest: Option<Tick>,
    refused: u64,
}

impl Work {
    fn run(&mut self) -> InferenceStats {
        if let Some(on_start) = self.io.on_start.take() {
            on_start();
        }
        self.pulse.set_generation(self.core.generation());
        self.warm_up();
        let mut resting = InferenceState::Waiting;
        while !self.pulse.stopping() {
            self.pulse.beat(resting);
            self.take_goal();
            let Some(observation) = self.io.observations.wait_newer(self.newest, self.poll) else {
                // Nothing to plan from: the device is free, and so is the time for new weights.
                self.core.swap_pending();
                self.pass_on_events();
                continue;
            };
            self.newest = Some(observation.tick);
            if self.core.goal().is_none() {
                self.io.slack.open();
            } else if self.schedule.decide(observation.tick) == Decision::Wait {
                self.leave_slack(observation.tick, Instant::now());
            } else {
                resting = self.plan(&observation);
            }
        }
        if self.refused > 0 {
            tracing::warn!(
                "{} chunks were not taken by the control thread",
                self.refused
            );
        }
        self.core.stats()
    }

    fn warm_up(&mut self) {
        let pulse = Arc::clone(&self.pulse);
        let report = warm_up(
            &mut self.core,
            &self.io.warmup,
            self.warmup_plans,
            self.schedule.max_steps(),
            || pulse.beat(InferenceState::WarmingUp),
        );
        self.io.tap.warmed_up(&report);
        self.io.slack.open();
    }

    fn take_goal(&mut self) {
        match self.io.goals.newest() {
            None => return,
            Some(GoalChange::Cleared) => self.core.clear_goal(),
            Some(GoalChange::Set(goal)) => {
                if let Err(fault) = self.core.on_goal(&goal) {
                    self.io.tap.event(&InferenceEvent::Faulted {
                        tick: self.newest.unwrap_or_default(),
                        generation: self.core.generation(),
                        name: fault.name(),
                        reason: fault.to_string(),
                    });
                }
            }
        }
        self.schedule.forget();
        // The newest observation may be used again for the new goal.
        self.newest = None;
    }

    fn plan(&mut self, observation: &Observation) -> InferenceState {
        self.io.slack.close();
        self.pulse.beat(InferenceState::Planning);
        let begun = Instant::now();
        let limit = self.schedule.limit(observation.tick, begun);
        let result = self.core.on_observation(observation, limit);
        let state = match result {
            Ok(plan) => {
                let latency = begun.elapsed();
                if !self.io.chunks.deliver(&plan.chunk) {
                    self.refused += 1;
                }
                self.pulse.count_plan();
                self.schedule.delivered(&plan.chunk, latency);
                self.io.tap.plan(&plan);
                InferenceState::Waiting
            }
            Err(_) => {
                // Named and reported by the core's event.
                self.pulse.count_fault();
                InferenceState::Faulted
            }
        };
        // After the delivery, so that loading does not delay a chunk.
        self.core.swap_pending();
        self.pass_on_events();
        self.leave_slack(observation.tick, begun);
        state
    }

    /// Lets others use the device until the next plan is due; tick `tick` began at `at`.
    fn leave_slack(&self, tick: Tick, at: Instant) {
        let free = self
            .schedule
            .ticks_to_duration(self.schedule.ticks_until_due(tick));
        match at.checked_add(free) {
            Some(end) => self.io.slack.open_until(end),
            None => self.io.slack.open(),
        }
    }

    fn pass_on_events(&mut self) {
        let events = self.core.take_events();
        if events.is_empty() {
            return;
        }
        self.pulse.set_generation(self.core.generation());
        for event in &events {
            self.io.tap.event(event);
        }
    }
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
