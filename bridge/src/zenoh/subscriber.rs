//! Receives the messages of one topic.

use std::sync::Arc;
use std::time::Instant;

use cerebellum_messages::{Invalid, Message};
use zenoh::Wait as _;
use zenoh::liveliness::LivelinessToken;

use crate::BridgeError;
use crate::sync::{Arrival, Bound, Empty, Queue, Slot, Wake};
use crate::zenoh::Session;
use crate::zenoh::follow::Senders;
use crate::zenoh::intake::{Heard, Intake, Received};
use crate::zenoh::session::declare_token;

/// A subscription, for as long as it lives.
#[derive(Debug)]
pub struct Subscriber {
    heard: Arc<Heard>,
    _inner: zenoh::pubsub::Subscriber<()>,
    _token: LivelinessToken,
}

impl Subscriber {
    /// When the last usable message arrived.
    pub fn last_message(&self) -> Option<Instant> {
        self.heard.get()
    }

    pub(super) fn declare<M: Message + 'static>(
        session: &zenoh::Session,
        key: String,
        token: String,
        intake: Intake<M>,
        deliver: impl Fn(Received<M>) -> Result<(), Invalid> + Send + Sync + 'static,
    ) -> Result<Self, BridgeError> {
        let heard = intake.heard();
        let inner = session
            .declare_subscriber(key.clone())
            .callback(move |sample| intake.take(&sample, &deliver))
            .wait()
            .map_err(|source| BridgeError::Declare {
                what: "a subscriber",
                key,
                reason: source.to_string(),
            })?;
        Ok(Self {
            heard,
            _inner: inner,
            _token: declare_token(session, token)?,
        })
    }
}

/// The newest message of a topic.
#[derive(Debug)]
pub struct Latest<M> {
    slot: Arc<Slot<M>>,
    subscriber: Subscriber,
}

impl<M: Message + Send + Sync + 'static> Latest<M> {
    pub(super) fn declare(
        session: &Session,
        senders: Senders,
        topic: &str,
        limit: usize,
        check: fn(&M) -> Result<(), Invalid>,
    ) -> Result<Self, BridgeError> {
        let unread = session.counters().counter(&format!("unread.{topic}"));
        let slot = Arc::new(Slot::new(Wake::new(), unread));
        let writer = Arc::clone(&slot);
        let subscriber =
            session.subscribe_to(senders, topic, limit, move |received: Received<M>| {
                check(&received.message)?;
                writer.put(received.message, received.at);
                Ok(())
            })?;
        Ok(Self { slot, subscriber })
    }

    /// The newest message, if any has come. It stays.
    pub fn get(&self) -> Option<Arrival<M>> {
        self.slot.get()
    }

    /// The newest message if its number is above `number`, waiting for it until the deadline.
    pub fn wait_newer(&self, number: u64, deadline: Instant) -> Option<Arrival<M>> {
        self.slot.wait_newer(number, deadline)
    }

    /// When the newest message arrived.
    pub fn last_message(&self) -> Option<Instant> {
        self.subscriber.last_message()
    }
}

/// The last few messages of a topic, each to be taken once. The oldest are dropped and counted
/// when nobody takes them.
#[derive(Debug)]
pub struct Queued<M> {
    queue: Queue<Received<M>>,
    subscriber: Subscriber,
}

impl<M: Message + Send + Sync + 'static> Queued<M> {
    pub(super) fn declare(
        session: &Session,
        senders: Senders,
        topic: &str,
        limit: usize,
        depth: usize,
    ) -> Result<Self, BridgeError> {
        let dropped = session.counters().dropped(topic, "full");
        let queue = Queue::new(Bound::newest(depth), dropped);
        let writer = queue.clone();
        let subscriber = session.subscribe_to(senders, topic, limit, move |received| {
            writer.send(received);
            Ok(())
        })?;
        Ok(Self { queue, subscriber })
    }

    /// The oldest message that waits.
    pub fn try_receive(&self) -> Option<Received<M>> {
        self.queue.try_receive()
    }

    /// The oldest message, waiting for one until the deadline.
    ///
    /// # Errors
    /// If none came.
    pub fn receive(&self, deadline: Instant) -> Result<Received<M>, Empty> {
        self.queue.receive(deadline)
    }

    /// When the newest message arrived.
    pub fn last_message(&self) -> Option<Instant> {
        self.subscriber.last_message()
    }
}
