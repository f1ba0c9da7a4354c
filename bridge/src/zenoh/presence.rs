//! Whether the other end is there.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use zenoh::Wait as _;
use zenoh::sample::{Sample, SampleKind};

use crate::BridgeError;

/// How the other end is, from its announcements and its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Never heard of.
    Unknown,
    /// Messages come.
    Alive,
    /// It is announced, or was never announced, but nothing has come for this long.
    Silent(Duration),
    /// It has left or its link is broken.
    Gone,
}

impl Peer {
    /// Whether messages come.
    pub fn is_alive(self) -> bool {
        self == Self::Alive
    }
}

/// Follows the announcements of the publishers of one topic.
#[derive(Debug)]
pub struct Presence {
    seen: Arc<Mutex<Seen>>,
    _subscriber: zenoh::pubsub::Subscriber<()>,
}

#[derive(Debug, Default)]
struct Seen {
    tokens: BTreeSet<String>,
    ever: bool,
}

impl Presence {
    /// Follows the tokens whose keys match `pattern`, those that exist already included.
    pub(super) fn declare(session: &zenoh::Session, pattern: String) -> Result<Self, BridgeError> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let writer = Arc::clone(&seen);
        let subscriber = session
            .liveliness()
            .declare_subscriber(pattern.clone())
            .history(true)
            .callback(move |sample| note(&writer, &sample))
            .wait()
            .map_err(|source| BridgeError::Declare {
                what: "a liveliness subscriber",
                key: pattern,
                reason: source.to_string(),
            })?;
        Ok(Self {
            seen,
            _subscriber: subscriber,
        })
    }

    /// How many publishers are announced.
    pub fn publishers(&self) -> usize {
        self.lock().tokens.len()
    }

    /// How the other end is, given when its last message arrived and how long it may be silent.
    ///
    /// An end that never announced itself (a sender outside ROS) is judged by its messages alone.
    pub fn judge(&self, last_message: Option<Instant>, silence: Duration, now: Instant) -> Peer {
        let seen = self.lock();
        let announced = !seen.tokens.is_empty();
        if seen.ever && !announced {
            return Peer::Gone;
        }
        match last_message {
            None => Peer::Unknown,
            Some(at) => match now.saturating_duration_since(at) {
                since if since <= silence => Peer::Alive,
                since => Peer::Silent(since),
            },
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(seen: &Mutex<Seen>, sample: &Sample) {
    let key = sample.key_expr().as_str();
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    match sample.kind() {
        SampleKind::Put => {
            seen.ever = true;
            seen.tokens.insert(key.to_owned());
        }
        SampleKind::Delete => {
            seen.tokens.remove(key);
        }
    }
}
