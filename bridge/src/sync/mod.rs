//! How threads hand values to each other without waiting for each other.

mod queue;
mod slot;
mod wake;

use std::sync::Arc;
use std::time::Instant;

pub use queue::{Bound, Empty, Overflow, Queue};
pub use slot::Slot;
pub use wake::{Epoch, Wake};

/// A value and when it came.
#[derive(Debug)]
pub struct Arrival<T> {
    /// The value, shared with other readers.
    pub value: Arc<T>,
    /// When it arrived, on this machine's monotonic clock.
    pub at: Instant,
    /// Arrivals at the same place so far, this one included: 1 for the first.
    pub number: u64,
}

// Not derived: sharing needs no `T: Clone`.
impl<T> Clone for Arrival<T> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            at: self.at,
            number: self.number,
        }
    }
}
