//! What this process may ask for, and what kind of kernel it runs on: for diagnosis before a run.

use std::fs;

use serde::Serialize;

use super::{Limit, RealtimeConfig, RealtimeWarning, advice, sys};

/// Bit of `CAP_IPC_LOCK` in a capability set.
const CAP_IPC_LOCK: u32 = 14;
/// Bit of `CAP_SYS_NICE` in a capability set.
const CAP_SYS_NICE: u32 = 23;

/// What this process may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Permissions {
    /// Whether a thread could be put under `SCHED_FIFO` (tried, not guessed).
    pub realtime: bool,
    /// Highest `SCHED_FIFO` priority that the limits permit; 99 with `CAP_SYS_NICE`.
    pub highest_priority: u64,
    /// Most memory that may be locked, in bytes; none for no bound.
    pub lockable_memory: Option<u64>,
    /// CPUs that may be used.
    pub cpus: Vec<usize>,
    /// CPUs that the kernel keeps free of other work (`isolcpus`).
    pub isolated_cpus: String,
    /// Whether the kernel is built with `PREEMPT_RT`.
    pub preempt_rt: bool,
    /// Share of each second that real-time threads may use before the kernel stops them, 0 to 100;
    /// none if they are never stopped.
    pub realtime_share_percent: Option<u64>,
    /// Frequency governor of the first CPU, for example `performance`; empty if unknown.
    pub governor: String,
}

/// Finds out what this process may ask for. Starts a short-lived thread; changes nothing.
pub fn permissions() -> Permissions {
    let realtime = std::thread::spawn(|| sys::set_fifo(1).is_ok())
        .join()
        .unwrap_or(false);
    let highest_priority = if has_capability(CAP_SYS_NICE) {
        99
    } else {
        sys::limit(Limit::RealtimePriority).unwrap_or(99).min(99)
    };
    Permissions {
        realtime,
        highest_priority,
        lockable_memory: if may_lock_without_bound() {
            None
        } else {
            sys::limit(Limit::LockedMemory)
        },
        cpus: sys::affinity().unwrap_or_default(),
        isolated_cpus: read("/sys/devices/system/cpu/isolated"),
        preempt_rt: read("/sys/kernel/realtime") == "1",
        realtime_share_percent: share(
            &read("/proc/sys/kernel/sched_rt_runtime_us"),
            &read("/proc/sys/kernel/sched_rt_period_us"),
        ),
        governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    }
}

impl Permissions {
    /// What of `config` would be refused, with what to do about it.
    pub fn refusals(&self, config: &RealtimeConfig) -> Vec<RealtimeWarning> {
        let mut refusals = Vec::new();
        if let Some(cpus) = &config.affinity
            && !cpus.iter().any(|cpu| self.cpus.contains(cpu))
        {
            refusals.push(advice::binding(cpus, "none of them is there", &self.cpus));
        }
        if let Some(bound) = self.lockable_memory.filter(|_| config.lock_memory) {
            refusals.push(advice::memory(&advice::bound(bound)));
        }
        if let Some(priority) = config.priority {
            let permitted =
                u64::try_from(priority).is_ok_and(|wanted| wanted <= self.highest_priority);
            if !(self.realtime && permitted) {
                let why = if permitted {
                    "the kernel refuses it"
                } else {
                    "above the limit"
                };
                refusals.push(advice::priority(priority, why, self.highest_priority));
            }
        }
        refusals
    }

    /// What is permitted, yet stands in the way of punctual ticks: one line each.
    pub fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        if !self.preempt_rt {
            hints.push(
                "The kernel is not built with PREEMPT_RT: expect ticks some milliseconds late \
                 under load. Install a real-time kernel for rates above 100 Hz."
                    .to_owned(),
            );
        }
        if self.isolated_cpus.is_empty() && self.cpus.len() > 2 {
            hints.push(
                "No CPU is kept free for the control thread: boot with `isolcpus=<n>` and set \
                 `control.realtime.affinity` to it."
                    .to_owned(),
            );
        }
        if !self.governor.is_empty() && self.governor != "performance" {
            hints.push(format!(
                "The CPU frequency governor is `{}`: waking up from a low frequency costs time. \
                 Set it to `performance`.",
                self.governor
            ));
        }
        hints
    }
}

/// Whether the bound on locked memory does not apply to this process.
pub(super) fn may_lock_without_bound() -> bool {
    has_capability(CAP_IPC_LOCK)
}

fn has_capability(bit: u32) -> bool {
    effective(&read("/proc/self/status")).is_some_and(|set| set >> bit & 1 == 1)
}

/// The effective capability set in the text of `/proc/self/status`.
fn effective(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn share(runtime: &str, period: &str) -> Option<u64> {
    let runtime: u64 = runtime.parse().ok()?; // -1: no bound
    let period: u64 = period.parse().ok()?;
    runtime.checked_mul(100)?.checked_div(period)
}

/// The text of a small file of the kernel; empty if there is none.
fn read(path: &str) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_the_kernels_text() {
        let set = effective("Name:\tx\nCapEff:\t0000000000804000\nCapBnd:\tff\n");
        assert_eq!(set, Some(1 << CAP_SYS_NICE | 1 << CAP_IPC_LOCK));
        assert_eq!(effective("CapEff:\tnonsense"), None);
        assert_eq!(effective(""), None);
    }

    #[test]
    fn the_share_of_real_time_threads() {
        assert_eq!(share("950000", "1000000"), Some(95));
        assert_eq!(share("-1", "1000000"), None);
        assert_eq!(share("950000", "0"), None);
    }

    fn nothing_permitted() -> Permissions {
        Permissions {
            realtime: false,
            highest_priority: 0,
            lockable_memory: Some(8 << 20),
            cpus: vec![0, 1, 2, 3],
            isolated_cpus: String::new(),
            preempt_rt: false,
            realtime_share_percent: Some(95),
            governor: "powersave".to_owned(),
        }
    }

    #[test]
    fn each_refusal_comes_with_a_remedy() {
        let config = RealtimeConfig {
            affinity: Some(vec![9]),
            ..RealtimeConfig::ROBOT
        };
        let refusals = nothing_permitted().refusals(&config);
        assert_eq!(refusals.len(), 3);
        for (refusal, word) in refusals.iter().zip(["[0, 1, 2, 3]", "memlock", "rtprio"]) {
            assert!(refusal.remedy.contains(word), "{refusal}");
        }
        assert_eq!(nothing_permitted().refusals(&RealtimeConfig::ORDINARY), []);
        assert_eq!(nothing_permitted().hints().len(), 3);
    }

    #[test]
    fn what_is_permitted_is_not_refused() {
        let permitted = Permissions {
            realtime: true,
            highest_priority: 99,
            lockable_memory: None,
            preempt_rt: true,
            isolated_cpus: "3".to_owned(),
            governor: "performance".to_owned(),
            ..nothing_permitted()
        };
        let config = RealtimeConfig {
            affinity: Some(vec![3]),
            ..RealtimeConfig::ROBOT
        };
        assert_eq!(permitted.refusals(&config), []);
        assert!(permitted.hints().is_empty());
    }

    #[test]
    fn a_probe_agrees_with_itself() {
        let found = permissions();
        if found.realtime {
            assert!(found.highest_priority >= 1);
        }
        assert_eq!(found.realtime, permissions().realtime);
    }
}
