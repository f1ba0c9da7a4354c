//! The runtime's end of the network.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cerebellum_messages::{
    ActionChunk, Clock, Command, EpisodeRequest, EpisodeStatus, Frame, Goal, GoalSpec, JointState,
    LatentSample, LearnerReport, RuntimeStatus, Text,
};

use crate::assembly::{ObservationAssembler, SensorSlots};
use crate::sync::{Bound, Empty, Queue};
use crate::zenoh::intake::Received;
use crate::zenoh::{
    Peer, Presence, Publisher, Queued, Senders, Session, Stream, Subscriber, limit,
};
use crate::{BridgeError, Counters, SessionConfig, topics};

/// Goals and episode messages kept for a reader that is busy.
const DEPTH: usize = 16;

/// What the runtime's end needs to know.
#[derive(Clone, Debug)]
pub struct RobotLinkConfig {
    /// How to enter the network.
    pub session: SessionConfig,
    /// Names of the cameras to follow.
    pub cameras: Vec<String>,
    /// How long the robot may send nothing before it counts as silent. In lockstep a world that
    /// waits for a command speaks once a second.
    pub silence: Duration,
    /// Images above this size are refused [bytes].
    pub max_image_bytes: usize,
}

impl Default for RobotLinkConfig {
    fn default() -> Self {
        Self {
            session: SessionConfig::local_runtime(),
            cameras: vec!["front".to_owned(), "wrist".to_owned()],
            silence: Duration::from_secs(2),
            max_image_bytes: limit::IMAGE,
        }
    }
}

/// The runtime's end: sensors, goals and episodes in; commands and reports out. May be shared
/// between threads.
#[derive(Debug)]
pub struct RobotLink {
    sensors: Arc<SensorSlots>,
    goals: Queue<Goal>,
    episodes: Queued<EpisodeStatus>,
    commands: Publisher<Command>,
    requests: Publisher<EpisodeRequest>,
    chunks: Publisher<ActionChunk>,
    latents: Publisher<LatentSample>,
    reports: Publisher<LearnerReport>,
    statuses: Publisher<RuntimeStatus>,
    robot: Presence,
    silence: Duration,
    /// Of what comes from the robot.
    from_robot: Vec<Subscriber>,
    _from_anyone: [Subscriber; 2],
    // Last: it must outlive what was declared on it.
    session: Session,
}

impl RobotLink {
    /// Enters the network and subscribes to everything. Nobody else needs to be there yet.
    ///
    /// # Errors
    /// As for [`Session::open`], or if a camera's name cannot be part of a topic.
    pub fn open(config: &RobotLinkConfig, counters: &Counters) -> Result<Self, BridgeError> {
        let session = Session::open(&config.session, counters)?;
        let sensors = Arc::new(SensorSlots::new(&config.cameras, counters));
        let goals = Queue::new(Bound::newest(DEPTH), counters.dropped(topics::GOAL, "full"));
        let mut from_robot = subscribe_cameras(&session, &sensors, config.max_image_bytes)?;
        from_robot.extend(subscribe_joints_and_clock(&session, &sensors)?);
        let from_anyone = subscribe_goals(&session, &goals)?;
        Ok(Self {
            sensors,
            goals,
            episodes: Queued::declare(
                &session,
                Senders::One,
                topics::EPISODE_STATUS,
                limit::EVENT,
                DEPTH,
            )?,
            commands: session.publisher(topics::COMMAND, Stream::Command)?,
            requests: session.publisher(topics::EPISODE_REQUEST, Stream::Event)?,
            chunks: session.publisher(topics::CHUNK, Stream::Telemetry)?,
            latents: session.publisher(topics::LATENT, Stream::Telemetry)?,
            reports: session.publisher(topics::LEARNER, Stream::Telemetry)?,
            statuses: session.publisher(topics::STATUS, Stream::Telemetry)?,
            robot: session.presence(topics::JOINT_STATES)?,
            silence: config.silence,
            from_robot,
            _from_anyone: from_anyone,
            session,
        })
    }

    /// A new reader of the sensors. Each reader sees every set.
    pub fn observations(&self) -> ObservationAssembler {
        ObservationAssembler::new(Arc::clone(&self.sensors))
    }

    /// The oldest goal that waits, from `goal` or `goal/text`.
    ///
    /// A text has no id of its own: it gets the time at which it was sent, so that each text is a
    /// new goal.
    pub fn take_goal(&self) -> Option<Goal> {
        self.goals.try_receive()
    }

    /// The oldest goal, waiting for one until the deadline.
    ///
    /// # Errors
    /// If none came.
    pub fn wait_goal(&self, deadline: Instant) -> Result<Goal, Empty> {
        self.goals.receive(deadline)
    }

    /// What the world says about episodes.
    pub fn episodes(&self) -> &Queued<EpisodeStatus> {
        &self.episodes
    }

    /// Commands. Publishing allocates and locks: not for a real-time thread.
    pub fn commands(&self) -> &Publisher<Command> {
        &self.commands
    }

    /// Requests for episodes.
    pub fn requests(&self) -> &Publisher<EpisodeRequest> {
        &self.requests
    }

    /// Plans.
    pub fn chunks(&self) -> &Publisher<ActionChunk> {
        &self.chunks
    }

    /// Vectors out of the policy.
    pub fn latents(&self) -> &Publisher<LatentSample> {
        &self.latents
    }

    /// The learner's reports.
    pub fn reports(&self) -> &Publisher<LearnerReport> {
        &self.reports
    }

    /// How the runtime is.
    pub fn statuses(&self) -> &Publisher<RuntimeStatus> {
        &self.statuses
    }

    /// How the robot is: whether its joint states are announced, and whether anything has come
    /// from it lately.
    pub fn robot(&self) -> Peer {
        let sensors = self.from_robot.iter().map(Subscriber::last_message);
        let last = sensors
            .chain([self.episodes.last_message()])
            .flatten()
            .max();
        self.robot.judge(last, self.silence, Instant::now())
    }

    /// Whether messages come from the robot.
    pub fn robot_alive(&self) -> bool {
        self.robot().is_alive()
    }

    /// The session, for topics of the caller's own.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

fn subscribe_cameras(
    session: &Session,
    sensors: &Arc<SensorSlots>,
    max_bytes: usize,
) -> Result<Vec<Subscriber>, BridgeError> {
    // The header and the lengths around the pixels are small; the camera's name is bounded.
    let limit = max_bytes.saturating_add(limit::SMALL);
    sensors
        .cameras()
        .map(|camera| {
            let slots = Arc::clone(sensors);
            let name = camera.to_owned();
            session.subscribe_to(
                Senders::One,
                &topics::image(camera),
                limit,
                move |received| {
                    let Received { message, at, .. } = received;
                    let mut frame: Frame = message;
                    frame.validate()?;
                    // Drivers put their optical frame here; the topic says which camera it is.
                    frame.camera.clone_from(&name);
                    slots.put_frame(frame, at);
                    Ok(())
                },
            )
        })
        .collect()
}

fn subscribe_joints_and_clock(
    session: &Session,
    sensors: &Arc<SensorSlots>,
) -> Result<[Subscriber; 2], BridgeError> {
    let slots = Arc::clone(sensors);
    let joints = session.subscribe_to(
        Senders::One,
        topics::JOINT_STATES,
        limit::SMALL,
        move |received| {
            let Received { message, at, .. } = received;
            let mut joints: JointState = message;
            // ROS drivers write NaN for what they do not measure.
            for values in [&mut joints.velocity, &mut joints.effort] {
                if values.iter().any(|x| x.is_nan()) {
                    values.clear();
                }
            }
            joints.validate()?;
            slots.put_joints(joints, at);
            Ok(())
        },
    )?;
    let slots = Arc::clone(sensors);
    let clock =
        session.subscribe_to(Senders::One, topics::CLOCK, limit::SMALL, move |received| {
            let Received { message, at, .. } = received;
            let Clock(now) = message;
            slots.put_clock(now, at);
            Ok(())
        })?;
    Ok([joints, clock])
}

fn subscribe_goals(session: &Session, goals: &Queue<Goal>) -> Result<[Subscriber; 2], BridgeError> {
    let queue = goals.clone();
    let goal = session.subscribe(topics::GOAL, limit::GOAL, move |received| {
        let goal: Goal = received.message;
        goal.validate()?;
        queue.send(goal);
        Ok(())
    })?;
    let queue = goals.clone();
    let text = session.subscribe(topics::GOAL_TEXT, limit::EVENT, move |received| {
        let id = received.id();
        let Text(text) = received.message;
        let spec = GoalSpec::Language { text };
        let goal = Goal { id, spec };
        goal.validate()?;
        queue.send(goal);
        Ok(())
    })?;
    Ok([goal, text])
}
