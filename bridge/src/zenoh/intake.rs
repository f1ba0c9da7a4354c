//! From bytes off the network to checked messages, with a name and a count for each refusal.

use std::fmt::Display;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cerebellum_messages::rmw::Attachment;
use cerebellum_messages::{Invalid, Message};
use zenoh::sample::{Sample, SampleKind};

use crate::alarm::Alarm;
use crate::zenoh::follow::{Followed, Senders};
use crate::zenoh::gaps::Gaps;
use crate::zenoh::wall::wall_nanos;
use crate::{Counter, Counters};

/// At most one warning per topic and reason, and this long.
const WARN_EVERY: Duration = Duration::from_secs(5);

/// A message off the network.
#[derive(Clone, Debug)]
pub struct Received<M> {
    /// The message.
    pub message: M,
    /// When it arrived, on this machine's monotonic clock.
    pub at: Instant,
    /// Who sent it, as which number, when; senders outside ROS may leave it out.
    pub origin: Option<Attachment>,
}

impl<M> Received<M> {
    /// A number for messages that carry none: when the message was sent, or else when it arrived,
    /// in nanoseconds since 1970.
    pub fn id(&self) -> u64 {
        let sent = self.origin.as_ref().map(|origin| origin.source.nanos());
        sent.filter(|nanos| *nanos > 0)
            .unwrap_or_else(wall_nanos)
            .unsigned_abs()
    }
}

/// Decodes the messages of one topic and counts what cannot be used.
pub(super) struct Intake<M> {
    topic: String,
    limit: usize,
    type_name: String,
    gaps: Mutex<Gaps>,
    /// Set where messages of two senders must not be mixed.
    followed: Option<Followed>,
    counts: Counts,
    heard: Arc<Heard>,
    message: PhantomData<fn() -> M>,
}

/// When the last usable message arrived.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<Option<Instant>>);

impl Heard {
    pub(super) fn get(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn set(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}

struct Counts {
    received: Counter,
    gap: Counter,
    repeated: Counter,
    sender: Refusal,
    kind: Refusal,
    oversize: Refusal,
    decode: Refusal,
    refused: Refusal,
}

/// One reason to refuse a message: each is counted and warned of by itself, so that a flood of one
/// kind does not hide another.
struct Refusal {
    count: Counter,
    alarm: Alarm,
}

impl Refusal {
    fn new(count: Counter) -> Self {
        Self {
            count,
            alarm: Alarm::every(WARN_EVERY),
        }
    }
}

impl<M: Message> Intake<M> {
    pub(super) fn new(topic: &str, limit: usize, senders: Senders, counters: &Counters) -> Self {
        Self {
            topic: topic.to_owned(),
            limit,
            type_name: M::dds_type(),
            gaps: Mutex::new(Gaps::default()),
            counts: Counts {
                received: counters.counter(&format!("received.{topic}")),
                gap: counters.dropped(topic, "gap"),
                repeated: counters.counter(&format!("repeated.{topic}")),
                sender: Refusal::new(counters.dropped(topic, "sender")),
                kind: Refusal::new(counters.dropped(topic, "type")),
                oversize: Refusal::new(counters.dropped(topic, "oversize")),
                decode: Refusal::new(counters.dropped(topic, "decode")),
                refused: Refusal::new(counters.dropped(topic, "refused")),
            },
            followed: (senders == Senders::One).then(Followed::default),
            heard: Arc::default(),
            message: PhantomData,
        }
    }

    pub(super) fn heard(&self) -> Arc<Heard> {
        Arc::clone(&self.heard)
    }

    /// Decodes one sample and hands it on.
    pub(super) fn take(
        &self,
        sample: &Sample,
        deliver: &impl Fn(Received<M>) -> Result<(), Invalid>,
    ) {
        let at = Instant::now();
        if sample.kind() != SampleKind::Put {
            return;
        }
        let origin = self.origin(sample);
        let found = type_in_key(sample.key_expr().as_str());
        if found != self.type_name {
            return self.refuse(&self.counts.kind, &self.type_name, found);
        }
        let payload = sample.payload();
        if payload.len() > self.limit {
            let expected = format!("at most {} bytes", self.limit);
            let found = format!("{} bytes", payload.len());
            return self.refuse(&self.counts.oversize, expected, found);
        }
        let sender = origin.as_ref().map(|origin| origin.gid);
        if let Some(followed) = &self.followed
            && !followed.admits(sender, at)
        {
            return self.refuse(
                &self.counts.sender,
                "messages of the one sender that is followed",
                "another sender: if two robots or worlds share this network, give each a domain or a namespace of its own",
            );
        }
        let message = match M::decode(&payload.to_bytes()) {
            Ok(message) => message,
            Err(error) => return self.refuse(&self.counts.decode, M::ROS_TYPE, error),
        };
        self.counts.received.increment();
        let received = Received {
            message,
            at,
            origin,
        };
        match deliver(received) {
            Ok(()) => {
                // Only what can be used makes a sender one to follow.
                if let Some(followed) = &self.followed {
                    followed.heard(sender, at);
                }
                self.heard.set(at);
            }
            Err(reason) => self.refuse(&self.counts.refused, "a usable message", reason),
        }
    }

    /// Reads the attachment and counts what is missing before this message.
    fn origin(&self, sample: &Sample) -> Option<Attachment> {
        let origin = Attachment::decode(&sample.attachment()?.to_bytes()).ok()?;
        let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        match gaps.note(origin.gid, origin.sequence) {
            Ok(missing) => self.counts.gap.add(missing),
            Err(_) => self.counts.repeated.increment(),
        }
        Some(origin)
    }

    fn refuse(&self, reason: &Refusal, expected: impl Display, found: impl Display) {
        reason.count.increment();
        if let Some(held_back) = reason.alarm.ring() {
            tracing::warn!(
                topic = self.topic,
                %expected,
                %found,
                held_back,
                "message refused"
            );
        }
    }
}

/// The type name in a topic's key, which ends in `/<type>/<hash>`.
fn type_in_key(key: &str) -> &str {
    key.rsplit('/').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_the_last_part_but_one() {
        let key = "0/goal/text/std_msgs::msg::dds_::String_/RIHS01_df";
        assert_eq!(type_in_key(key), "std_msgs::msg::dds_::String_");
        assert_eq!(type_in_key("x"), "");
    }
}
