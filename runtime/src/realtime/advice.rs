//! How refusals are put: what was asked for, why it is refused, and how to permit it.

use super::RealtimeWarning;

pub fn binding(cpus: &[usize], why: &str, available: &[usize]) -> RealtimeWarning {
    RealtimeWarning {
        what: format!("binding to CPUs {cpus:?}"),
        why: why.to_owned(),
        remedy: format!("Choose among the CPUs that this process may use: {available:?}."),
    }
}

pub fn memory(why: &str) -> RealtimeWarning {
    RealtimeWarning {
        what: "locking memory".to_owned(),
        why: why.to_owned(),
        remedy: "Permit it with `ulimit -l unlimited`, a line `@realtime - memlock unlimited` in \
                 /etc/security/limits.conf, `setcap cap_ipc_lock+ep` on the binary, \
                 `LimitMEMLOCK=infinity` in the systemd unit, or `--ulimit memlock=-1` for a \
                 container."
            .to_owned(),
    }
}

/// Why memory is not locked under a bound, in bytes.
pub fn bound(bytes: u64) -> String {
    format!("at most {} KiB may be locked", bytes / 1024)
}

pub fn priority(priority: i32, why: &str, highest: u64) -> RealtimeWarning {
    RealtimeWarning {
        what: format!("SCHED_FIFO priority {priority}"),
        why: format!("{why} (priorities up to {highest} are permitted)"),
        remedy: format!(
            "Permit it with `ulimit -r {priority}`, a line `@realtime - rtprio {priority}` in \
             /etc/security/limits.conf, `setcap cap_sys_nice+ep` on the binary, \
             `LimitRTPRIO={priority}` in the systemd unit, or `--cap-add=sys_nice` for a container."
        ),
    }
}
