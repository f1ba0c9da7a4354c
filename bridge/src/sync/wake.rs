//! One thread waits until any of many sources has news.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Number of pieces of news so far; take it before looking, wait for more afterwards.
pub type Epoch = u64;

/// A bell that many sources ring and waiters wait for. Clones share the bell.
///
/// Ringing holds a lock for one addition only, so that it may be done in a network callback.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<(Mutex<Epoch>, Condvar)>);

impl Wake {
    /// A bell that has not rung.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells all waiters that there is news.
    pub fn ring(&self) {
        let (epoch, bell) = &*self.0;
        *epoch.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        bell.notify_all();
    }

    /// How often the bell has rung.
    pub fn epoch(&self) -> Epoch {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the bell has rung more than `seen` times; `None` at the deadline.
    pub fn wait(&self, seen: Epoch, deadline: Instant) -> Option<Epoch> {
        let (epoch, bell) = &*self.0;
        let mut current = epoch.lock().unwrap_or_else(PoisonError::into_inner);
        while *current <= seen {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            current = bell
                .wait_timeout(current, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Some(*current)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::time::Duration;

    use super::*;

    #[test]
    fn news_between_look_and_wait_is_not_missed() {
        let wake = Wake::new();
        let seen = wake.epoch();
        wake.ring();
        assert_eq!(wake.wait(seen, Instant::now()), Some(1));
    }

    #[test]
    fn a_waiter_is_woken_by_another_thread() {
        let wake = Wake::new();
        let ringer = wake.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            ringer.ring();
        });
        let woken = wake.wait(0, Instant::now() + Duration::from_secs(5));
        thread.join().unwrap();
        assert_eq!(woken, Some(1));
    }

    #[test]
    fn silence_ends_at_the_deadline() {
        let wake = Wake::new();
        let begin = Instant::now();
        assert_eq!(wake.wait(0, begin + Duration::from_millis(20)), None);
        assert!(begin.elapsed() >= Duration::from_millis(20));
    }
}
