//! The main job from the outside: real time, lockstep, two processes, restarts, bad input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::Duration;

use cerebellum_messages::{EpisodePhase, RuntimeState};
use cerebellum_tests::{Running, Watch, cerebellum, free_endpoint, until};

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

/// A learner in a hurry: updates and judgements within a few episodes. It takes what is better by
/// chance too, so that new generations drive the robot.
const HASTY_LEARNER: &str = r#"
[world]
clock = "lockstep"
tasks = ["push", "press_button"]
episodes = 4

[learner.replay]
held_back_ticks = 40

[learner.update]
batch = 2
first_windows = 8
per_candidate = 3

[learner.gate]
windows = 8
blocks = 2
confidence = 0.5
max_regression = 10.0
fresh_ticks = 20
probes = 4
evaluation_batch = 4
"#;

#[test]
fn lockstep_runs_with_one_seed_are_equal_learner_on() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("run.toml");
    std::fs::write(&config, HASTY_LEARNER).unwrap();
    let runs = ["first", "second"].map(|name| {
        let log = folder.path().join(name);
        let report = folder.path().join(format!("{name}.json"));
        let status = cerebellum(&["run", "--device", "cpu", "--no-record", "--seed", "5"])
            .args(["--config".as_ref(), config.as_os_str()])
            .args(["--log-commands".as_ref(), log.as_os_str()])
            .args(["--json".as_ref(), report.as_os_str()])
            .status()
            .unwrap();
        assert!(status.success());
        (std::fs::read_to_string(log).unwrap(), json(&report))
    });
    let [(first, report), (second, other)] = &runs;
    assert!(first.lines().count() > 100);
    let learner = &report["learner"];
    let count = |key: &str| learner[key].as_u64().unwrap();
    assert!(count("updates") >= 6, "{learner}");
    assert!(count("accepted") + count("rejected") >= 1, "{learner}");
    assert_eq!(learner, &other["learner"]);
    assert_eq!(report["tasks"], other["tasks"]);
    // Not `assert_eq`: the logs are long.
    let differs = first.lines().zip(second.lines()).find(|(a, b)| a != b);
    assert_eq!(differs, None);
    assert!(first == second);
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
    let watch = Watch::connect(&endpoint);
    let mut runtime = Running::start(&run);
    let begun = watch.wait_for_running_episode(MINUTE);
    watch.wait_for_state("the first episode", RuntimeState::Running, MINUTE);
    // A power cut at the world; the runtime holds and asks again.
    world.kill();
    until("the robot to be held without a world", MINUTE, || {
        let held = [RuntimeState::PeerLost, RuntimeState::Stale];
        watch.state().is_some_and(|state| held.contains(&state))
    });
    watch.wait_for_standstill("no world", MINUTE);
    assert!(
        runtime.0.try_wait().unwrap().is_none(),
        "the runtime stays up"
    );
    let _world = Running::start(&["sim", "--listen", &endpoint]);
    assert!(runtime.wait(2 * MINUTE).success());
    assert_eq!(json(&report)["tasks"]["push"]["episodes"], 3);

    // A power cut at the runtime; the same world serves the next one.
    let mut first = Running::start(&run);
    watch.wait_for_episode(MINUTE, |status| {
        // Numbers of another run lie further apart than a run has episodes.
        status.phase == EpisodePhase::Running && status.episode > begun.episode + 3
    });
    first.kill();
    let mut second = Running::start(&run);
    assert!(second.wait(2 * MINUTE).success());
    assert_eq!(json(&report)["tasks"]["push"]["episodes"], 3);
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
