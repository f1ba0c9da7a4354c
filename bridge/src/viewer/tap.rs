//! Where other threads drop what is to be shown.

use std::sync::Arc;

use crate::sync::Queue;
use crate::viewer::{Event, Moment};

/// An event and when it happened.
pub(super) type Entry = Arc<(Moment, Event)>;

/// Takes events for the recorder and the viewer. Cheap to clone; each thread keeps its own.
///
/// Offering never waits for a disk, a network or a viewer: what does not fit is dropped and counted.
/// It takes a lock for a moment and allocates, so it is not for the control thread, whose
/// measurements come through a ring of its own.
#[derive(Clone, Debug, Default)]
pub struct ViewerTap {
    outlets: Vec<Queue<Entry>>,
}

impl ViewerTap {
    /// A tap to which nobody listens: for runs without a viewer, and for tests.
    pub fn none() -> Self {
        Self::default()
    }

    pub(super) fn new(outlets: Vec<Queue<Entry>>) -> Self {
        Self { outlets }
    }

    /// Whether anybody listens; if not, an event need not be made.
    pub fn is_open(&self) -> bool {
        !self.outlets.is_empty()
    }

    /// Shows an event, if there is room. What `moment` leaves open is taken from the event's own
    /// stamp and tick, where it has them.
    pub fn offer(&self, moment: Moment, event: Event) {
        if self.outlets.is_empty() {
            return;
        }
        let bytes = event.bytes();
        let entry = Arc::new((moment, event));
        for outlet in &self.outlets {
            outlet.send_sized(Arc::clone(&entry), bytes);
        }
    }
}
