//! Everything that the control loop counts.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Names one counter of [`Counters`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(usize)]
        pub enum Counter {
            $($(#[$doc])* $variant,)*
        }

        impl Counter {
            /// All counters, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The counter's name in reports and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

counters! {
    /// Ticks run.
    Ticks = "ticks",
    /// Ticks that began more than a period late, or too late in their period, and were skipped.
    Missed = "missed",
    /// Ticks whose work ended after their period.
    Overrun = "overrun",
    /// Ticks that executed an action of a chunk.
    Executed = "executed",
    /// Of these, ticks whose action was blended from more than one chunk.
    Blended = "blended",
    /// Ticks that held the robot.
    Held = "held",
    /// Ticks that moved the robot towards its safe posture.
    Retreating = "retreating",
    /// Ticks without a usable chunk after the first one of the goal.
    Starved = "starved",
    /// Ticks between a new goal and its first chunk.
    FirstChunkWait = "first_chunk_wait",
    /// Ticks with observations that were too old.
    Stale = "stale",
    /// Ticks without the peer.
    PeerLost = "peer_lost",
    /// Ticks under a fault of the policy.
    PolicyFault = "policy_fault",
    /// Ticks without an answer of the inference thread.
    Watchdog = "watchdog",
    /// Goals begun.
    Goals = "goals",
    /// Times that motion began anew from the measured joints, because the robot was not where it
    /// was commanded to be.
    Reanchored = "reanchored",
    /// Times that the servo's target was taken back, because the limits kept the robot far behind.
    Relaxed = "relaxed",
    /// Chunks taken up.
    ChunksAccepted = "chunks_accepted",
    /// Chunks dropped on arrival: every action in them belonged to the past.
    ChunksExpired = "chunks_expired",
    /// Chunks dropped on arrival: their observation belongs to a tick that has not come.
    ChunksFuture = "chunks_future",
    /// Chunks dropped: planned for another goal.
    ChunksOtherGoal = "chunks_other_goal",
    /// Chunks dropped on arrival: a number was not finite.
    ChunksNonFinite = "chunks_non_finite",
    /// Chunks dropped on arrival: another action space or width than the policy's.
    ChunksMismatched = "chunks_mismatched",
    /// Chunks dropped: their generation of weights was withdrawn.
    ChunksWithdrawn = "chunks_withdrawn",
    /// Chunks dropped to make room for a newer one.
    ChunksEvicted = "chunks_evicted",
    /// Times that execution passed to a newer chunk.
    Splices = "splices",
    /// Commands that the safety limits changed, for whatever reason.
    Limited = "limited",
    /// Commands changed by the limits of position.
    LimitedPosition = "limited_position",
    /// Commands changed by the limits of velocity.
    LimitedVelocity = "limited_velocity",
    /// Commands changed by the limits of acceleration.
    LimitedAcceleration = "limited_acceleration",
    /// Commands changed, or tool targets cut, at the border of the workspace.
    LimitedWorkspace = "limited_workspace",
    /// Actions that were not finite and became a hold.
    LimitedNonFinite = "limited_non_finite",
    /// Tool motions that the joints could follow in part only.
    Unreached = "unreached",
    /// Commands lost because their ring was full.
    CommandsDropped = "commands_dropped",
    /// Tick records lost because their ring was full.
    RecordsDropped = "records_dropped",
}

/// Number of counters.
pub const COUNTERS: usize = Counter::ALL.len();

/// The values of all counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters([u64; COUNTERS]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; COUNTERS])
    }
}

impl Counters {
    /// One counter.
    pub const fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }
    /// Adds one.
    pub const fn count(&mut self, counter: Counter) {
        self.add(counter, 1);
    }
    /// Adds `more`.
    pub const fn add(&mut self, counter: Counter, more: u64) {
        self.0[counter as usize] = self.0[counter as usize].saturating_add(more);
    }
    /// Sets one counter, where counts come from elsewhere.
    pub const fn set(&mut self, counter: Counter, value: u64) {
        self.0[counter as usize] = value;
    }
    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        Counter::ALL
            .iter()
            .map(|&counter| (counter, self.get(counter)))
    }
    /// What was counted since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = Self::default();
        for (counter, value) in self.iter() {
            difference.set(counter, value.saturating_sub(earlier.get(counter)));
        }
        difference
    }
}

/// A map from names to values.
impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(COUNTERS))?;
        for (counter, value) in self.iter() {
            map.serialize_entry(counter.name(), &value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_places_are_right() {
        let names: BTreeSet<_> = Counter::ALL.iter().map(|counter| counter.name()).collect();
        assert_eq!(names.len(), COUNTERS);
        for (place, &counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(place, counter as usize);
        }
    }

    #[test]
    fn counts_and_differences() {
        let mut counters = Counters::default();
        counters.count(Counter::Ticks);
        let before = counters;
        counters.add(Counter::Ticks, 4);
        counters.set(Counter::Missed, u64::MAX);
        counters.count(Counter::Missed);
        assert_eq!(counters.since(&before).get(Counter::Ticks), 4);
        assert_eq!(counters.get(Counter::Missed), u64::MAX);
    }
}
