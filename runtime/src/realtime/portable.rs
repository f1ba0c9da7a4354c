//! What systems other than Linux offer: ordinary clocks and sleeps. The rest is refused, which
//! becomes a warning (or an error, if the configuration is strict).

use std::io;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub use super::Limit;

static ORIGIN: OnceLock<Instant> = OnceLock::new();

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

pub fn monotonic_nanos() -> i64 {
    let origin = ORIGIN.get_or_init(Instant::now);
    i64::try_from(origin.elapsed().as_nanos()).unwrap_or(i64::MAX)
}
pub fn sleep_until(nanos: i64) {
    let left = nanos.saturating_sub(monotonic_nanos());
    if left > 0 {
        std::thread::sleep(Duration::from_nanos(left as u64));
    }
}
pub fn set_fifo(_priority: i32) -> io::Result<()> {
    unsupported()
}
pub fn set_batch() -> io::Result<()> {
    unsupported()
}
pub fn set_idle() -> io::Result<()> {
    unsupported()
}
#[cfg(test)]
pub fn is_fifo() -> bool {
    false
}
pub fn set_nice(_nice: i32) -> io::Result<()> {
    unsupported()
}
pub fn set_affinity(_cpus: &[usize]) -> io::Result<()> {
    unsupported()
}
pub fn affinity() -> io::Result<Vec<usize>> {
    unsupported()
}
pub fn lock_memory() -> io::Result<()> {
    unsupported()
}
pub fn sharpen_timers() -> io::Result<()> {
    unsupported()
}
pub fn limit(_limit: Limit) -> Option<u64> {
    None
}
