//! The robot's, or the simulator's, end of the network.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cerebellum_messages::{
    Clock, ClockKind, Command, EpisodeRequest, EpisodeStatus, Frame, JointState, Stamp,
};

use crate::sync::Arrival;
use crate::zenoh::{Latest, Peer, Presence, Publisher, Queued, Senders, Session, Stream, limit};
use crate::{BridgeError, Counters, SessionConfig, topics};

/// Requests kept for a world that is busy.
const DEPTH: usize = 8;

/// What the world's end needs to know.
#[derive(Clone, Debug)]
pub struct WorldLinkConfig {
    /// How to enter the network.
    pub session: SessionConfig,
    /// Names of the cameras.
    pub cameras: Vec<String>,
    /// How long the runtime may send nothing before it counts as silent.
    pub silence: Duration,
}

impl Default for WorldLinkConfig {
    fn default() -> Self {
        Self {
            session: SessionConfig::local_world(),
            cameras: vec!["front".to_owned(), "wrist".to_owned()],
            silence: Duration::from_secs(2),
        }
    }
}

/// The world's end: sensors and episodes out; commands and requests in. May be shared between
/// threads.
#[derive(Debug)]
pub struct WorldLink {
    cameras: BTreeMap<String, Publisher<Frame>>,
    joints: Publisher<JointState>,
    clock: Publisher<Clock>,
    statuses: Publisher<EpisodeStatus>,
    commands: Latest<Command>,
    requests: Queued<EpisodeRequest>,
    runtime: Presence,
    silence: Duration,
    // Last: it must outlive what was declared on it.
    session: Session,
}

impl WorldLink {
    /// Enters the network and announces everything. Nobody else needs to be there yet.
    ///
    /// # Errors
    /// As for [`Session::open`], or if a camera's name cannot be part of a topic.
    pub fn open(config: &WorldLinkConfig, counters: &Counters) -> Result<Self, BridgeError> {
        let session = Session::open(&config.session, counters)?;
        let mut cameras = BTreeMap::new();
        for camera in &config.cameras {
            let publisher = session.publisher(&topics::image(camera), Stream::Image)?;
            cameras.insert(camera.clone(), publisher);
        }
        Ok(Self {
            cameras,
            joints: session.publisher(topics::JOINT_STATES, Stream::State)?,
            clock: session.publisher(topics::CLOCK, Stream::Clock)?,
            statuses: session.publisher(topics::EPISODE_STATUS, Stream::Event)?,
            commands: Latest::declare(
                &session,
                Senders::One,
                topics::COMMAND,
                limit::EVENT,
                Command::validate,
            )?,
            requests: session.queued(topics::EPISODE_REQUEST, limit::EVENT, DEPTH)?,
            runtime: session.presence(topics::COMMAND)?,
            silence: config.silence,
            session,
        })
    }

    /// Follows the owner of time of an episode: in lockstep, sensor messages are never dropped on
    /// this side.
    pub fn set_clock(&self, clock: ClockKind) {
        for publisher in self.cameras.values() {
            publisher.set_clock(clock);
        }
        self.joints.set_clock(clock);
    }

    /// Sends an image on the topic of the camera that it names.
    ///
    /// # Errors
    /// If no camera of that name was declared, or the session is closed.
    pub fn publish_frame(&self, frame: &Frame) -> Result<(), BridgeError> {
        let Some(publisher) = self.cameras.get(&frame.camera) else {
            let declared: Vec<_> = self.cameras.keys().collect();
            return Err(BridgeError::Setting {
                what: "camera",
                found: frame.camera.clone(),
                advice: format!("the cameras declared are {declared:?}"),
            });
        };
        publisher.publish(frame)
    }

    /// Sends the joint state.
    ///
    /// # Errors
    /// If the session is closed.
    pub fn publish_joints(&self, joints: &JointState) -> Result<(), BridgeError> {
        self.joints.publish(joints)
    }

    /// Sends the world's time.
    ///
    /// # Errors
    /// If the session is closed.
    pub fn publish_clock(&self, now: Stamp) -> Result<(), BridgeError> {
        self.clock.publish(&Clock(now))
    }

    /// Sends where the episode stands.
    ///
    /// # Errors
    /// If the session is closed.
    pub fn publish_status(&self, status: &EpisodeStatus) -> Result<(), BridgeError> {
        self.statuses.publish(status)
    }

    /// The newest command, if any has come. For real time: hold it until the next.
    pub fn latest_command(&self) -> Option<Arrival<Command>> {
        self.commands.get()
    }

    /// Waits until the newest command is the one for the observation of that stamp. For lockstep;
    /// `None` at the deadline: send the observation again.
    pub fn wait_command(&self, stamp: Stamp, deadline: Instant) -> Option<Arrival<Command>> {
        let mut seen = 0;
        loop {
            let command = self.commands.wait_newer(seen, deadline)?;
            if command.value.stamp == stamp {
                return Some(command);
            }
            seen = command.number;
        }
    }

    /// What the harness asks for. It repeats itself until a status with the same episode number
    /// comes.
    pub fn requests(&self) -> &Queued<EpisodeRequest> {
        &self.requests
    }

    /// How the runtime is: whether its commands are announced, and whether any has come lately.
    pub fn runtime(&self) -> Peer {
        let last = self.commands.last_message();
        self.runtime.judge(last, self.silence, Instant::now())
    }

    /// How many runtimes announce commands. More than one would fight over the robot.
    pub fn runtimes(&self) -> usize {
        self.runtime.publishers()
    }

    /// Whether anyone follows the joint state.
    pub fn is_watched(&self) -> bool {
        self.joints.has_subscribers()
    }

    /// The session, for topics of the caller's own.
    pub fn session(&self) -> &Session {
        &self.session
    }
}
