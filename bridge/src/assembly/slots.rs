//! Where the network puts the newest message of each sensor.

use std::time::Instant;

use cerebellum_messages::{Frame, JointState, Stamp};

use crate::Counters;
use crate::sync::{Arrival, Slot, Wake};

/// Name of the joint state among the sources.
pub(crate) const JOINTS: &str = "joint_states";

/// One slot per sensor. Written by network callbacks, read by an
/// [`ObservationAssembler`](crate::ObservationAssembler).
#[derive(Debug)]
pub struct SensorSlots {
    cameras: Vec<(String, Slot<Frame>)>,
    joints: Slot<JointState>,
    clock: Slot<Stamp>,
    wake: Wake,
}

impl SensorSlots {
    /// Empty slots for the named cameras (any order, duplicates ignored) and the joint state.
    pub fn new(cameras: &[String], counters: &Counters) -> Self {
        let wake = Wake::new();
        let mut names = cameras.to_vec();
        names.sort();
        names.dedup();
        let cameras = names
            .into_iter()
            .map(|name| {
                let unread = counters.counter(&format!("unread.camera/{name}/image"));
                (name, Slot::new(wake.clone(), unread))
            })
            .collect();
        Self {
            cameras,
            joints: Slot::new(wake.clone(), counters.counter("unread.joint_states")),
            // The clock rings no bell: alone, it is no news for an observation.
            clock: Slot::new(Wake::new(), counters.counter("unread.clock")),
            wake,
        }
    }

    /// Names of the cameras, sorted.
    pub fn cameras(&self) -> impl Iterator<Item = &str> {
        self.cameras.iter().map(|(name, _)| name.as_str())
    }

    /// Puts an image into the slot of the camera that it names. Returns whether there is one.
    pub fn put_frame(&self, frame: Frame, at: Instant) -> bool {
        let found = self
            .cameras
            .binary_search_by(|(name, _)| name.as_str().cmp(&frame.camera));
        match found.ok().and_then(|index| self.cameras.get(index)) {
            Some((_, slot)) => slot.put(frame, at),
            None => return false,
        }
        true
    }

    /// Puts a joint state into its slot.
    pub fn put_joints(&self, joints: JointState, at: Instant) {
        self.joints.put(joints, at);
    }

    /// Puts the world's time into its slot.
    pub fn put_clock(&self, now: Stamp, at: Instant) {
        self.clock.put(now, at);
    }

    pub(crate) fn wake(&self) -> &Wake {
        &self.wake
    }

    /// The newest of every source, or the names of those that are still silent.
    pub(crate) fn newest(&self) -> Result<Newest, Vec<String>> {
        let mut frames = Vec::with_capacity(self.cameras.len());
        let mut silent = Vec::new();
        for (name, slot) in &self.cameras {
            match slot.get() {
                Some(arrival) => frames.push(arrival),
                None => silent.push(name.clone()),
            }
        }
        let joints = self.joints.get();
        match joints {
            Some(joints) if silent.is_empty() => Ok(Newest {
                frames,
                joints,
                clock: self.clock.get().map(|arrival| *arrival.value),
            }),
            joints => {
                if joints.is_none() {
                    silent.push(JOINTS.to_owned());
                }
                Err(silent)
            }
        }
    }
}

/// The newest of every source.
pub(crate) struct Newest {
    pub(crate) frames: Vec<Arrival<Frame>>,
    pub(crate) joints: Arrival<JointState>,
    pub(crate) clock: Option<Stamp>,
}
