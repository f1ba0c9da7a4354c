//! The wall clock, as messages are dated by it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970; zero before.
pub(super) fn wall_nanos() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| {
        i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
    })
}
