//! Time as messages carry it.

use serde::{Deserialize, Serialize};

/// Time of capture or of sending, in nanoseconds on the clock of the sender (`builtin_interfaces/Time`).
///
/// On a robot this is the wall clock; under a simulator it is simulated time. It is only ever
/// compared with other stamps of the same source.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Stamp(pub i64);

impl Stamp {
    /// A stamp from whole nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }
    /// Whole nanoseconds since the clock's origin.
    pub const fn nanos(self) -> i64 {
        self.0
    }
    /// Seconds since the clock's origin.
    pub fn seconds(self) -> f64 {
        self.0 as f64 * 1e-9
    }
}

/// Index of a period of the control loop. All splicing of action chunks counts ticks.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Tick(pub u64);

impl Tick {
    /// Ticks from `earlier` to `self`; zero if `earlier` lies in the future.
    pub const fn since(self, earlier: Tick) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
