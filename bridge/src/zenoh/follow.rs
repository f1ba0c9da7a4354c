//! Which of several senders of a topic is listened to.
//!
//! The joints of two robots, or the commands of two runtimes, make no sense mixed. Whoever is heard
//! first is followed for as long as usable messages come; another sender is heard only after that
//! one has been silent for a while, so that a restarted robot or runtime is found again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cerebellum_messages::rmw::Gid;

/// A sender that says nothing for this long is given up. A lockstep world that waits for a command
/// speaks once a second.
const SILENCE: Duration = Duration::from_millis(1500);

/// Whom a subscriber listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Senders {
    /// Everyone.
    All,
    /// One at a time: the first that is heard, until it falls silent. Messages of others are
    /// refused and counted meanwhile.
    One,
}

/// A sender; those outside ROS, which do not say who they are, count as one.
type Sender = Option<Gid>;

/// The sender that is followed, and when it was last heard.
#[derive(Debug, Default)]
pub(super) struct Followed(Mutex<Option<(Sender, Instant)>>);

impl Followed {
    /// Whether a message of this sender is to be read.
    pub(super) fn admits(&self, sender: Sender, now: Instant) -> bool {
        let followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followed.is_none_or(|(known, at)| {
            known == sender || now.saturating_duration_since(at) > SILENCE
        })
    }

    /// Notes a usable message of a sender that was admitted.
    pub(super) fn heard(&self, sender: Sender, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((sender, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sender_is_followed_until_it_is_silent() {
        let followed = Followed::default();
        let (robot, stranger) = (Some([1; 16]), Some([2; 16]));
        let begin = Instant::now();
        assert!(followed.admits(stranger, begin), "nobody is followed yet");
        followed.heard(robot, begin);
        assert!(followed.admits(robot, begin));
        assert!(!followed.admits(stranger, begin + SILENCE));
        assert!(!followed.admits(None, begin + SILENCE));
        followed.heard(robot, begin + SILENCE);
        assert!(!followed.admits(stranger, begin + SILENCE + SILENCE));
        assert!(followed.admits(stranger, begin + SILENCE * 3));
    }
}
