//! Serves the embedded world over the network, as a robot with a person beside it would: sensors
//! out, commands in, episodes on request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cerebellum_bridge::zenoh::{WorldLink, WorldLinkConfig};
use cerebellum_bridge::{Alarm, BridgeError, Counters, SessionConfig};
use cerebellum_kinematics::{Joints, MAX_DOF};
use cerebellum_messages::{
    ClockKind, Command, EpisodePhase, EpisodeRequest, EpisodeStatus, Observation, Stamp,
};
use cerebellum_sim::{
    CONTROL_PERIOD_NANOS, Episode, EpisodeConfig, Outcome, Shift, SimError, Split, Task,
};

use crate::clock::{MonotonicTime, Period, Span};
use crate::control::{Pacer, PacingConfig};

/// How often the present status is repeated.
const STATUS: Duration = Duration::from_millis(500);
/// How often a lockstep world repeats a tick that was not answered.
const REPEAT: Duration = Duration::from_secs(1);
/// Longest wait for a command or a request before looking whether to stop.
const POLL: Duration = Duration::from_millis(20);

/// Most requests looked at per tick.
const MOST_REQUESTS: usize = 8;
/// At most one warning of a refused request per this long.
const WARN_EVERY: Duration = Duration::from_secs(5);

/// Why a world ended.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The network.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    /// The simulator.
    #[error("the embedded world cannot be made: {0}")]
    Sim(#[from] SimError),
    /// The period of the simulator cannot be run.
    #[error(transparent)]
    Clock(#[from] crate::clock::ClockError),
}

/// A world that serves episodes until told to stop.
pub struct WorldServer {
    link: WorldLink,
    episode: Episode,
    request: Option<EpisodeRequest>,
    status: Option<EpisodeStatus>,
    told: Option<Instant>,
    /// Stamp at which the episode began: commands for older observations are not for it.
    began: Stamp,
    served: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    period: Period,
    alarm: Alarm,
}

impl WorldServer {
    /// Enters the network and sets up a scene to stand in until the first request.
    ///
    /// # Errors
    /// If the network cannot be entered or the simulator refuses.
    pub fn open(
        session: SessionConfig,
        counters: &Counters,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, WorldError> {
        let config = EpisodeConfig::new(Task::Push, Split::Train, 0);
        let episode = Episode::new(&config)?;
        let cameras = config
            .cameras
            .iter()
            .map(|camera| camera.view.name().to_owned())
            .collect();
        let link = WorldLink::open(
            &WorldLinkConfig {
                session,
                cameras,
                ..WorldLinkConfig::default()
            },
            counters,
        )?;
        let began = episode.stamp();
        Ok(Self {
            link,
            episode,
            request: None,
            status: None,
            told: None,
            began,
            served: Arc::new(AtomicU64::new(0)),
            stop,
            period: Period::from_span(Span::from_nanos(CONTROL_PERIOD_NANOS))?,
            alarm: Alarm::every(WARN_EVERY),
        })
    }

    /// Episodes ended so far.
    pub fn served(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.served)
    }

    /// Serves until told to stop.
    ///
    /// # Errors
    /// If the network is closed under it.
    pub fn serve(&mut self) -> Result<(), WorldError> {
        while !self.stopping() {
            match self.request.as_ref().map(|request| request.clock) {
                Some(ClockKind::Lockstep) => self.lockstep()?,
                Some(ClockKind::RealTime) | None => self.realtime()?,
            }
        }
        Ok(())
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn running(&self) -> bool {
        self.status
            .as_ref()
            .is_some_and(|status| status.phase == EpisodePhase::Running)
    }

    /// Runs at the pace of the wall clock until a request asks for another pace.
    fn realtime(&mut self) -> Result<(), WorldError> {
        self.link.set_clock(ClockKind::RealTime);
        let mut pacer = Pacer::new(MonotonicTime::now(), self.period, &PacingConfig::default());
        let mut held = *self.episode.commanded();
        while !self.stopping() {
            if self.take_request()? {
                if self
                    .request
                    .as_ref()
                    .is_some_and(|request| request.clock == ClockKind::Lockstep)
                {
                    return Ok(());
                }
                held = *self.episode.commanded();
            }
            // A scene in which nothing runs stands still, its clock too; its sensors go on sending.
            let observation = self.observe()?;
            self.publish(&observation)?;
            self.repeat_status()?;
            pacer.wait();
            if !self.running() {
                continue;
            }
            if let Some(targets) = self.command() {
                held = targets;
            }
            self.advance(&held)?;
        }
        Ok(())
    }

    /// Runs one episode tick by tick, each waiting for its command.
    fn lockstep(&mut self) -> Result<(), WorldError> {
        self.link.set_clock(ClockKind::Lockstep);
        let mut observation = None;
        let mut sent: Option<Instant> = None;
        loop {
            if self.stopping() {
                return Ok(());
            }
            self.take_request()?;
            if self
                .request
                .as_ref()
                .is_none_or(|request| request.clock != ClockKind::Lockstep)
            {
                return Ok(());
            }
            self.repeat_status()?;
            if !self.running() {
                std::thread::sleep(POLL.min(Duration::from_millis(2)));
                observation = None;
                continue;
            }
            let stamp = self.episode.stamp();
            let fresh = observation
                .as_ref()
                .is_none_or(|observation: &Observation| observation.stamp != stamp);
            if fresh {
                observation = Some(self.observe()?);
                sent = None;
            }
            if let Some(observation) = observation
                .as_ref()
                .filter(|_| sent.is_none_or(|at| at.elapsed() >= REPEAT))
            {
                self.publish(observation)?;
                sent = Some(Instant::now());
            }
            if let Some(arrival) = self.link.wait_command(stamp, Instant::now() + POLL)
                && let Some(targets) = self.targets(&arrival.value)
            {
                self.advance(&targets)?;
            }
        }
    }

    /// Begins the episode that is asked for, if one is. Requests are repeated until answered, so one
    /// for the present episode is answered again and changes nothing; nor does one that cannot be
    /// served, which is answered by a refusal.
    fn take_request(&mut self) -> Result<bool, WorldError> {
        let mut wanted = None;
        // Bounded, so that a flood of requests does not stop the world.
        for _ in 0..MOST_REQUESTS {
            let Some(received) = self.link.requests().try_receive() else {
                break;
            };
            let request = received.message;
            let present = self.request.as_ref();
            if present.is_some_and(|present| present.episode == request.episode) {
                self.told = None;
                continue;
            }
            match configure(&request, self.after()) {
                Ok(config) => wanted = Some((request, config)),
                Err(reason) => self.refuse(&request, reason)?,
            }
        }
        let Some((request, config)) = wanted else {
            return Ok(false);
        };
        self.begin(request, &config)?;
        Ok(true)
    }

    fn begin(&mut self, request: EpisodeRequest, config: &EpisodeConfig) -> Result<(), WorldError> {
        self.episode = Episode::new(config)?;
        self.began = self.episode.stamp();
        let status = EpisodeStatus {
            instruction: self.episode.instruction().to_owned(),
            ..self.status_of(&request, EpisodePhase::Running)
        };
        tracing::debug!(
            "episode {}: {} ({})",
            request.episode,
            request.task,
            status.instruction
        );
        self.request = Some(request);
        self.status = Some(status);
        self.told = None;
        self.repeat_status()
    }

    fn refuse(&self, request: &EpisodeRequest, reason: String) -> Result<(), WorldError> {
        if let Some(held_back) = self.alarm.ring() {
            tracing::warn!(
                held_back,
                "episode {} is refused: {reason}",
                request.episode
            );
        }
        self.link.publish_status(&EpisodeStatus {
            detail: reason,
            ..self.status_of(request, EpisodePhase::Refused)
        })?;
        Ok(())
    }

    /// What is to be said of a request now.
    fn status_of(&self, request: &EpisodeRequest, phase: EpisodePhase) -> EpisodeStatus {
        EpisodeStatus {
            stamp: self.episode.stamp(),
            episode: request.episode,
            task: request.task.clone(),
            instruction: String::new(),
            phase,
            ticks: 0,
            detail: String::new(),
        }
    }

    /// World time is the same for all episodes: the next one begins a second after the last.
    fn after(&self) -> Stamp {
        Stamp(self.episode.stamp().0 + 20 * CONTROL_PERIOD_NANOS)
    }

    fn observe(&mut self) -> Result<Observation, WorldError> {
        Ok(self.episode.observe()?)
    }

    fn publish(&self, observation: &Observation) -> Result<(), WorldError> {
        self.link.publish_clock(observation.stamp)?;
        self.link.publish_joints(&observation.joints)?;
        for frame in &observation.frames {
            self.link.publish_frame(frame)?;
        }
        Ok(())
    }

    /// The newest command, if it is for this episode.
    fn command(&self) -> Option<Joints> {
        let command = self.link.latest_command()?;
        (command.value.stamp >= self.began)
            .then(|| self.targets(&command.value))
            .flatten()
    }

    fn targets(&self, command: &Command) -> Option<Joints> {
        let point = command.points.first()?;
        let names = self.episode.robot().names();
        if command.joint_names.as_slice() != names || names.len() > MAX_DOF {
            return None;
        }
        let mut joints = *self.episode.commanded();
        for (joint, target) in joints.iter_mut().zip(&point.positions) {
            *joint = *target;
        }
        Some(joints)
    }

    fn advance(&mut self, targets: &Joints) -> Result<(), WorldError> {
        // A world that diverged ends the episode, not the program.
        let outcome = self.episode.step(targets);
        let Some(status) = &mut self.status else {
            return Ok(());
        };
        status.stamp = self.episode.stamp();
        status.ticks = self.episode.ticks();
        let (phase, detail) = match outcome {
            Ok(Outcome::Running) => return Ok(()),
            Ok(Outcome::Succeeded) => (EpisodePhase::Succeeded, String::new()),
            Ok(other) => (EpisodePhase::Failed, other.describe().to_owned()),
            Err(error) => (EpisodePhase::Failed, error.to_string()),
        };
        status.phase = phase;
        status.detail = detail;
        self.told = None;
        self.served.fetch_add(1, Ordering::AcqRel);
        self.repeat_status()
    }

    fn repeat_status(&mut self) -> Result<(), WorldError> {
        let Some(status) = &self.status else {
            return Ok(());
        };
        if self.told.is_none_or(|at| at.elapsed() >= STATUS) {
            self.link.publish_status(status)?;
            self.told = Some(Instant::now());
        }
        Ok(())
    }
}

/// What a request asks for.
///
/// # Errors
/// Why it cannot be had.
pub fn configure(request: &EpisodeRequest, start: Stamp) -> Result<EpisodeConfig, String> {
    let task: Task = request
        .task
        .parse()
        .map_err(|error: SimError| error.to_string())?;
    let split: Split = request
        .split
        .parse()
        .map_err(|error: SimError| error.to_string())?;
    let shift: Shift = request
        .shift
        .parse()
        .map_err(|error: SimError| error.to_string())?;
    Ok(EpisodeConfig {
        shift,
        start,
        ..EpisodeConfig::new(task, split, request.seed)
    })
}
