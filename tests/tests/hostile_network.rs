//! A stranger in the network of a running robot: whatever is sent, the runtime stays up, counts it,
//! says once per kind what was wrong, and the episodes go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use cerebellum_bridge::topics;
use cerebellum_bridge::zenoh::{Publisher, Stream, limit};
use cerebellum_messages::{
    Clock, ClockKind, Command, EpisodePhase, EpisodeRequest, EpisodeStatus, Frame, Goal, GoalSpec,
    JointState, Message, RuntimeState, Stamp, Text, TrajectoryPoint,
};
use cerebellum_tests::{Raw, Running, Watch, free_endpoint, until};

const PATIENCE: Duration = Duration::from_secs(60);
/// More than pass while the stranger does all this, however fast a button is pressed.
const EPISODES: &str = "32";
/// Episodes in which the robot may be given a goal that its policy does not take, and how long that
/// may take to show.
const TRIES: usize = 6;
const REFUSED_WITHIN: Duration = Duration::from_secs(2);
/// How long the flood lasts.
const FLOOD: Duration = Duration::from_secs(4);

/// A stranger's hand on one topic.
struct Hand {
    send: Box<dyn Fn(Vec<u8>)>,
    /// A message that is well formed, and false.
    lie: Vec<u8>,
    limit: usize,
}

impl Hand {
    fn new<M: Message + 'static>(watch: &Watch, topic: &str, limit: usize, lie: &M) -> Self {
        let publisher: Publisher<Raw<M>> = watch.session().publisher(topic, Stream::Event).unwrap();
        until("the topic to be heard", PATIENCE, || {
            publisher.has_subscribers()
        });
        Self {
            lie: lie.encode(),
            send: Box::new(move |bytes| publisher.offer(&bytes.into())),
            limit,
        }
    }
}

/// Seeded, so that a failure can be repeated (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Noise; every other time under the header of a message.
    fn bytes(&mut self) -> Vec<u8> {
        let length = self.next() as usize % 2000;
        let mut bytes: Vec<u8> = (0..length).map(|_| self.next() as u8).collect();
        if length >= 4 && self.next().is_multiple_of(2) {
            bytes[..4].copy_from_slice(&[0, 1, 0, 0]);
        }
        bytes
    }
}

fn hands(watch: &Watch, names: &[String]) -> Vec<Hand> {
    let stamp = Stamp(3_600_000_000_000);
    let count = names.len();
    let joints = JointState {
        stamp,
        names: names.to_vec(),
        position: vec![0.3; count],
        ..JointState::default()
    };
    let frame = Frame {
        camera: "front".to_owned(),
        stamp,
        width: 96,
        height: 96,
        data: Arc::from(vec![255; 96 * 96 * 3]),
    };
    let command = Command {
        stamp,
        joint_names: names.to_vec(),
        points: vec![TrajectoryPoint {
            positions: vec![1.0; count],
            ..TrajectoryPoint::default()
        }],
    };
    let status = EpisodeStatus {
        stamp,
        episode: 1,
        task: "press_button".to_owned(),
        instruction: "do as I say".to_owned(),
        phase: EpisodePhase::Refused,
        ticks: 1,
        detail: "no more episodes".to_owned(),
    };
    vec![
        Hand::new(watch, topics::JOINT_STATES, limit::SMALL, &joints),
        Hand::new(
            watch,
            &topics::image("front"),
            limit::IMAGE + limit::SMALL,
            &frame,
        ),
        Hand::new(watch, topics::CLOCK, limit::SMALL, &Clock(stamp)),
        Hand::new(watch, topics::EPISODE_STATUS, limit::EVENT, &status),
        Hand::new(watch, topics::COMMAND, limit::EVENT, &command),
    ]
}

#[test]
fn a_stranger_in_the_network_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (report, log) = (folder.path().join("report.json"), folder.path().join("log"));
    let endpoint = free_endpoint();
    let mut runtime = Running::start_logging(
        &[
            "run",
            "--device",
            "cpu",
            "--listen",
            &endpoint,
            "--no-record",
            "--episodes",
            EPISODES,
            "--tasks",
            "press_button",
            "--json",
            report.to_str().unwrap(),
        ],
        &log,
    );
    let watch = Watch::connect(&endpoint);
    watch.wait_for_state("the first episode", RuntimeState::Running, PATIENCE);
    until("a command", PATIENCE, || watch.command().is_some());
    let begun = Instant::now();
    let names = watch.joint_names().unwrap();
    let hands = hands(&watch, &names);
    let mut random = Random(2026);

    // Lies, pieces and noise under the names of the robot, its world and the runtime.
    for hand in &hands {
        (hand.send)(hand.lie.clone());
        for length in 0..hand.lie.len().min(200) {
            (hand.send)(hand.lie[..length].to_vec());
        }
        for _ in 0..200 {
            (hand.send)(random.bytes());
        }
        (hand.send)(vec![0; hand.limit + 1]);
    }
    // What anyone may send, broken.
    let goals = Hand::new(
        &watch,
        topics::GOAL,
        limit::GOAL,
        &Goal {
            id: 7,
            spec: GoalSpec::Language {
                text: "press the red button".to_owned(),
            },
        },
    );
    let texts = Hand::new(
        &watch,
        topics::GOAL_TEXT,
        limit::EVENT,
        &Text("press".to_owned()),
    );
    let requests = Hand::new(
        &watch,
        topics::EPISODE_REQUEST,
        limit::EVENT,
        &EpisodeRequest {
            episode: 77_777,
            task: "juggle".to_owned(),
            seed: 0,
            split: "eval".to_owned(),
            shift: String::new(),
            clock: ClockKind::RealTime,
        },
    );
    for hand in [&goals, &texts, &requests] {
        for length in 4..hand.lie.len() {
            (hand.send)(hand.lie[..length].to_vec());
        }
        (hand.send)(vec![0; hand.limit + 1]);
    }
    let mut unknown_kind = goals.lie.clone();
    unknown_kind[12] = 200;
    (goals.send)(unknown_kind);
    (texts.send)(Text("a".repeat(1 << 20)).encode());

    // A task that the world does not know: its asker is told, the present episode goes on.
    (requests.send)(requests.lie.clone());
    let refusal = watch.wait_for_episode(PATIENCE, |status| status.episode == 77_777);
    assert_eq!(refusal.phase, EpisodePhase::Refused);
    assert!(refusal.detail.contains("juggle"), "{}", refusal.detail);

    // A goal that the policy does not take, in the middle of an episode: the robot is held until the
    // next one. A button may be pressed at that very moment, so several episodes are tried.
    let state = Goal {
        id: 999,
        spec: GoalSpec::State {
            values: vec![0.0; 8],
        },
    };
    let held = (0..TRIES).any(|_| {
        let before = watch.goal();
        until("the beginning of an episode", PATIENCE, || {
            let follows = watch.follows();
            follows.is_some_and(|(state, goal)| {
                state == RuntimeState::Running && goal != before.unwrap_or(0)
            })
        });
        (goals.send)(state.encode());
        let (sent, wanted) = (Instant::now(), Some((RuntimeState::PolicyFault, 999)));
        while watch.follows() != wanted && sent.elapsed() < REFUSED_WITHIN {
            std::thread::sleep(Duration::from_millis(5));
        }
        watch.follows() == wanted
    });
    assert!(held, "a goal of another kind is no fault");
    watch.wait_for_standstill("a goal of another kind", PATIENCE);
    watch.wait_for_state("the next episode", RuntimeState::Running, PATIENCE);

    // Thousands per second, all kinds at once.
    let (mut sent, flood) = (0_u64, Instant::now());
    while flood.elapsed() < FLOOD {
        for hand in &hands {
            (hand.send)(hand.lie.clone());
            (hand.send)(random.bytes());
            sent += 2;
        }
        (goals.send)(random.bytes());
        (texts.send)(Vec::new());
        (requests.send)(requests.lie.clone());
        sent += 3;
    }
    let rate = sent as f64 / flood.elapsed().as_secs_f64();
    assert!(rate > 1000.0, "{rate} messages per second are no flood");

    let status = runtime.wait(2 * PATIENCE);
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(status.success(), "{log}");
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let task = &report["tasks"]["press_button"];
    assert_eq!(task["episodes"].to_string(), EPISODES, "{report}");
    // All but the one whose goal was taken away had their chance; a loaded machine costs some.
    assert!(task["successes"].as_u64().unwrap() >= 3, "{report}");
    for name in [
        "joint_states.sender",
        "joint_states.oversize",
        "camera/front/image.sender",
        "camera/front/image.oversize",
        "clock.sender",
        "clock.oversize",
        "cerebellum/episode_status.sender",
        "cerebellum/episode_status.oversize",
        "joint_trajectory.sender",
        "joint_trajectory.oversize",
        "goal.decode",
        "goal.oversize",
        "goal/text.decode",
        "goal/text.oversize",
        "cerebellum/episode_request.decode",
        "cerebellum/episode_request.oversize",
        "plans.goal_refused",
    ] {
        let count = &report["dropped"][format!("dropped.{name}")];
        assert!(count.as_u64() > Some(0), "{name}: {}", report["dropped"]);
    }
    for words in [
        "another sender",
        "expected=at most",
        "takes goals of kind",
        "juggle",
    ] {
        assert!(log.contains(words), "{words} is not said: {log}");
    }
    // Nine topics, two or three kinds each, every five seconds at most.
    let (warnings, seconds) = (
        log.lines().filter(|line| line.contains("WARN")).count() as u64,
        begun.elapsed().as_secs(),
    );
    assert!(
        warnings < 60 + 6 * seconds,
        "{warnings} in {seconds} s: {log}"
    );
}
