//! Sends the messages of one topic.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use cerebellum_messages::rmw::{Attachment, Gid};
use cerebellum_messages::{ClockKind, Message, Stamp};
use zenoh::Wait as _;
use zenoh::liveliness::LivelinessToken;

use crate::alarm::Alarm;
use crate::zenoh::session::declare_token;
use crate::zenoh::wall::wall_nanos;
use crate::zenoh::{Qos, Stream};
use crate::{BridgeError, Counter, Counters};

type Sender = zenoh::pubsub::Publisher<'static>;

/// Sends messages `M` on one topic, numbered and dated as ROS 2 expects it. May be shared between
/// threads.
#[derive(Debug)]
pub struct Publisher<M> {
    topic: String,
    real_time: Sender,
    /// Where lockstep asks for other settings.
    lockstep: Option<Sender>,
    in_lockstep: AtomicBool,
    gid: Gid,
    sequence: AtomicI64,
    capacity: AtomicUsize,
    sent: Counter,
    failed: Counter,
    alarm: Alarm,
    _token: LivelinessToken,
    message: PhantomData<fn(&M)>,
}

/// What a publisher is called.
pub(super) struct Identity {
    /// Key of the topic.
    pub(super) key: String,
    /// Name of the topic, for logs and counts.
    pub(super) topic: String,
    /// What announces the publisher.
    pub(super) token: String,
    /// What its messages carry.
    pub(super) gid: Gid,
}

impl<M: Message> Publisher<M> {
    pub(super) fn declare(
        session: &zenoh::Session,
        identity: Identity,
        stream: Stream,
        counters: &Counters,
    ) -> Result<Self, BridgeError> {
        let Identity {
            key,
            topic,
            token,
            gid,
        } = identity;
        let real_time = stream.qos(ClockKind::RealTime);
        let lockstep = stream.qos(ClockKind::Lockstep);
        Ok(Self {
            real_time: declare_sender(session, &key, real_time)?,
            lockstep: (lockstep != real_time)
                .then(|| declare_sender(session, &key, lockstep))
                .transpose()?,
            in_lockstep: AtomicBool::new(false),
            gid,
            // rmw_zenoh counts from one.
            sequence: AtomicI64::new(1),
            capacity: AtomicUsize::new(256),
            sent: counters.counter(&format!("sent.{topic}")),
            failed: counters.dropped(&topic, "send"),
            alarm: Alarm::every(Duration::from_secs(5)),
            _token: declare_token(session, token)?,
            topic,
            message: PhantomData,
        })
    }

    /// Follows the owner of time: in lockstep, sensor messages wait for the link instead of being
    /// dropped.
    pub fn set_clock(&self, clock: ClockKind) {
        let lockstep = clock == ClockKind::Lockstep;
        self.in_lockstep.store(lockstep, Ordering::Relaxed);
    }

    /// Sends a message.
    ///
    /// A message that the network layer drops because the link is full is no error: the receiver
    /// sees a gap and counts it.
    ///
    /// # Errors
    /// If the session is closed. It is counted.
    pub fn publish(&self, message: &M) -> Result<(), BridgeError> {
        // The network layer keeps the buffer until the bytes are on their way, so it is given
        // away rather than copied. Messages of a topic are of a size: the last one's serves to
        // make this one's in a single piece.
        let mut payload = Vec::with_capacity(self.capacity.load(Ordering::Relaxed));
        message.encode_into(&mut payload);
        self.capacity.store(payload.len(), Ordering::Relaxed);
        let attachment = Attachment {
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed),
            source: Stamp::from_nanos(wall_nanos()),
            gid: self.gid,
        };
        let sender = match &self.lockstep {
            Some(lockstep) if self.in_lockstep.load(Ordering::Relaxed) => lockstep,
            _ => &self.real_time,
        };
        let sent = sender
            .put(payload)
            .attachment(attachment.encode())
            .wait()
            .map_err(|source| BridgeError::Publish {
                topic: self.topic.clone(),
                reason: source.to_string(),
            });
        match &sent {
            Ok(()) => self.sent.increment(),
            Err(_) => self.failed.increment(),
        }
        sent
    }

    /// Sends a message; a failure is counted and, at most every five seconds, warned of. For
    /// callers that can do nothing about it.
    pub fn offer(&self, message: &M) {
        if let Err(error) = self.publish(message)
            && let Some(held_back) = self.alarm.ring()
        {
            tracing::warn!(held_back, "{error}");
        }
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Whether anyone in the network subscribes to the topic right now.
    pub fn has_subscribers(&self) -> bool {
        let status = self.real_time.matching_status().wait();
        status.is_ok_and(|status| status.matching())
    }
}

fn declare_sender(session: &zenoh::Session, key: &str, qos: Qos) -> Result<Sender, BridgeError> {
    session
        .declare_publisher(key.to_owned())
        .congestion_control(qos.congestion)
        .priority(qos.priority)
        .express(qos.express)
        .wait()
        .map_err(|source| BridgeError::Declare {
            what: "a publisher",
            key: key.to_owned(),
            reason: source.to_string(),
        })
}
