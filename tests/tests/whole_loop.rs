//! The main job from the outside: real time, lockstep, two processes, restarts, bad input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::Duration;

use cerebellum_tests::{Running, cerebellum, free_endpoint};

const MINUTE: Duration = Duration::from_secs(60);

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_short_run_reports_and_records() {
    let folder = tempfile::tempdir().unwrap();
    let (report, recording) = (
        folder.path().join("report.json"),
        folder.path().join("run.rrd"),
    );
    let status = cerebellum(&[
        "run",
        "--device",
        "cpu",
        "--episodes",
        "2",
        "--tasks",
        "press_button",
    ])
    .args([
        "--json".as_ref(),
        report.as_os_str(),
        "--record".as_ref(),
        recording.as_os_str(),
    ])
    .status()
    .unwrap();
    assert!(status.success());
    let report = json(&report);
    assert_eq!(report["tasks"]["press_button"]["episodes"], 2);
    assert!(report["control"]["ticks"].as_u64().unwrap() > 20);
    assert!(report["inference_ms"]["p50"].as_f64().unwrap() > 0.0);
    assert!(std::fs::metadata(&recording).unwrap().len() > 10_000);
}

#[test]
fn lockstep_runs_with_one_seed_are_equal_learner_on() {
    let folder = tempfile::tempdir().unwrap();
    let logs = ["first", "second"].map(|name| {
        let path = folder.path().join(name);
        let status = cerebellum(&[
            "run",
            "--device",
            "cpu",
            "--clock",
            "lockstep",
            "--no-record",
            "--seed",
            "5",
        ])
        .args(["--episodes", "2", "--tasks", "push", "--log-commands"])
        .arg(&path)
        .status()
        .unwrap();
        assert!(status.success());
        std::fs::read_to_string(path).unwrap()
    });
    assert!(logs[0].lines().count() > 20);
    assert_eq!(logs[0], logs[1]);
}

#[test]
fn two_processes_meet_and_either_may_be_restarted() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let endpoint = free_endpoint();
    let mut world = Running::start(&["sim", "--listen", &endpoint]);
    let report_name = report.to_str().unwrap();
    let run = [
        "run",
        "--device",
        "cpu",
        "--world",
        "zenoh",
        "--connect",
        &endpoint,
        "--no-record",
        "--episodes",
        "3",
        "--tasks",
        "push",
        "--json",
        report_name,
    ];
    let mut runtime = Running::start(&run);
    std::thread::sleep(Duration::from_secs(4));
    // A power cut at the world; the runtime holds and asks again.
    world.kill();
    std::thread::sleep(Duration::from_secs(1));
    assert!(
        runtime.0.try_wait().unwrap().is_none(),
        "the runtime stays up"
    );
    let _world = Running::start(&["sim", "--listen", &endpoint]);
    assert!(runtime.wait(2 * MINUTE).success());
    assert_eq!(json(&report)["tasks"]["push"]["episodes"], 3);

    // A power cut at the runtime; the same world serves the next one.
    let mut first = Running::start(&run);
    std::thread::sleep(Duration::from_secs(3));
    first.kill();
    let mut second = Running::start(&run);
    assert!(second.wait(2 * MINUTE).success());
}

#[test]
fn bad_input_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str], code: i32, words: &[&str]| {
        let output = cerebellum(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        for word in words {
            assert!(
                text.contains(word),
                "{arguments:?} does not name {word}: {text}"
            );
        }
    };
    check(
        &["run", "--device", "cpu", "--no-record", "--tasks", "juggle"],
        5,
        &["juggle", "push"],
    );
    check(
        &["eval", "--experts", "--tasks", "juggle"],
        3,
        &["juggle", "push"],
    );
    check(
        &["eval", "--experts", "--shift", "gravity=2"],
        3,
        &["gravity"],
    );
    check(
        &["run", "--policy", "nowhere", "--no-record"],
        3,
        &["nowhere"],
    );
    check(
        &["run", "--json", "/proc/report.json", "--no-record"],
        4,
        &["/proc"],
    );
    check(&["run", "--record", "/proc/x.rrd"], 4, &["/proc"]);
    let config = folder.path().join("run.toml");
    std::fs::write(&config, "[world]\nepisode = 3\n").unwrap();
    check(
        &["run", "--config", config.to_str().unwrap()],
        3,
        &["run.toml", "episode"],
    );
}

#[test]
fn experts_achieve_what_they_promise() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("experts.json");
    let status = cerebellum(&["eval", "--experts", "--episodes", "100"])
        .arg("--json")
        .arg(&report)
        .status()
        .unwrap();
    assert!(status.success());
    let tasks = json(&report)["tasks"].clone();
    let sum = |key: &str| {
        tasks
            .as_object()
            .unwrap()
            .values()
            .map(|task| task[key].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(sum("episodes"), 100);
    assert!(sum("successes") >= 97, "{tasks}");
}
