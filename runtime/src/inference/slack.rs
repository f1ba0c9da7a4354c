//! Time that inference leaves to others on the same device.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long the device is free: closed while a plan is being made, open until the next is due.
///
/// Whoever works in the slack must not begin what would not end in it. Clones share the value;
/// reading and writing is one atomic operation.
#[derive(Clone, Debug)]
pub struct Slack(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    origin: Instant,
    /// Nanoseconds after `origin` until which the device is free.
    free_until: AtomicU64,
}

/// Nobody else wants the device.
const FOREVER: u64 = u64::MAX;

impl Slack {
    /// Closed until opened.
    pub fn closed() -> Self {
        Self(Arc::new(Shared {
            origin: Instant::now(),
            free_until: AtomicU64::new(0),
        }))
    }

    /// Open for ever: there is no inference to disturb.
    pub fn unlimited() -> Self {
        let slack = Self::closed();
        slack.open();
        slack
    }

    /// Opens until `end`.
    pub fn open_until(&self, end: Instant) {
        let nanos = end.saturating_duration_since(self.0.origin).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(FOREVER - 1);
        self.0.free_until.store(nanos, Ordering::Release);
    }

    /// Opens for ever.
    pub fn open(&self) {
        self.0.free_until.store(FOREVER, Ordering::Release);
    }

    /// Closes.
    pub fn close(&self) {
        self.0.free_until.store(0, Ordering::Release);
    }

    /// Time left at `now`; [`Duration::MAX`] if open for ever.
    pub fn allowance(&self, now: Instant) -> Duration {
        match self.0.free_until.load(Ordering::Acquire) {
            FOREVER => Duration::MAX,
            nanos => (self.0.origin + Duration::from_nanos(nanos)).saturating_duration_since(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_shrinks_with_time() {
        let slack = Slack::closed();
        let now = Instant::now();
        assert_eq!(slack.allowance(now), Duration::ZERO);
        slack.open_until(now + Duration::from_millis(50));
        assert_eq!(slack.clone().allowance(now), Duration::from_millis(50));
        let later = now + Duration::from_millis(20);
        assert_eq!(slack.allowance(later), Duration::from_millis(30));
        let over = now + Duration::from_millis(60);
        assert_eq!(slack.allowance(over), Duration::ZERO);
        slack.open();
        assert_eq!(slack.allowance(now), Duration::MAX);
    }
}
