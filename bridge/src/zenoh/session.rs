//! The place of a process in the network.

use std::sync::atomic::{AtomicU64, Ordering};

use cerebellum_messages::rmw::EntityKind;
use cerebellum_messages::{ClockKind, Invalid, Message};
use zenoh::Wait as _;
use zenoh::liveliness::LivelinessToken;

use crate::zenoh::intake::{Intake, Received};
use crate::zenoh::node::{Node, any_type};
use crate::zenoh::publisher::Identity;
use crate::zenoh::settings::settings;
use crate::zenoh::{Latest, Presence, Publisher, Queued, Senders, Stream, Subscriber};
use crate::{BridgeError, Counters, SessionConfig, SessionMode};

/// An open session under one ROS node. Dropping it leaves the network; what was declared on it is
/// dead from then on.
#[derive(Debug)]
pub struct Session {
    inner: zenoh::Session,
    node: Node,
    entities: AtomicU64,
    counters: Counters,
    _token: LivelinessToken,
}

impl Session {
    /// Enters the network and announces the node.
    ///
    /// A peer does not need anyone to be there: it keeps trying to reach its `connect` endpoints
    /// in the background, and again whenever the other end goes away.
    ///
    /// # Errors
    /// If a setting cannot be used, a `listen` endpoint is taken, or a client finds no router.
    pub fn open(config: &SessionConfig, counters: &Counters) -> Result<Self, BridgeError> {
        let settings = settings(config)?;
        let inner = zenoh::open(settings)
            .wait()
            .map_err(|source| refused(config, source.to_string()))?;
        let node = Node::new(config, &inner.zid().to_string())?;
        let token = declare_token(&inner, node.token())?;
        tracing::info!(
            zid = %inner.zid(),
            domain = config.domain,
            node = config.node,
            connect = ?config.connect,
            listen = ?config.listen,
            "zenoh session open"
        );
        Ok(Self {
            inner,
            node,
            entities: AtomicU64::new(1),
            counters: counters.clone(),
            _token: token,
        })
    }

    /// Identity of the session in the network.
    pub fn id(&self) -> String {
        self.inner.zid().to_string()
    }

    /// Counts of all that is sent and received on this session.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether any other process is connected right now.
    pub fn is_connected(&self) -> bool {
        let info = self.inner.info();
        info.peers_zid().wait().next().is_some() || info.routers_zid().wait().next().is_some()
    }

    /// A publisher of messages `M` on a topic.
    ///
    /// # Errors
    /// If the topic is not a ROS name or the network layer refuses.
    pub fn publisher<M: Message>(
        &self,
        topic: &str,
        stream: Stream,
    ) -> Result<Publisher<M>, BridgeError> {
        let key = self.node.topic::<M>(topic)?;
        let qos = stream.qos(ClockKind::default());
        let entity = self
            .node
            .endpoint(self.number(), EntityKind::Publisher, &key, qos);
        let identity = Identity {
            key: key.to_string(),
            topic: topic.to_owned(),
            token: entity.to_string(),
            gid: entity.gid(),
        };
        Publisher::declare(&self.inner, identity, stream, &self.counters)
    }

    /// Keeps the newest message of a topic.
    ///
    /// # Errors
    /// As for [`Session::publisher`].
    pub fn latest<M: Message + Send + Sync + 'static>(
        &self,
        topic: &str,
        limit: usize,
    ) -> Result<Latest<M>, BridgeError> {
        Latest::declare(self, Senders::All, topic, limit, |_| Ok(()))
    }

    /// Keeps the last `depth` messages of a topic until they are taken.
    ///
    /// # Errors
    /// As for [`Session::publisher`].
    pub fn queued<M: Message + Send + Sync + 'static>(
        &self,
        topic: &str,
        limit: usize,
        depth: usize,
    ) -> Result<Queued<M>, BridgeError> {
        Queued::declare(self, Senders::All, topic, limit, depth)
    }

    /// Hands each message of a topic to `deliver`, on the network's thread: it must return at once
    /// and must not call the session. `Err` is the reason for which a message is refused: it is
    /// counted and warned of.
    ///
    /// Payloads above `limit` bytes are refused undecoded.
    ///
    /// # Errors
    /// As for [`Session::publisher`].
    pub fn subscribe<M: Message + 'static>(
        &self,
        topic: &str,
        limit: usize,
        deliver: impl Fn(Received<M>) -> Result<(), Invalid> + Send + Sync + 'static,
    ) -> Result<Subscriber, BridgeError> {
        self.subscribe_to(Senders::All, topic, limit, deliver)
    }

    /// As [`Session::subscribe`], with a choice of whom to listen to.
    ///
    /// # Errors
    /// As for [`Session::publisher`].
    pub fn subscribe_to<M: Message + 'static>(
        &self,
        senders: Senders,
        topic: &str,
        limit: usize,
        deliver: impl Fn(Received<M>) -> Result<(), Invalid> + Send + Sync + 'static,
    ) -> Result<Subscriber, BridgeError> {
        let key = self.node.topic::<M>(topic)?;
        // What a subscriber asks for does not change what it gets; ROS tools show it.
        let qos = Stream::Event.qos(ClockKind::default());
        let entity = self
            .node
            .endpoint(self.number(), EntityKind::Subscriber, &key, qos);
        let intake = Intake::new(topic, limit, senders, &self.counters);
        Subscriber::declare(
            &self.inner,
            any_type(&key),
            entity.to_string(),
            intake,
            deliver,
        )
    }

    /// Watches whether anyone publishes a topic.
    ///
    /// # Errors
    /// As for [`Session::publisher`].
    pub fn presence(&self, topic: &str) -> Result<Presence, BridgeError> {
        Presence::declare(&self.inner, self.node.publishers_of(topic)?)
    }

    /// A number for a publisher or subscriber, unique in the session.
    fn number(&self) -> u64 {
        self.entities.fetch_add(1, Ordering::Relaxed)
    }
}

/// Announces something for as long as the token lives.
pub(super) fn declare_token(
    session: &zenoh::Session,
    key: String,
) -> Result<LivelinessToken, BridgeError> {
    let declared = session.liveliness().declare_token(key.clone()).wait();
    declared.map_err(|source| BridgeError::Declare {
        what: "a liveliness token",
        key,
        reason: source.to_string(),
    })
}

fn refused(config: &SessionConfig, reason: String) -> BridgeError {
    let advice = match config.mode {
        SessionMode::Client => {
            "a client needs its router: start one (zenohd), correct `connect`, or use mode = peer"
        }
        SessionMode::Peer if config.listen.is_empty() => {
            "check the addresses in `connect` and the network interface"
        }
        SessionMode::Peer => {
            "if the address is in use, end the other process or choose another port in `listen` \
             and in the other end's `connect`"
        }
    };
    BridgeError::Open {
        endpoints: format!(
            "connect = {:?}, listen = {:?}",
            config.connect, config.listen
        ),
        reason,
        advice,
    }
}
