//! Takes time-synchronised sets out of the slots of the sensors.

use std::sync::Arc;
use std::time::Instant;

use cerebellum_messages::Stamp;

use crate::assembly::slots::{JOINTS, Newest};
use crate::assembly::{SensorSet, SensorSlots};

/// What waiting for an exact set gives.
#[derive(Clone, Debug)]
pub enum Exact {
    /// A new set whose parts all carry the same stamp.
    Complete(SensorSet),
    /// All sources sent the last set once more: a lockstep world did not get the command for it.
    Repeated(Stamp),
    /// No set was complete before the deadline.
    TimedOut {
        /// Sources that are silent or behind the newest stamp, for a log.
        missing: Vec<String>,
    },
}

/// Takes sets out of the slots. Each reader has its own, so that each sees every set.
#[derive(Debug)]
pub struct ObservationAssembler {
    slots: Arc<SensorSlots>,
    /// Arrival numbers of the last set given, in the order of the cameras, then the joints.
    given: Vec<u64>,
    stamp: Option<Stamp>,
}

impl ObservationAssembler {
    /// An assembler that has given nothing yet.
    pub fn new(slots: Arc<SensorSlots>) -> Self {
        Self {
            slots,
            given: Vec::new(),
            stamp: None,
        }
    }

    /// The newest of each source at once, however old: for real time. The caller judges
    /// [`SensorSet::age`].
    ///
    /// # Errors
    /// The names of the sources from which nothing has come yet.
    pub fn newest(&mut self) -> Result<SensorSet, Vec<String>> {
        let newest = self.slots.newest()?;
        Ok(self.give(newest))
    }

    /// Like [`ObservationAssembler::newest`], but waits until the set has a part that the last one
    /// given did not have; `None` at the deadline.
    pub fn wait_newer(&mut self, deadline: Instant) -> Option<SensorSet> {
        loop {
            let epoch = self.slots.wake().epoch();
            if let Ok(newest) = self.slots.newest()
                && newest.numbers() != self.given
            {
                return Some(self.give(newest));
            }
            self.slots.wake().wait(epoch, deadline)?;
        }
    }

    /// Waits for a set whose parts all carry one stamp that differs from that of the last one
    /// given: for lockstep, where the world sends all parts of a tick and then waits.
    pub fn wait_exact(&mut self, deadline: Instant) -> Exact {
        loop {
            let epoch = self.slots.wake().epoch();
            let newest = match self.slots.newest() {
                Ok(newest) if newest.is_exact() => {
                    let stamp = newest.joints.value.stamp;
                    if self.stamp != Some(stamp) {
                        return Exact::Complete(self.give(newest));
                    }
                    let numbers = newest.numbers();
                    if numbers
                        .iter()
                        .zip(&self.given)
                        .all(|(now, then)| now > then)
                    {
                        self.given = numbers;
                        return Exact::Repeated(stamp);
                    }
                    Ok(newest)
                }
                other => other,
            };
            if self.slots.wake().wait(epoch, deadline).is_none() {
                let missing = self.behind(newest);
                return Exact::TimedOut { missing };
            }
        }
    }

    fn give(&mut self, newest: Newest) -> SensorSet {
        self.given = newest.numbers();
        let set = newest.into_set();
        self.stamp = Some(set.joints.stamp);
        set
    }

    fn behind(&self, newest: Result<Newest, Vec<String>>) -> Vec<String> {
        let newest = match newest {
            Ok(newest) => newest,
            Err(silent) => return silent,
        };
        let joints = (JOINTS, newest.joints.value.stamp);
        let frames = newest.frames.iter().map(|frame| frame.value.stamp);
        let sources: Vec<_> = self.slots.cameras().zip(frames).chain([joints]).collect();
        let front = sources.iter().map(|(_, stamp)| *stamp).max();
        let up_to_date = |stamp| Some(stamp) == front && Some(stamp) != self.stamp;
        sources
            .into_iter()
            .filter(|(_, stamp)| !up_to_date(*stamp))
            .map(|(name, _)| name.to_owned())
            .collect()
    }
}

impl Newest {
    fn numbers(&self) -> Vec<u64> {
        let frames = self.frames.iter().map(|frame| frame.number);
        frames.chain([self.joints.number]).collect()
    }

    fn is_exact(&self) -> bool {
        let stamp = self.joints.value.stamp;
        self.frames.iter().all(|frame| frame.value.stamp == stamp)
    }

    fn into_set(self) -> SensorSet {
        SensorSet {
            frame_arrivals: self.frames.iter().map(|frame| frame.at).collect(),
            frames: self
                .frames
                .iter()
                .map(|frame| (*frame.value).clone())
                .collect(),
            joints: (*self.joints.value).clone(),
            joints_arrival: self.joints.at,
            world_clock: self.clock,
        }
    }
}

#[cfg(test)]
#[path = "assembler_tests.rs"]
mod tests;
