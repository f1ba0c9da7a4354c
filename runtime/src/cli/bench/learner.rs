//! What learning beside the control loop costs it: the same runs with and without the learner.
//!
//! Each run is the main job in a process of its own, so that nothing of one run lives on in the
//! next. Runs come in pairs of equal seed, and the order within a pair alternates, so that what the
//! machine does meanwhile falls on both alike.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, anyhow};
use serde_json::Value;

use super::Figures;
use crate::cli::args::BenchArgs;
use crate::cli::exit::Failure;
use crate::cli::progress_bar;

/// The figures of one run.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    rate_hz: f64,
    jitter_p99_us: f64,
    overhead_p99_us: f64,
    plan_p99_ms: f64,
    missed: f64,
    ticks: f64,
    updates: f64,
    episodes: f64,
    successes: f64,
}

/// Runs the pairs.
///
/// # Errors
/// If a run fails or its report cannot be read.
pub fn learner(args: &BenchArgs, figures: &mut Figures) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(Failure::environment)?;
    let bar = progress_bar("runs", "{pos}/{len} {elapsed} {msg}");
    bar.set_length(2 * u64::from(args.pairs));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for pair in 0..args.pairs {
        let first = pair % 2 == 1;
        for learn in [first, !first] {
            bar.set_message(if learn { "learning" } else { "not learning" });
            let run = run(args, pair, learn, folder.path()).map_err(Failure::environment)?;
            if learn { &mut with } else { &mut without }.push(run);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    tell(&without, &with, figures);
    Ok(())
}

fn run(args: &BenchArgs, seed: u32, learn: bool, folder: &Path) -> anyhow::Result<Run> {
    let report = folder.join("run.json");
    let program = std::env::current_exe().context("this program cannot be found again")?;
    let mut command = Command::new(program);
    command.args(["run", "--no-record", "--world", "embedded"]);
    command.args(["--clock", "realtime", "--device", "cpu"]);
    command.arg("--seed").arg(seed.to_string());
    command.arg("--episodes").arg(args.episodes.to_string());
    command.arg("--json").arg(&report);
    if let Some(policy) = &args.policy {
        command.arg("--policy").arg(policy);
    }
    if !learn {
        command.arg("--no-learner");
    }
    let output = command.output().context("a run cannot be started")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(anyhow!("a run ended with {}: {said}", output.status));
    }
    let text = std::fs::read_to_string(&report)
        .with_context(|| format!("{} cannot be read", report.display()))?;
    Ok(read(&serde_json::from_str(&text)?))
}

fn read(report: &Value) -> Run {
    let number = |path: &str| {
        report
            .pointer(path)
            .and_then(Value::as_f64)
            .unwrap_or(f64::NAN)
    };
    let tasks = report.pointer("/tasks").and_then(Value::as_object);
    let sum = |key: &str| {
        let tallies = tasks.into_iter().flat_map(|tasks| tasks.values());
        tallies.filter_map(|tally| tally.get(key)?.as_f64()).sum()
    };
    Run {
        rate_hz: number("/control/rate_hz"),
        jitter_p99_us: number("/control/jitter_us/p99"),
        overhead_p99_us: number("/control/overhead_us/p99"),
        plan_p99_ms: number("/inference_ms/p99"),
        missed: number("/control/missed"),
        ticks: number("/control/ticks"),
        updates: number("/learner/updates"),
        episodes: sum("episodes"),
        successes: sum("successes"),
    }
}

fn tell(without: &[Run], with: &[Run], figures: &mut Figures) {
    let mut put = |name: String, value: f64| {
        figures.insert(format!("learner.{name}"), value);
    };
    for (mark, runs) in [("off", without), ("on", with)] {
        let all = |of: fn(&Run) -> f64| runs.iter().map(of).collect::<Vec<_>>();
        put(
            format!("{mark}.jitter_p99_us"),
            median(all(|run| run.jitter_p99_us)),
        );
        put(
            format!("{mark}.overhead_p99_us"),
            median(all(|run| run.overhead_p99_us)),
        );
        put(
            format!("{mark}.plan_p99_ms"),
            median(all(|run| run.plan_p99_ms)),
        );
        put(
            format!("{mark}.missed_ticks"),
            all(|run| run.missed).iter().sum(),
        );
        put(format!("{mark}.ticks"), all(|run| run.ticks).iter().sum());
        put(
            format!("{mark}.updates"),
            all(|run| run.updates).iter().sum(),
        );
        put(
            format!("{mark}.episodes"),
            all(|run| run.episodes).iter().sum(),
        );
        put(
            format!("{mark}.successes"),
            all(|run| run.successes).iter().sum(),
        );
    }
    let pairs = without.iter().zip(with);
    let changes = pairs.map(|(off, on)| on.jitter_p99_us - off.jitter_p99_us);
    let changes = changes.collect::<Vec<_>>();
    let worst = changes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let period_us = with.first().map_or(f64::NAN, |run| 1e6 / run.rate_hz);
    let share = |change_us: f64| 100.0 * change_us / period_us;
    put("jitter_p99_change_us".into(), median(changes.clone()));
    put(
        "jitter_p99_change_percent_of_period".into(),
        share(median(changes)),
    );
    put(
        "jitter_p99_worst_change_percent_of_period".into(),
        share(worst),
    );
}

/// Of an even number of values, the mean of the middle two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    match (values.get(low), values.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_few_values() {
        assert!(median(Vec::new()).is_nan());
        assert_eq!(median(vec![3.0]), 3.0);
        assert_eq!(median(vec![3.0, 1.0]), 2.0);
        assert_eq!(median(vec![9.0, 1.0, 4.0]), 4.0);
    }

    #[test]
    fn changes_are_taken_within_pairs_and_told_as_a_share_of_the_period() {
        let run = |jitter_p99_us| Run {
            rate_hz: 20.0,
            jitter_p99_us,
            ..Run::default()
        };
        let mut figures = Figures::new();
        tell(
            &[run(100.0), run(900.0)],
            &[run(150.0), run(1900.0)],
            &mut figures,
        );
        assert_eq!(figures["learner.jitter_p99_change_us"], 525.0);
        assert_eq!(figures["learner.jitter_p99_change_percent_of_period"], 1.05);
        assert_eq!(
            figures["learner.jitter_p99_worst_change_percent_of_period"],
            2.0
        );
    }

    #[test]
    fn the_report_of_a_run_is_read_by_its_stable_keys() {
        let report = serde_json::json!({
            "tasks": {"push": {"episodes": 3, "successes": 2}, "stack": {"episodes": 1, "successes": 1}},
            "control": {"rate_hz": 20.0, "ticks": 80, "missed": 1,
                "jitter_us": {"p99": 70.0}, "overhead_us": {"p99": 9.0}},
            "inference_ms": {"p99": 8.0},
            "learner": {"updates": 5},
        });
        let run = read(&report);
        assert_eq!((run.episodes, run.successes, run.updates), (4.0, 3.0, 5.0));
        assert_eq!(
            (run.jitter_p99_us, run.plan_p99_ms, run.missed),
            (70.0, 8.0, 1.0)
        );
    }
}
