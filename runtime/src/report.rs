//! The result of a run: a table for people, JSON for tools.
//!
//! The JSON keys are stable; other tools read them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Successes of one task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskTally {
    /// Episodes that ended.
    pub episodes: u64,
    /// Episodes that ended in success.
    pub successes: u64,
}

impl TaskTally {
    /// Counts one episode.
    pub const fn add(&mut self, success: bool) {
        self.episodes += 1;
        self.successes += success as u64;
    }

    /// Wilson score interval of the success rate at 95 % confidence, `(low, high)`.
    ///
    /// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    pub fn wilson(&self) -> (f64, f64) {
        if self.episodes == 0 {
            return (0.0, 1.0);
        }
        const Z: f64 = 1.959_963_984_540_054;
        let n = self.episodes as f64;
        let p = self.successes as f64 / n;
        let z2n = Z * Z / n;
        let centre = (p + z2n / 2.0) / (1.0 + z2n);
        let half = Z / (1.0 + z2n) * (p * (1.0 - p) / n + z2n / (4.0 * n)).sqrt();
        ((centre - half).max(0.0), (centre + half).min(1.0))
    }

    /// `successes/episodes  rate  [low, high]`.
    pub fn describe(&self) -> String {
        let (low, high) = self.wilson();
        let rate = if self.episodes == 0 {
            0.0
        } else {
            self.successes as f64 / self.episodes as f64
        };
        format!(
            "{:>4}/{:<4} {:>5.1} %  [{:>4.1}, {:>5.1}]",
            self.successes,
            self.episodes,
            100.0 * rate,
            100.0 * low,
            100.0 * high
        )
    }
}

/// Median and tail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// Median and two tails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TailPercentiles {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
}

/// What the control loop did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ControlReport {
    /// Ticks per second that were asked for.
    pub rate_hz: f64,
    /// Ticks.
    pub ticks: u64,
    /// Ticks that were skipped because the one before overran.
    pub missed: u64,
    /// Lateness of the tick's begin against its absolute deadline [us].
    pub jitter_us: TailPercentiles,
    /// Time spent in the tick by the runtime itself [us].
    pub overhead_us: Percentiles,
}

/// What the learner did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LearnerTotals {
    /// Optimizer steps.
    pub updates: u64,
    /// Candidates that became a generation.
    pub accepted: u64,
    /// Candidates that did not.
    pub rejected: u64,
}

/// Everything a run reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunReport {
    /// Outcomes by task name.
    pub tasks: BTreeMap<String, TaskTally>,
    /// Control loop.
    pub control: ControlReport,
    /// Observation in to chunk out [ms].
    pub inference_ms: Percentiles,
    /// Age of the observation behind the executed action, when it was executed [ms].
    pub observation_age_ms: Percentiles,
    /// Learner.
    pub learner: LearnerTotals,
    /// Messages dropped, by queue.
    pub dropped: BTreeMap<String, u64>,
    /// Other counters worth a look: starved ticks, limited commands, faults.
    pub counters: BTreeMap<String, u64>,
    /// Device of inference.
    pub device: String,
    /// Policy.
    pub policy: String,
    /// Seed.
    pub seed: u64,
}

impl RunReport {
    /// All tasks together.
    pub fn overall(&self) -> TaskTally {
        self.tasks
            .values()
            .fold(TaskTally::default(), |sum, task| TaskTally {
                episodes: sum.episodes + task.episodes,
                successes: sum.successes + task.successes,
            })
    }

    /// The table that a person reads at the end of a run.
    pub fn table(&self) -> String {
        let mut text = task_table(&self.tasks);
        let control = &self.control;
        let mut line = |name: &str, value: String| {
            text.push_str(&format!("{name:<28} {value}\n"));
        };
        line(
            "policy / device / seed",
            format!("{} / {} / {}", self.policy, self.device, self.seed),
        );
        line(
            "control rate",
            format!(
                "{} Hz, {} ticks, {} missed",
                control.rate_hz, control.ticks, control.missed
            ),
        );
        line(
            "tick jitter",
            format!(
                "p50 {:.0} us   p99 {:.0} us   p99.9 {:.0} us",
                control.jitter_us.p50, control.jitter_us.p99, control.jitter_us.p999
            ),
        );
        line(
            "tick overhead",
            format!(
                "p50 {:.1} us   p99 {:.1} us",
                control.overhead_us.p50, control.overhead_us.p99
            ),
        );
        line(
            "inference",
            format!(
                "p50 {:.1} ms   p99 {:.1} ms",
                self.inference_ms.p50, self.inference_ms.p99
            ),
        );
        line(
            "observation age",
            format!(
                "p50 {:.1} ms   p99 {:.1} ms",
                self.observation_age_ms.p50, self.observation_age_ms.p99
            ),
        );
        line(
            "learner",
            format!(
                "{} updates, generations: {} accepted, {} rejected",
                self.learner.updates, self.learner.accepted, self.learner.rejected
            ),
        );
        line("dropped", counters(&self.dropped));
        line("events", counters(&self.counters));
        text
    }

    /// Writes the report as JSON: to a temporary file first, then renamed.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_json(&self, path: &Path) -> std::io::Result<()> {
        write_json(path, self)
    }
}

/// A table of success rates with intervals, one task a line.
pub fn task_table(tasks: &BTreeMap<String, TaskTally>) -> String {
    let mut text = format!("{:<28} {}\n", "task", "success    rate     95 % interval");
    let mut all = TaskTally::default();
    for (name, tally) in tasks {
        text.push_str(&format!("{name:<28} {}\n", tally.describe()));
        all.episodes += tally.episodes;
        all.successes += tally.successes;
    }
    text.push_str(&format!("{:<28} {}\n", "all", all.describe()));
    text
}

/// Serialises to a temporary file beside `path` and renames it, so that readers never see half a file.
///
/// # Errors
/// If the folder cannot be written to.
pub fn write_json(path: &Path, value: &impl Serialize) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(&mut file, value).map_err(std::io::Error::from)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn counters(counters: &BTreeMap<String, u64>) -> String {
    let shown: Vec<String> = counters
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if shown.is_empty() {
        "none".into()
    } else {
        shown.join(", ")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn wilson_matches_a_published_example() {
        // 81 of 263: R's prop.test without continuity correction gives [0.2553, 0.3662].
        let (low, high) = TaskTally {
            episodes: 263,
            successes: 81,
        }
        .wilson();
        assert!(
            (low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5,
            "{low} {high}"
        );
        assert_eq!(TaskTally::default().wilson(), (0.0, 1.0));
    }

    #[test]
    fn json_has_the_stable_keys() {
        let mut report = RunReport {
            device: "cpu".into(),
            ..RunReport::default()
        };
        report.tasks.entry("push".into()).or_default().add(true);
        report.dropped.insert("viewer".into(), 3);
        let json = serde_json::to_value(&report).unwrap();
        for pointer in [
            "/tasks/push/episodes",
            "/tasks/push/successes",
            "/control/rate_hz",
            "/control/ticks",
            "/control/missed",
            "/control/jitter_us/p50",
            "/control/jitter_us/p99",
            "/control/jitter_us/p999",
            "/control/overhead_us/p50",
            "/control/overhead_us/p99",
            "/inference_ms/p50",
            "/inference_ms/p99",
            "/observation_age_ms/p50",
            "/observation_age_ms/p99",
            "/learner/updates",
            "/learner/accepted",
            "/learner/rejected",
            "/dropped/viewer",
            "/device",
            "/policy",
            "/seed",
        ] {
            assert!(json.pointer(pointer).is_some(), "{pointer} is missing");
        }
    }

    #[test]
    fn files_are_whole_or_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/report.json");
        write_json(&path, &RunReport::default()).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("}\n"));
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
    }
}
