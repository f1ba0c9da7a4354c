//! One time-synchronised set of sensor messages.

use std::time::{Duration, Instant};

use cerebellum_messages::{Frame, JointState, Observation, Stamp, TcpPose, Tick};

/// The newest message of each sensor, with the time each arrived.
#[derive(Clone, Debug)]
pub struct SensorSet {
    /// Images, sorted by camera name.
    pub frames: Vec<Frame>,
    /// When each image arrived, in the order of `frames`.
    pub frame_arrivals: Vec<Instant>,
    /// Joint state.
    pub joints: JointState,
    /// When the joint state arrived.
    pub joints_arrival: Instant,
    /// The world's clock, if the world publishes one.
    pub world_clock: Option<Stamp>,
}

impl SensorSet {
    /// Stamp of the oldest part.
    pub fn stamp(&self) -> Stamp {
        self.stamps().fold(self.joints.stamp, Stamp::min)
    }

    /// Stamp of the newest part.
    pub fn newest_stamp(&self) -> Stamp {
        self.stamps().fold(self.joints.stamp, Stamp::max)
    }

    /// Whether all parts carry the same stamp.
    pub fn is_exact(&self) -> bool {
        self.stamps().all(|stamp| stamp == self.joints.stamp)
    }

    /// When the part that arrived first arrived.
    pub fn oldest_arrival(&self) -> Instant {
        let arrivals = self.frame_arrivals.iter().copied();
        arrivals.fold(self.joints_arrival, Instant::min)
    }

    /// When the part that arrived last arrived.
    pub fn newest_arrival(&self) -> Instant {
        let arrivals = self.frame_arrivals.iter().copied();
        arrivals.fold(self.joints_arrival, Instant::max)
    }

    /// How long ago the part that arrived first arrived: the age to hold against a staleness limit.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.oldest_arrival())
    }

    /// The set as policies see it.
    pub fn into_observation(self, tick: Tick, tcp: Option<TcpPose>) -> Observation {
        Observation {
            tick,
            stamp: self.stamp(),
            frames: self.frames,
            joints: self.joints,
            tcp,
            world: Vec::new(),
        }
    }

    fn stamps(&self) -> impl Iterator<Item = Stamp> {
        self.frames.iter().map(|frame| frame.stamp)
    }
}
