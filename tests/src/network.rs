//! A place in the network of a running program: eyes on what it does, and bytes of any kind to it.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use cerebellum_bridge::zenoh::{Latest, Queued, Session, limit};
use cerebellum_bridge::{Counters, SessionConfig, topics};
use cerebellum_messages::{
    Command, DecodeError, EpisodePhase, EpisodeStatus, Message, RuntimeState, RuntimeStatus,
};

/// Waits until something is so.
///
/// # Panics
/// If it is not so in time.
pub fn until(what: &str, patience: Duration, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !done() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Any bytes under the name of a message type.
pub struct Raw<M> {
    bytes: Vec<u8>,
    message: PhantomData<fn() -> M>,
}

impl<M> From<Vec<u8>> for Raw<M> {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            message: PhantomData,
        }
    }
}

impl<M: Message> Message for Raw<M> {
    const ROS_TYPE: &'static str = M::ROS_TYPE;
    const TYPE_HASH: &'static str = M::TYPE_HASH;

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.extend_from_slice(&self.bytes);
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(payload.to_vec().into())
    }
}

/// Watches a runtime from a process of its own.
pub struct Watch {
    statuses: Latest<RuntimeStatus>,
    commands: Latest<Command>,
    episodes: Queued<EpisodeStatus>,
    session: Session,
}

impl Watch {
    /// Enters the network of whoever listens at `endpoint`.
    ///
    /// # Panics
    /// If the network cannot be entered.
    pub fn connect(endpoint: &str) -> Self {
        let config = SessionConfig {
            connect: vec![endpoint.to_owned()],
            node: "watch".to_owned(),
            ..SessionConfig::default()
        };
        let session = Session::open(&config, &Counters::new()).expect("a session");
        Self {
            statuses: session.latest(topics::STATUS, limit::EVENT).expect("eyes"),
            commands: session.latest(topics::COMMAND, limit::EVENT).expect("eyes"),
            episodes: session
                .queued(topics::EPISODE_STATUS, limit::EVENT, 256)
                .expect("eyes"),
            session,
        }
    }

    /// The session, to send something.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// What the runtime does, by its newest status.
    pub fn state(&self) -> Option<RuntimeState> {
        self.statuses.get().map(|arrival| arrival.value.state)
    }

    /// The goal that the runtime follows, by its newest status.
    pub fn goal(&self) -> Option<u64> {
        self.statuses.get().map(|arrival| arrival.value.goal_id)
    }

    /// What the runtime does and the goal that it follows, by one status.
    pub fn follows(&self) -> Option<(RuntimeState, u64)> {
        let arrival = self.statuses.get()?;
        Some((arrival.value.state, arrival.value.goal_id))
    }

    /// The positions last commanded.
    pub fn command(&self) -> Option<Vec<f64>> {
        let arrival = self.commands.get()?;
        Some(arrival.value.points.first()?.positions.clone())
    }

    /// The names of the joints last commanded.
    pub fn joint_names(&self) -> Option<Vec<String>> {
        Some(self.commands.get()?.value.joint_names.clone())
    }

    /// The next status of an episode that nobody has looked at.
    pub fn episode(&self) -> Option<EpisodeStatus> {
        self.episodes.try_receive().map(|received| received.message)
    }

    /// Waits for the world's word on an episode.
    ///
    /// # Panics
    /// If it does not come in time.
    pub fn wait_for_episode(
        &self,
        patience: Duration,
        wanted: impl Fn(&EpisodeStatus) -> bool,
    ) -> EpisodeStatus {
        let mut found = None;
        until("the world's word on an episode", patience, || {
            while found.is_none() {
                match self.episode() {
                    Some(status) if wanted(&status) => found = Some(status),
                    Some(_) => {}
                    None => return false,
                }
            }
            true
        });
        found.expect("it was found")
    }

    /// Waits until the world runs an episode.
    ///
    /// # Panics
    /// If it does not in time.
    pub fn wait_for_running_episode(&self, patience: Duration) -> EpisodeStatus {
        self.wait_for_episode(patience, |status| status.phase == EpisodePhase::Running)
    }

    /// Waits until the runtime is in a state.
    ///
    /// # Panics
    /// If it is not in time.
    pub fn wait_for_state(&self, what: &str, wanted: RuntimeState, patience: Duration) {
        until(&format!("{wanted:?} under {what}"), patience, || {
            self.state() == Some(wanted)
        });
    }

    /// Waits until the robot is commanded to stand still.
    ///
    /// # Panics
    /// If it is not in time.
    pub fn wait_for_standstill(&self, what: &str, patience: Duration) {
        let mut before = None;
        until(&format!("a standstill under {what}"), patience, || {
            let now = self.command();
            let still = now.is_some() && now == before;
            before = now;
            std::thread::sleep(Duration::from_millis(250));
            still
        });
    }
}
