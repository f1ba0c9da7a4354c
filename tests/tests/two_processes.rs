//! The embedded world against the world in another process: the same seeds, in real time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::path::Path;
use std::time::Duration;

use cerebellum_tests::{Running, free_endpoint};
use serde_json::Value;

/// Episodes on each side; `CEREBELLUM_EPISODES` asks for others.
const EPISODES: usize = 40;
/// Longest time that an episode may take on average.
const PATIENCE: Duration = Duration::from_secs(15);

fn run(name: &str, folder: &Path, episodes: usize, more: &[&str]) -> Value {
    let report = folder.join(format!("{name}.json"));
    let episodes_text = episodes.to_string();
    let mut arguments = vec!["run", "--device", "cpu", "--no-record", "--no-learner"];
    arguments.extend(["--episodes", &episodes_text, "--seed", "0"]);
    arguments.extend(["--json", report.to_str().unwrap()]);
    arguments.extend(more);
    let mut running = Running::start(&arguments);
    assert!(running.wait(PATIENCE * episodes as u32).success(), "{name}");
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let (successes, ran) = tally(&report);
    println!(
        "{name}: {successes} of {ran}; missed {}, dropped {}, tasks {}",
        report["control"]["missed"], report["dropped"], report["tasks"]
    );
    report
}

/// Successes and episodes over all tasks.
fn tally(report: &Value) -> (u64, u64) {
    let tasks = report["tasks"].as_object().unwrap().values();
    tasks.fold((0, 0), |(successes, episodes), task| {
        (
            successes + task["successes"].as_u64().unwrap(),
            episodes + task["episodes"].as_u64().unwrap(),
        )
    })
}

#[test]
#[ignore = "minutes of real time, and counts for something on a quiet machine only"]
fn two_processes_succeed_as_often_as_one() {
    let episodes = std::env::var("CEREBELLUM_EPISODES")
        .map_or(EPISODES, |text| text.parse().expect("a number of episodes"));
    let folder = tempfile::tempdir().unwrap();
    let alone = run("embedded", folder.path(), episodes, &[]);
    let endpoint = free_endpoint();
    let _world = Running::start(&["sim", "--listen", &endpoint]);
    let apart = run(
        "two processes",
        folder.path(),
        episodes,
        &["--world", "zenoh", "--connect", &endpoint],
    );
    let ((a, n), (b, m)) = (tally(&alone), tally(&apart));
    assert_eq!((n, m), (episodes as u64, episodes as u64));
    // Two proportions: three standard errors apart is more than chance.
    let pooled = (a + b) as f64 / (n + m) as f64;
    let error = (pooled * (1.0 - pooled) * (1.0 / n as f64 + 1.0 / m as f64)).sqrt();
    let apart = (a as f64 / n as f64 - b as f64 / m as f64).abs();
    assert!(apart <= 3.0 * error.max(1e-9), "{a}/{n} against {b}/{m}");
}
