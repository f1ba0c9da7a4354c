//! Writes events as rerun data.

mod curves;
mod latents;
mod pictures;
mod plans;
mod states;

use std::collections::BTreeMap;

use cerebellum_messages::Stamp;
use rerun::{EntityPath, EntityPathPart, RecordingStream, RecordingStreamResult, TimeCell};

use crate::viewer::blueprint::default_blueprint;
use crate::viewer::projection::Projection;
use crate::viewer::{Event, Moment};

/// Names of timelines and entities.
pub(super) mod path {
    /// Timeline: control ticks.
    pub(in crate::viewer) const TICK: &str = "tick";
    /// Timeline: the robot's clock.
    pub(in crate::viewer) const STAMP: &str = "stamp";
    /// Timeline: updates of the learner.
    pub(in crate::viewer) const UPDATE: &str = "update";
    /// Timeline: steps of offline training.
    pub(in crate::viewer) const STEP: &str = "step";
    /// Images.
    pub(in crate::viewer) const CAMERA: &str = "camera";
    /// Measured joints.
    pub(in crate::viewer) const JOINTS: &str = "joints";
    /// Commands.
    pub(in crate::viewer) const COMMAND: &str = "command";
    /// Executed actions.
    pub(in crate::viewer) const ACTION: &str = "action";
    /// The newest plan as a table.
    pub(in crate::viewer) const PLAN: &str = "plan";
    /// Plans as lines from their tick into the future.
    pub(in crate::viewer) const PLAN_AHEAD: &str = "plan/ahead";
    /// Vectors out of the policy.
    pub(in crate::viewer) const LATENT: &str = "latent";
    /// Those vectors as points in a plane.
    pub(in crate::viewer) const LATENT_TRAIL: &str = "latent_trail";
    /// Losses of the learner, by objective.
    pub(in crate::viewer) const LEARNER_LOSS: &str = "learner/loss";
    /// Gradient norms of the learner, by objective.
    pub(in crate::viewer) const LEARNER_GRADIENT: &str = "learner/gradient";
    /// What the gate compared.
    pub(in crate::viewer) const LEARNER_GATE: &str = "learner/gate";
    /// What became of the last candidate.
    pub(in crate::viewer) const VERDICT: &str = "verdict";
    /// Counts and generation of the runtime.
    pub(in crate::viewer) const RUNTIME: &str = "runtime";
    /// What the control loop does.
    pub(in crate::viewer) const STATE: &str = "state";
    /// Where the episode stands.
    pub(in crate::viewer) const EPISODE: &str = "episode";
    /// How ticks went.
    pub(in crate::viewer) const TIMING: &str = "timing";
    /// Any other curve.
    pub(in crate::viewer) const CURVE: &str = "curve";
    /// Offline training.
    pub(in crate::viewer) const TRAINING: &str = "training";
    /// The goal in force.
    pub(in crate::viewer) const GOAL: &str = "goal";
    /// Lines for a person.
    pub(in crate::viewer) const LOG: &str = "log";
}

/// Stamps before this [ns] (1980) are of a clock that began with the run, later ones wall time.
const WALL_CLOCKS_BEGIN: i64 = 315_532_800_000_000_000;

/// Writes events to one stream. Used by one thread, which owns the stream's current time.
pub(super) struct Scribe {
    stream: RecordingStream,
    image_every: u32,
    /// Images seen, by camera.
    images: BTreeMap<String, u32>,
    /// Names last given to the series of an entity.
    series: BTreeMap<String, Vec<String>>,
    /// State last written to an entity.
    states: BTreeMap<String, String>,
    projections: BTreeMap<String, Projection>,
    plans: usize,
    /// The newest tick and stamp: for what does not say when it happened.
    now: Moment,
    /// Whether stamps are wall time: decided by the first, since a timeline has one kind.
    wall_time: Option<bool>,
    failures: u64,
}

impl Scribe {
    pub(super) fn new(stream: RecordingStream, image_every: u32) -> Self {
        Self {
            stream,
            image_every,
            images: BTreeMap::new(),
            series: BTreeMap::new(),
            states: BTreeMap::new(),
            projections: BTreeMap::new(),
            plans: 0,
            now: Moment::default(),
            wall_time: None,
            failures: 0,
        }
    }

    pub(super) fn stream(&self) -> &RecordingStream {
        &self.stream
    }

    /// Sends the default arrangement of views for the cameras known so far.
    pub(super) fn greet(&self) {
        let sent = default_blueprint(self.images.keys().map(String::as_str))
            .send(&self.stream, Default::default());
        if let Err(error) = sent {
            tracing::warn!("the viewer arranges its views itself: {error}");
        }
    }

    /// Writes an event.
    pub(super) fn write(&mut self, moment: Moment, event: &Event) {
        self.set_time(moment, event);
        let written = match event {
            Event::Frame(frame) => self.frame(frame),
            Event::Joints(joints) => self.joints(joints),
            Event::Command(command) => self.command(command),
            Event::Action(values) => self.action(values),
            Event::Chunk(chunk) => self.chunk(chunk),
            Event::Latent(latent) => self.latent(latent),
            Event::Learner(report) => self.learner(report),
            Event::Goal(goal) => self.goal(goal),
            Event::Status(status) => self.status(status),
            Event::Episode(status) => self.episode(status),
            Event::Timing(timing) => self.timing(timing),
            Event::Scalar { name, value } => self.scalar(path::CURVE, name, *value),
            Event::Training { name, value, .. } => self.scalar(path::TRAINING, name, *value),
            Event::Text(text) => self.line(text),
        };
        if let Err(error) = written {
            self.failures += 1;
            if self.failures == 1 {
                tracing::warn!("an event was not shown: {error} (later ones are not reported)");
            }
        }
    }

    fn set_time(&mut self, moment: Moment, event: &Event) {
        let said = moment.or(event.moment());
        let moment = match event {
            // Offline, where there are no ticks.
            Event::Training { .. } => said,
            _ => said.or(self.now),
        };
        self.now = said.or(self.now);
        self.stream.reset_time();
        let sequence =
            |number: u64| TimeCell::from_sequence(i64::try_from(number).unwrap_or(i64::MAX));
        if let Some(tick) = moment.tick {
            self.stream.set_time(path::TICK, sequence(tick.0));
        }
        if let Some(stamp) = moment.stamp {
            let stamp = self.stamp(stamp);
            self.stream.set_time(path::STAMP, stamp);
        }
        match event {
            Event::Learner(report) => self.stream.set_time(path::UPDATE, sequence(report.update)),
            Event::Training { step, .. } => self.stream.set_time(path::STEP, sequence(*step)),
            _ => {}
        }
    }

    fn stamp(&mut self, stamp: Stamp) -> TimeCell {
        let nanos = stamp.nanos();
        let wall_time = *self.wall_time.get_or_insert(nanos >= WALL_CLOCKS_BEGIN);
        match wall_time {
            true => TimeCell::from_timestamp_nanos_since_epoch(nanos),
            false => TimeCell::from_duration_nanos(nanos),
        }
    }
}

/// The entity below `root` that a name from outside stands for. Its slashes separate parts.
pub(super) fn entity(root: &str, name: &str) -> EntityPath {
    let parts = root.split('/').chain(name.split('/'));
    let parts = parts.filter(|part| !part.is_empty());
    EntityPath::new(
        parts
            .map(|part| EntityPathPart::new(part.to_owned()))
            .collect(),
    )
}

type Written = RecordingStreamResult<()>;
