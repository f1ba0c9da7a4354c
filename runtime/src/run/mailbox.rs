//! The newest observation and the newest goal, for the inference thread.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cerebellum_messages::{Goal, Observation, Tick};

use crate::inference::{GoalChange, GoalSource, ObservationSource};

/// Holds the newest observation; readers wait for a newer one.
#[derive(Clone, Debug, Default)]
pub struct ObservationBox(Arc<(Mutex<Option<Arc<Observation>>>, Condvar)>);

impl ObservationBox {
    /// Replaces the observation and wakes readers.
    pub fn put(&self, observation: Arc<Observation>) {
        *self.lock() = Some(observation);
        self.0.1.notify_all();
    }

    /// Forgets the observation: the robot was put elsewhere.
    pub fn clear(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Observation>>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObservationSource for ObservationBox {
    fn wait_newer(&mut self, after: Option<Tick>, timeout: Duration) -> Option<Arc<Observation>> {
        let end = Instant::now() + timeout;
        let mut guard = self.lock();
        loop {
            if let Some(observation) = guard
                .as_ref()
                .filter(|observation| Some(observation.tick) != after)
            {
                return Some(Arc::clone(observation));
            }
            let left = end.checked_duration_since(Instant::now())?;
            guard = self
                .0
                .1
                .wait_timeout(guard, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// Holds what last happened to the goal until the inference thread takes it.
#[derive(Clone, Debug, Default)]
pub struct GoalBox(Arc<Mutex<Option<GoalChange>>>);

impl GoalBox {
    /// There is a new goal.
    pub fn set(&self, goal: Goal) {
        self.put(GoalChange::Set(goal));
    }

    /// There is no goal any more.
    pub fn clear(&self) {
        self.put(GoalChange::Cleared);
    }

    fn put(&self, change: GoalChange) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(change);
    }
}

impl GoalSource for GoalBox {
    fn newest(&mut self) -> Option<GoalChange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use cerebellum_messages::{JointState, Stamp};

    use super::*;

    fn observation(tick: u64) -> Arc<Observation> {
        Arc::new(Observation {
            tick: Tick(tick),
            stamp: Stamp(0),
            frames: Vec::new(),
            joints: JointState::default(),
            tcp: None,
            world: Vec::new(),
        })
    }

    #[test]
    fn readers_get_each_observation_once() {
        let mut mailbox = ObservationBox::default();
        let short = Duration::from_millis(5);
        assert!(mailbox.wait_newer(None, short).is_none());
        mailbox.put(observation(3));
        assert_eq!(mailbox.wait_newer(None, short).unwrap().tick, Tick(3));
        assert!(mailbox.wait_newer(Some(Tick(3)), short).is_none());
        let writer = mailbox.clone();
        let thread = std::thread::spawn(move || writer.put(observation(4)));
        assert_eq!(
            mailbox
                .wait_newer(Some(Tick(3)), Duration::from_secs(5))
                .unwrap()
                .tick,
            Tick(4)
        );
        thread.join().unwrap();
        mailbox.clear();
        assert!(mailbox.wait_newer(None, short).is_none());
    }
}
