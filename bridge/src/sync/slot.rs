//! A place that holds the newest value of one source.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::Counter;
use crate::sync::{Arrival, Wake};

/// Holds the newest value only: a reader that is slow sees fewer values, never older ones.
///
/// Writing and reading hold a lock for a few moves; values are shared, not copied.
#[derive(Debug)]
pub struct Slot<T> {
    state: Mutex<State<T>>,
    wake: Wake,
    unread: Counter,
}

#[derive(Debug)]
struct State<T> {
    newest: Option<Arrival<T>>,
    arrivals: u64,
    read: bool,
}

impl<T> Slot<T> {
    /// An empty slot that rings `wake` at each arrival and counts values that nobody read before
    /// the next came.
    pub fn new(wake: Wake, unread: Counter) -> Self {
        Self {
            state: Mutex::new(State {
                newest: None,
                arrivals: 0,
                read: true,
            }),
            wake,
            unread,
        }
    }

    /// Puts a value that arrived at `at` in place of the last one.
    pub fn put(&self, value: T, at: Instant) {
        let value = Arc::new(value);
        let previous = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.arrivals += 1;
            let number = state.arrivals;
            if !std::mem::replace(&mut state.read, false) {
                self.unread.increment();
            }
            state.newest.replace(Arrival { value, at, number })
        };
        // Freed outside the lock: an image may be large.
        drop(previous);
        self.wake.ring();
    }

    /// The newest value, if any has arrived. It stays in the slot.
    pub fn get(&self) -> Option<Arrival<T>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.read = true;
        state.newest.clone()
    }

    /// The newest value if its number is above `number` (take 0 for any), waiting for it until
    /// the deadline.
    pub fn wait_newer(&self, number: u64, deadline: Instant) -> Option<Arrival<T>> {
        loop {
            let epoch = self.wake.epoch();
            if let Some(arrival) = self.get().filter(|arrival| arrival.number > number) {
                return Some(arrival);
            }
            self.wake.wait(epoch, deadline)?;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::time::Duration;

    use super::*;

    #[test]
    fn the_newest_wins_and_the_unread_are_counted() {
        let unread = Counter::default();
        let slot = Slot::new(Wake::new(), unread.clone());
        assert!(slot.get().is_none());
        let now = Instant::now();
        slot.put(1, now);
        slot.put(2, now);
        slot.put(3, now);
        assert_eq!(unread.get(), 2);
        let newest = slot.get().unwrap();
        assert_eq!((*newest.value, newest.number), (3, 3));
        slot.put(4, now);
        assert_eq!(unread.get(), 2, "3 had been read");
    }

    #[test]
    fn a_value_may_be_read_twice_but_is_new_once() {
        let slot = Slot::new(Wake::new(), Counter::default());
        slot.put('a', Instant::now());
        let first = slot.wait_newer(0, Instant::now()).unwrap();
        assert_eq!(*slot.get().unwrap().value, 'a');
        let soon = Instant::now() + Duration::from_millis(5);
        assert!(slot.wait_newer(first.number, soon).is_none());
    }

    #[test]
    fn a_waiter_gets_the_value_of_another_thread() {
        let slot = Arc::new(Slot::new(Wake::new(), Counter::default()));
        let writer = Arc::clone(&slot);
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            writer.put(7, Instant::now());
        });
        let got = slot.wait_newer(0, Instant::now() + Duration::from_secs(5));
        thread.join().unwrap();
        assert_eq!(*got.unwrap().value, 7);
    }
}
