//! How each kind of data is sent.

use cerebellum_messages::ClockKind;
use zenoh::qos::{CongestionControl, Priority};

/// A kind of data, by what must happen when the network is slower than the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Commands to the robot. Late is worse than lost: the next command replaces a lost one, while
    /// one that waits behind a stuck link would move the robot by old intentions when the link
    /// comes back. So they go first, unbatched, and are never queued for more than a millisecond.
    /// In lockstep a lost command is asked for again by the world.
    Command,
    /// Images. In real time the next one makes up for a lost one; in lockstep each is needed.
    Image,
    /// Small measurements at the control rate. As images, but ahead of them.
    State,
    /// The world's time. The next tick makes up for a lost one.
    Clock,
    /// Goals, episodes, changes of state: rare, and each counts.
    Event,
    /// Chunks, latents, learner reports: for eyes, never at the cost of the rest.
    Telemetry,
}

/// The settings of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Qos {
    /// What the sender does with a message that the link does not take.
    pub congestion: CongestionControl,
    /// Which messages go first; each priority has its own queue.
    pub priority: Priority,
    /// Whether a message is sent at once instead of in a batch with others.
    pub express: bool,
    /// What ROS 2 is told: reliable or best effort.
    pub reliable: bool,
    /// What ROS 2 is told: how many messages are kept for a slow reader.
    pub depth: u32,
}

impl Stream {
    /// The settings of this stream under the given owner of time.
    pub const fn qos(self, clock: ClockKind) -> Qos {
        use CongestionControl::{Block, Drop};
        // In lockstep nothing is late, and a lost part of a tick would cost a second.
        let sensor = match clock {
            ClockKind::Lockstep => Block,
            ClockKind::RealTime => Drop,
        };
        let (congestion, priority, express, reliable, depth) = match self {
            Self::Command => (Drop, Priority::RealTime, true, true, 1),
            Self::State => (sensor, Priority::InteractiveHigh, true, true, 1),
            Self::Image => (sensor, Priority::Data, true, false, 1),
            Self::Clock => (Drop, Priority::InteractiveHigh, true, false, 1),
            Self::Event => (Block, Priority::InteractiveLow, true, true, 10),
            Self::Telemetry => (Drop, Priority::DataLow, false, false, 10),
        };
        Qos {
            congestion,
            priority,
            express,
            reliable,
            depth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_control_loop_waits_for_can_block_in_real_time() {
        for stream in [Stream::Command, Stream::Image, Stream::State, Stream::Clock] {
            let qos = stream.qos(ClockKind::RealTime);
            assert_eq!(qos.congestion, CongestionControl::Drop, "{stream:?}");
        }
    }

    #[test]
    fn lockstep_loses_no_sensor_message() {
        for stream in [Stream::Image, Stream::State] {
            let qos = stream.qos(ClockKind::Lockstep);
            assert_eq!(qos.congestion, CongestionControl::Block, "{stream:?}");
        }
    }
}
