//! Warnings that may be due at every message but must not flood a log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Lets one warning through per interval and counts those held back. Lock-free.
#[derive(Debug)]
pub struct Alarm {
    origin: Instant,
    interval: Duration,
    /// Nanoseconds after `origin` at which the next warning may pass.
    next: AtomicU64,
    held: AtomicU64,
}

impl Alarm {
    /// An alarm that passes at most one warning per `interval`, the first at once.
    pub fn every(interval: Duration) -> Self {
        Self {
            origin: Instant::now(),
            interval,
            next: AtomicU64::new(0),
            held: AtomicU64::new(0),
        }
    }

    /// `Some(held back since the last)` if a warning may be written now, else `None`.
    pub fn ring(&self) -> Option<u64> {
        let now = nanos(self.origin.elapsed());
        let next = self.next.load(Ordering::Relaxed);
        let due = now >= next
            && self
                .next
                .compare_exchange(
                    next,
                    now.saturating_add(nanos(self.interval)),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok();
        if due {
            Some(self.held.swap(0, Ordering::Relaxed))
        } else {
            self.held.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_passes_and_the_rest_are_counted() {
        let alarm = Alarm::every(Duration::from_millis(30));
        assert_eq!(alarm.ring(), Some(0));
        assert_eq!(alarm.ring(), None);
        assert_eq!(alarm.ring(), None);
        std::thread::sleep(Duration::from_millis(40));
        assert_eq!(alarm.ring(), Some(2));
    }
}
