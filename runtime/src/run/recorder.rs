//! Explanations of ticks in; experience for the learner, pictures for the viewer, a status for
//! everyone out. Takes from bounded rings and never pushes back.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cerebellum_bridge::sync::Queue;
use cerebellum_bridge::viewer::{Event, Moment, Timing, ViewerTap};
use cerebellum_messages::{Goal, Observation, RuntimeState, RuntimeStatus, Stamp, Tick};

use super::sensing::Sensed;
use crate::clock::{Monotonic, MonotonicTime, Period, Span, TickClock, WallTime};
use crate::control::{ControlStats, Counter, Histogram, RecordReceiver, TickRecord};
use crate::learner::{Feedback, Record};

/// How long to sleep between two looks at the ring.
const NAP: Duration = Duration::from_millis(5);
/// Time between two statuses while nothing changes.
const STATUS: Duration = Duration::from_millis(500);
/// Observations kept for finding the one behind a tick; ten seconds at 20 Hz.
const KEPT: usize = 200;
/// A splice that moves an action by more than this share of its scale is told to the learner.
const SPLICE_ALARM: f32 = 1.0;

/// All that the thread is connected to.
pub struct RecorderIo {
    /// Explanations of ticks in.
    pub records: RecordReceiver,
    /// Observations in.
    pub history: Queue<Sensed>,
    /// The goal in force.
    pub goal: Arc<Mutex<Option<Arc<Goal>>>>,
    /// Experience, to the learner if there is one.
    pub experience: Option<Queue<Record>>,
    /// Alarms, to the learner.
    pub feedback: Queue<Feedback>,
    /// Pictures.
    pub viewer: ViewerTap,
    /// Statuses, to whoever listens.
    pub status: Box<dyn FnMut(&RuntimeStatus) + Send>,
    /// Figures of the control loop.
    pub stats: Arc<ControlStats>,
    /// The grid of ticks.
    pub clock: TickClock<Monotonic>,
    /// Joint names, in command order.
    pub names: Vec<String>,
    /// Numbers per action.
    pub action_dim: usize,
}

/// A running recorder. Dropping it takes what is left and ends the thread.
#[derive(Debug)]
pub struct RecorderThread {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    ages: Arc<Histogram>,
}

impl RecorderThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn spawn(io: RecorderIo) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let ages = Arc::new(Histogram::default());
        let (stopped, measured) = (Arc::clone(&stop), Arc::clone(&ages));
        let mut work = Work {
            io,
            seen: VecDeque::new(),
            ages: measured,
            told: None,
            slice: None,
        };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || {
                loop {
                    let last = stopped.load(Ordering::Acquire);
                    work.turn();
                    if last {
                        break;
                    }
                    std::thread::sleep(NAP);
                }
            })?;
        Ok(Self {
            thread: Some(thread),
            stop,
            ages,
        })
    }

    /// Ages of the observations behind executed actions [ns].
    pub fn ages(&self) -> Arc<Histogram> {
        Arc::clone(&self.ages)
    }
}

impl Drop for RecorderThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the recorder panicked: ticks after that are not on record");
        }
    }
}

struct Work {
    io: RecorderIo,
    seen: VecDeque<Sensed>,
    ages: Arc<Histogram>,
    told: Option<(RuntimeState, Instant)>,
    slice: Option<Arc<Goal>>,
}

impl Work {
    fn turn(&mut self) {
        while let Some(sensed) = self.io.history.try_receive() {
            self.show_sensed(&sensed);
            if self.seen.len() == KEPT {
                self.seen.pop_front();
            }
            self.seen.push_back(sensed);
        }
        self.slice = self
            .io
            .goal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        while let Some(record) = self.io.records.pop() {
            self.take(&record);
        }
    }

    fn show_sensed(&self, sensed: &Sensed) {
        if !self.io.viewer.is_open() {
            return;
        }
        let observation = &sensed.observation;
        let moment = Moment::new(observation.tick, observation.stamp);
        for frame in &observation.frames {
            self.io.viewer.offer(moment, Event::Frame(frame.clone()));
        }
        self.io
            .viewer
            .offer(moment, Event::Joints(observation.joints.clone()));
    }

    fn take(&mut self, record: &TickRecord) {
        let age = self.age(record);
        if let Some(age) = age {
            self.ages.record(age.nanos().max(0) as u64);
        }
        self.remember(record);
        self.alarm(record);
        self.show(record, age);
        let due = self
            .told
            .is_none_or(|(state, at)| state != record.state || at.elapsed() >= STATUS);
        if due {
            self.told = Some((record.state, Instant::now()));
            let status = status(record, &self.io.stats);
            (self.io.status)(&status);
            let moment = Moment {
                tick: Some(record.tick),
                stamp: stamp_of(record),
            };
            self.io.viewer.offer(moment, Event::Status(status));
        }
    }

    /// Age of the observation behind the executed action at the beginning of its tick.
    fn age(&self, record: &TickRecord) -> Option<Span> {
        let observed = record.source?.observed;
        let sensed = self
            .seen
            .iter()
            .rev()
            .find(|sensed| sensed.observation.tick == observed)?;
        let begun = self.io.clock.start_of(record.tick) + record.lateness;
        let arrived = MonotonicTime::now() - Span::from(sensed.oldest.elapsed());
        Some(begun - arrived)
    }

    fn remember(&self, record: &TickRecord) {
        let (Some(_), Some(goal), Some(experience)) =
            (record.source, &self.slice, &self.io.experience)
        else {
            return;
        };
        if goal.id != record.goal_id {
            return;
        }
        // What the robot had seen when it acted. Where a picture was lost, the one before serves.
        let Some(sensed) = self
            .seen
            .iter()
            .rev()
            .find(|sensed| sensed.observation.tick <= record.tick)
        else {
            return;
        };
        if record.tick.since(sensed.observation.tick) > 1 {
            return;
        }
        let observation = Observation {
            tick: record.tick,
            ..(*sensed.observation).clone()
        };
        experience.send(Record {
            observation: Arc::new(observation),
            action: record
                .action
                .iter()
                .take(self.io.action_dim)
                .copied()
                .collect(),
            goal: Arc::clone(goal),
            episode: goal.id,
        });
    }

    fn alarm(&self, record: &TickRecord) {
        if let (Some(source), Some(jump)) = (record.source, record.splice_jump)
            && jump > SPLICE_ALARM
        {
            self.io.feedback.send(Feedback::SpliceAlarm {
                generation: source.generation,
            });
        }
    }

    fn show(&self, record: &TickRecord, age: Option<Span>) {
        let viewer = &self.io.viewer;
        if !viewer.is_open() {
            return;
        }
        let moment = Moment {
            tick: Some(record.tick),
            stamp: stamp_of(record),
        };
        if let Some(source) = record.source {
            let action = record
                .action
                .iter()
                .take(self.io.action_dim)
                .copied()
                .collect();
            viewer.offer(moment, Event::Action(action));
            viewer.offer(moment, scalar("generation", source.generation as f64));
        }
        if let Some(command) = &record.command {
            viewer.offer(
                moment,
                Event::Command(command.to_message(&self.io.names, self.period())),
            );
        }
        let timing = Timing {
            slack_us: record.slack.micros(),
            jitter_us: record.lateness.micros(),
            observation_age_us: age.map_or(f64::NAN, Span::micros),
            actions_left: self.io.stats.remaining() as f64,
            ..Timing::default()
        };
        viewer.offer(moment, Event::Timing(timing));
    }

    const fn period(&self) -> Period {
        self.io.clock.period()
    }
}

/// A point of a curve.
pub fn scalar(name: &str, value: f64) -> Event {
    Event::Scalar {
        name: name.to_owned(),
        value,
    }
}

/// The stamp of the sensors behind a tick.
pub fn stamp_of(record: &TickRecord) -> Option<Stamp> {
    record.command.map(|command| command.stamp)
}

/// The status that a tick amounts to.
pub fn status(record: &TickRecord, stats: &ControlStats) -> RuntimeStatus {
    let counters = stats.snapshot().counters;
    RuntimeStatus {
        stamp: Stamp(WallTime::now().nanos()),
        tick: Tick(record.tick.0),
        state: record.state,
        goal_id: record.goal_id,
        generation: record.source.map_or(0, |source| source.generation),
        missed: counters.get(Counter::Missed),
        limited: counters.get(Counter::Limited),
        slack_us: record.slack.micros() as f32,
        detail: String::new(),
    }
}
