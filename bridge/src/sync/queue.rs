//! A bounded queue that never makes the sender wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::Counter;
use crate::sync::Wake;

/// What a full queue gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest items, so that what is read is recent.
    DropOldest,
    /// The new item, so that what is read has no holes.
    DropNewest,
}

/// How much a queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Most items; at least one is always held.
    pub items: usize,
    /// Most bytes of payload, as the sender counts them.
    pub bytes: usize,
    /// What a full queue gives up.
    pub overflow: Overflow,
}

impl Bound {
    /// At most `items` items whatever their size, the oldest given up.
    pub const fn newest(items: usize) -> Self {
        Self {
            items,
            bytes: usize::MAX,
            overflow: Overflow::DropOldest,
        }
    }
}

/// A bounded first-in-first-out queue for many senders and readers. Clones share the queue.
///
/// Sending never waits for a reader: what does not fit is dropped and counted.
#[derive(Debug)]
pub struct Queue<T>(Arc<Shared<T>>);

// A derive would ask the items for the same.
impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    wake: Wake,
    bound: Bound,
    dropped: Counter,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    closed: bool,
}

/// Why nothing was taken from a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// Nothing came before the deadline.
    TimedOut,
    /// The queue is closed and drained.
    Closed,
}

impl<T> Queue<T> {
    /// An empty queue that counts what it gives up in `dropped`.
    pub fn new(bound: Bound, dropped: Counter) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                items: VecDeque::new(),
                bytes: 0,
                closed: false,
            }),
            wake: Wake::new(),
            bound,
            dropped,
        }))
    }

    /// Adds an item whose payload is counted as nothing.
    pub fn send(&self, item: T) {
        self.send_sized(item, 0);
    }

    /// Adds an item of `bytes` payload. An item above the byte bound is dropped alone; after
    /// [`Queue::close`], every item is dropped.
    pub fn send_sized(&self, item: T, bytes: usize) {
        let Shared {
            state,
            wake,
            bound,
            dropped,
        } = &*self.0;
        // Dropped at the end of the function, after the lock.
        let mut given_up = Vec::new();
        {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let impossible = bytes > bound.bytes || state.closed;
            let full = |state: &State<T>| {
                state.items.len() >= bound.items.max(1) || state.bytes > bound.bytes - bytes
            };
            if impossible || (bound.overflow == Overflow::DropNewest && full(&state)) {
                given_up.push(item);
            } else {
                while full(&state) {
                    let Some((oldest, size)) = state.items.pop_front() else {
                        break;
                    };
                    state.bytes -= size;
                    given_up.push(oldest);
                }
                state.bytes += bytes;
                state.items.push_back((item, bytes));
            }
        }
        dropped.add(given_up.len() as u64);
        wake.ring();
    }

    /// The oldest item, if there is one.
    pub fn try_receive(&self) -> Option<T> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (item, bytes) = state.items.pop_front()?;
        state.bytes -= bytes;
        Some(item)
    }

    /// The oldest item, waiting for one until the deadline.
    ///
    /// # Errors
    /// If none came, or none can come any more.
    pub fn receive(&self, deadline: Instant) -> Result<T, Empty> {
        loop {
            let epoch = self.0.wake.epoch();
            if let Some(item) = self.try_receive() {
                return Ok(item);
            }
            if self.is_closed() {
                // An item may have come between the look and the close.
                return self.try_receive().ok_or(Empty::Closed);
            }
            if self.0.wake.wait(epoch, deadline).is_none() {
                return self.try_receive().ok_or(Empty::TimedOut);
            }
        }
    }

    /// Ends the queue: readers get what is left, senders are refused.
    pub fn close(&self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        drop(state);
        self.0.wake.ring();
    }

    /// Whether the queue was closed.
    pub fn is_closed(&self) -> bool {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed
    }

    /// Items waiting.
    pub fn len(&self) -> usize {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.items.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Items given up so far.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.get()
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
