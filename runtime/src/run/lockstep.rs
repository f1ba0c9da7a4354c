//! A run in lockstep: the world owns the tick, and waits for each command.
//!
//! Everything happens in the caller's thread. What crosses the network decides nothing but when a
//! tick runs; what it does follows from the observations, the goals and the seed.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cerebellum_bridge::viewer::{Event, Moment, ViewerTap};
use cerebellum_bridge::zenoh::RobotLink;
use cerebellum_bridge::{Counters, Exact, ObservationAssembler, SensorSet};
use cerebellum_kinematics::Robot;
use cerebellum_messages::{Command, Goal, Stamp, Tick};
use serde::Serialize;

use super::recorder::{scalar, stamp_of, status};
use super::sensing::tcp_pose;
use super::stepper::{Stepped, Stepper};
use super::taps::{FaultLog, show_plan};
use crate::clock::{Period, TickClock, WorldTime};
use crate::control::{ControlStats, Measured};
use crate::learner::LearnerCore;

/// Longest wait for a complete set of sensor messages.
const POLL: Duration = Duration::from_millis(20);
/// Ticks between two statuses.
const STATUS_TICKS: u64 = 10;

/// Answers a lockstep world.
pub struct LockstepLoop {
    link: Arc<RobotLink>,
    viewer: ViewerTap,
    sensors: ObservationAssembler,
    robot: Robot,
    stepper: Stepper,
    stats: ControlStats,
    period: Period,
    /// Tick 0 is the first stamp of the world.
    clock: Option<TickClock<crate::clock::World>>,
    /// A set that belongs to an episode whose begin has not been heard of yet.
    pending: Option<SensorSet>,
    last: Option<Command>,
    log: Option<Box<dyn Write + Send>>,
    faults: FaultLog,
}

/// One line of the command log.
#[derive(Serialize)]
struct Logged<'a> {
    tick: u64,
    stamp: i64,
    state: String,
    goal: u64,
    generation: Option<u64>,
    observed: Option<u64>,
    denoise_steps: Option<u32>,
    action: &'a [f32],
    positions: &'a [f64],
}

impl LockstepLoop {
    /// `log` gets one JSON object per tick: the command and its explanation.
    pub fn new(
        link: Arc<RobotLink>,
        counters: &Counters,
        viewer: ViewerTap,
        robot: Robot,
        stepper: Stepper,
        log: Option<Box<dyn Write + Send>>,
    ) -> Self {
        let findings = stepper
            .learner()
            .into_iter()
            .flat_map(LearnerCore::findings);
        for finding in findings {
            tracing::warn!("{finding}");
        }
        Self {
            sensors: link.observations(),
            period: stepper.controller().period(),
            link,
            viewer,
            robot,
            stepper,
            stats: ControlStats::default(),
            clock: None,
            pending: None,
            last: None,
            log,
            faults: FaultLog::new(counters),
        }
    }

    /// What was counted.
    pub const fn stats(&self) -> &ControlStats {
        &self.stats
    }

    /// The loop's parts, for their statistics.
    pub const fn stepper(&self) -> &Stepper {
        &self.stepper
    }

    /// Follows a goal. `relocated`: the world was reset for it and begins at this stamp.
    pub fn set_goal(&mut self, goal: &Goal, relocated: Option<Stamp>) {
        self.viewer
            .offer(Moment::default(), Event::Goal(goal.clone()));
        if let Err(fault) = self.stepper.set_goal(goal, relocated) {
            self.faults.note(fault.name(), &fault);
        }
    }

    /// Follows no goal.
    pub fn clear_goal(&mut self) {
        self.stepper.clear_goal();
    }

    /// Ends the run in order: what is held in memory only is written.
    ///
    /// # Errors
    /// If the command log cannot be written.
    pub fn finish(&mut self) -> std::io::Result<()> {
        self.stepper.finish();
        self.log.as_mut().map_or(Ok(()), |log| log.flush())
    }

    /// Waits a moment for the world and answers it. Sets with stamps before `since` belong to an
    /// episode that is over; `None`: the episode that they belong to is not known yet, so they wait.
    ///
    /// # Errors
    /// If the command log cannot be written.
    pub fn turn(&mut self, since: Option<Stamp>) -> std::io::Result<()> {
        if let (Some(since), Some(set)) = (since, self.pending.take()) {
            return self.answer(set, since);
        }
        match self.sensors.wait_exact(Instant::now() + POLL) {
            Exact::Complete(set) => match since {
                Some(since) => self.answer(set, since),
                None => {
                    self.pending = Some(set);
                    Ok(())
                }
            },
            Exact::Repeated(stamp) => {
                if let Some(command) = self.last.as_ref().filter(|command| command.stamp == stamp) {
                    self.link.commands().offer(command);
                }
                Ok(())
            }
            Exact::TimedOut { .. } => Ok(()),
        }
    }

    fn answer(&mut self, set: SensorSet, since: Stamp) -> std::io::Result<()> {
        let stamp = set.stamp();
        if stamp < since {
            return Ok(());
        }
        let now = WorldTime::from_stamp(stamp);
        let clock = *self
            .clock
            .get_or_insert_with(|| TickClock::new(now, self.period));
        let tick: Tick = clock.nearest(now);
        let tcp = Measured::from_message(&set.joints, self.robot.names())
            .ok()
            .map(|joints| tcp_pose(&self.robot, &joints));
        let observation = Arc::new(set.into_observation(tick, tcp));
        if self.viewer.is_open() {
            let moment = Moment::new(tick, stamp);
            for frame in &observation.frames {
                self.viewer.offer(moment, Event::Frame(frame.clone()));
            }
            self.viewer
                .offer(moment, Event::Joints(observation.joints.clone()));
        }
        let stepped = self.stepper.tick(observation);
        let remaining = self.stepper.controller().remaining(tick);
        self.stats.publish(
            &stepped.record,
            self.stepper.controller().counters(),
            remaining,
            false,
        );
        if let Some(record) = &stepped.record.command {
            let command = record.to_message(self.stepper.joint_names(), self.period);
            self.link.commands().offer(&command);
            self.last = Some(command);
        }
        self.write(&stepped)?;
        self.show(&stepped);
        Ok(())
    }

    fn show(&mut self, stepped: &Stepped) {
        let record = &stepped.record;
        if let Some(plan) = &stepped.plan {
            self.link.chunks().offer(&plan.chunk);
            for latent in &plan.latents {
                self.link.latents().offer(latent);
            }
            show_plan(&self.viewer, plan);
        }
        if let Some(fault) = &stepped.fault {
            self.faults.note(fault.name(), fault);
        }
        let moment = Moment {
            tick: Some(record.tick),
            stamp: stamp_of(record),
        };
        for report in &stepped.reports {
            self.link.reports().offer(report);
            self.viewer.offer(moment, Event::Learner(report.clone()));
        }
        if let Some(source) = record.source {
            self.viewer
                .offer(moment, Event::Action(record.action.to_vec()));
            self.viewer
                .offer(moment, scalar("generation", source.generation as f64));
        }
        if let Some(command) = &self.last {
            self.viewer.offer(moment, Event::Command(command.clone()));
        }
        if record.tick.0.is_multiple_of(STATUS_TICKS) {
            let status = status(record, &self.stats);
            self.link.statuses().offer(&status);
            self.viewer.offer(moment, Event::Status(status));
        }
    }

    fn write(&mut self, stepped: &Stepped) -> std::io::Result<()> {
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        let record = &stepped.record;
        let dof = self.robot.dof();
        let line = Logged {
            tick: record.tick.0,
            stamp: stamp_of(record).unwrap_or_default().0,
            state: format!("{:?}", record.state),
            goal: record.goal_id,
            generation: record.source.map(|source| source.generation),
            observed: record.source.map(|source| source.observed.0),
            denoise_steps: record.source.map(|source| source.denoise_steps),
            action: &record.action,
            positions: record
                .command
                .as_ref()
                .map_or(&[], |command| &command.positions[..dof]),
        };
        serde_json::to_writer(&mut *log, &line)?;
        log.write_all(b"\n")
    }
}
