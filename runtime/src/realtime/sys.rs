//! The calls into Linux that have no safe wrapper. All `unsafe` of this crate is in this file.
#![allow(unsafe_code)]
// The widths of the C types differ between targets.
#![allow(clippy::unnecessary_cast)]

use std::io;

use libc::{c_int, pid_t, timespec};

use super::Limit;

/// The calling thread, where the kernel takes a thread id.
const THIS_THREAD: pid_t = 0;

fn check(code: c_int) -> io::Result<()> {
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Reads `CLOCK_MONOTONIC`, in nanoseconds.
pub fn monotonic_nanos() -> i64 {
    let mut time = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec that nothing else refers to during the call.
    // The call cannot fail: the clock id is one that every Linux has.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    (time.tv_sec as i64)
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_nsec as i64)
}

/// Sleeps until `CLOCK_MONOTONIC` reads `nanos` or later.
pub fn sleep_until(nanos: i64) {
    let nanos = nanos.max(0);
    let until = timespec {
        tv_sec: (nanos / 1_000_000_000) as libc::time_t,
        tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
    };
    // A signal ends the sleep early; the deadline is absolute, so sleeping again loses nothing.
    loop {
        // SAFETY: `until` is a valid timespec for the whole call; a null pointer is allowed for
        // the remaining time, which is not reported for absolute sleeps.
        let code = unsafe {
            libc::clock_nanosleep(
                libc::CLOCK_MONOTONIC,
                libc::TIMER_ABSTIME,
                &raw const until,
                std::ptr::null_mut(),
            )
        };
        if code != libc::EINTR {
            return;
        }
    }
}

fn set_policy(policy: c_int, priority: i32) -> io::Result<()> {
    // SAFETY: sched_param is plain integers, for which zero is a valid value.
    let mut param: libc::sched_param = unsafe { std::mem::zeroed() };
    param.sched_priority = priority;
    // SAFETY: `param` is valid for the whole call; the kernel only reads it.
    check(unsafe { libc::sched_setscheduler(THIS_THREAD, policy, &raw const param) })
}

/// Puts the calling thread under `SCHED_FIFO`. Threads that it starts do not inherit this.
pub fn set_fifo(priority: i32) -> io::Result<()> {
    set_policy(libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, priority)
}

/// Puts the calling thread under `SCHED_BATCH`.
pub fn set_batch() -> io::Result<()> {
    set_policy(libc::SCHED_BATCH, 0)
}

/// Puts the calling thread under `SCHED_IDLE`.
pub fn set_idle() -> io::Result<()> {
    set_policy(libc::SCHED_IDLE, 0)
}

/// Whether the calling thread is under `SCHED_FIFO`.
#[cfg(test)]
pub fn is_fifo() -> bool {
    // SAFETY: takes and returns integers only.
    let policy = unsafe { libc::sched_getscheduler(THIS_THREAD) };
    policy & !libc::SCHED_RESET_ON_FORK == libc::SCHED_FIFO
}

/// Sets the nice value of the calling thread (Linux keeps it per thread).
pub fn set_nice(nice: i32) -> io::Result<()> {
    // SAFETY: takes and returns integers only.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) })
}

/// Lets the calling thread run on these CPUs only. Numbers beyond the kernel's set are ignored.
pub fn set_affinity(cpus: &[usize]) -> io::Result<()> {
    // SAFETY: cpu_set_t is an array of integers, for which zero is a valid value (no CPU).
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        if cpu < libc::CPU_SETSIZE as usize {
            // SAFETY: `cpu` is below CPU_SETSIZE, so the bit lies inside the set.
            unsafe { libc::CPU_SET(cpu, &mut set) };
        }
    }
    // SAFETY: the size is that of `set`, which is valid for the whole call and only read.
    check(unsafe {
        libc::sched_setaffinity(
            THIS_THREAD,
            std::mem::size_of::<libc::cpu_set_t>(),
            &raw const set,
        )
    })
}

/// CPUs on which the calling thread may run.
pub fn affinity() -> io::Result<Vec<usize>> {
    // SAFETY: as in `set_affinity`.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the size is that of `set`, which nothing else refers to during the call.
    check(unsafe {
        libc::sched_getaffinity(
            THIS_THREAD,
            std::mem::size_of::<libc::cpu_set_t>(),
            &raw mut set,
        )
    })?;
    Ok((0..libc::CPU_SETSIZE as usize)
        // SAFETY: `cpu` is below CPU_SETSIZE, so the bit lies inside the set.
        .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
        .collect())
}

/// Keeps all pages of the process in memory from the moment each is first touched.
///
/// Locking on first touch instead of at once: this process maps far more (thread stacks, GPU and
/// viewer buffers) than it uses. The control thread touches its own pages beforehand.
pub fn lock_memory() -> io::Result<()> {
    // SAFETY: takes and returns integers only; it changes residency, never contents.
    check(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) })
}

/// Lets the timers of the calling thread fire as late as the kernel must, not up to 50 us later.
pub fn sharpen_timers() -> io::Result<()> {
    let one_nanosecond: libc::c_ulong = 1;
    // SAFETY: PR_SET_TIMERSLACK takes one integer and touches no memory of ours.
    check(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, one_nanosecond) })
}

/// Reads a resource limit of the process; `None` if unlimited or unreadable.
pub fn limit(limit: Limit) -> Option<u64> {
    let mut bounds = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let which = match limit {
        Limit::RealtimePriority => libc::RLIMIT_RTPRIO,
        Limit::LockedMemory => libc::RLIMIT_MEMLOCK,
    };
    // SAFETY: `bounds` is a valid rlimit that nothing else refers to during the call.
    let read = check(unsafe { libc::getrlimit(which, &raw mut bounds) });
    (read.is_ok() && bounds.rlim_cur != libc::RLIM_INFINITY).then_some(bounds.rlim_cur as u64)
}
