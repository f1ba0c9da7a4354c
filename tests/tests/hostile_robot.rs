//! A robot whose messages cannot be used: whatever it sends, the runtime stays up, says once what is
//! wrong, holds, and goes on when the messages are good again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cerebellum_bridge::zenoh::{Publisher, Session, Stream, limit};
use cerebellum_bridge::{Counters, SessionConfig, topics};
use cerebellum_messages::{
    Command, Frame, Goal, GoalSpec, JointState, Message as _, Observation, RuntimeState, Stamp,
};
use cerebellum_sim::{CONTROL_PERIOD_NANOS, Episode, EpisodeConfig, Split, Task};
use cerebellum_tests::{Raw, Running, Watch, free_endpoint};

const PATIENCE: Duration = Duration::from_secs(30);
const HOUR: i64 = 3_600_000_000_000;

/// What is wrong with the robot's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    OtherRobot,
    JointMissing,
    PositionMissing,
    NotANumber,
    CutJoints,
    RandomJoints,
    OversizeJoints,
    SmallImage,
    UnknownEncoding,
    CutImage,
    RandomImage,
    OversizeImage,
    JointsFromTheFuture,
    AllFromTheFuture,
    AllFromThePast,
}

struct Robot {
    joints: Publisher<Raw<JointState>>,
    cameras: Vec<(String, Publisher<Raw<Frame>>)>,
    commands: cerebellum_bridge::zenoh::Latest<Command>,
    episode: Episode,
    /// The robot's clock: its scene may be over, its time is not.
    now: i64,
    random: u64,
    _session: Session,
}

impl Robot {
    fn new(endpoint: &str) -> Self {
        let config = SessionConfig {
            listen: vec![endpoint.to_owned()],
            node: "robot".to_owned(),
            ..SessionConfig::default()
        };
        let session = Session::open(&config, &Counters::new()).unwrap();
        let cameras = ["front", "wrist"].map(|name| {
            let topic = topics::image(name);
            let publisher = session.publisher(&topic, Stream::Image).unwrap();
            (name.to_owned(), publisher)
        });
        Self {
            joints: session
                .publisher(topics::JOINT_STATES, Stream::State)
                .unwrap(),
            cameras: cameras.into(),
            commands: session.latest(topics::COMMAND, limit::EVENT).unwrap(),
            episode: Episode::new(&EpisodeConfig::new(Task::Push, Split::Eval, 1)).unwrap(),
            now: 0,
            random: 0x9e37_79b9_7f4a_7c15,
            _session: session,
        }
    }

    /// Seeded, so that a failure can be repeated (xorshift64).
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, 0];
        bytes.resize_with(length, || {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            self.random as u8
        });
        bytes
    }

    /// One period: follows the last command and sends what is sensed, broken as asked.
    fn turn(&mut self, fault: Fault) {
        if let Some(command) = self.commands.get() {
            let mut targets = *self.episode.commanded();
            for (target, position) in targets.iter_mut().zip(&command.value.points[0].positions) {
                *target = *position;
            }
            self.episode.step(&targets).unwrap();
        }
        self.now += CONTROL_PERIOD_NANOS;
        let stamp = self.now
            + match fault {
                Fault::AllFromTheFuture => HOUR,
                Fault::AllFromThePast => -HOUR,
                _ => 0,
            };
        let mut observation = self.episode.observe().unwrap();
        observation.joints.stamp = Stamp(stamp);
        if fault == Fault::JointsFromTheFuture {
            observation.joints.stamp = Stamp(stamp + HOUR);
        }
        let joints = self.joints(fault, &observation);
        self.joints.offer(&joints.into());
        for index in 0..self.cameras.len() {
            let mut frame = observation.frames[index].clone();
            frame.stamp = Stamp(stamp);
            let image = self.image(fault, frame);
            self.cameras[index].1.offer(&image.into());
        }
    }

    fn joints(&mut self, fault: Fault, observation: &Observation) -> Vec<u8> {
        let mut joints = observation.joints.clone();
        match fault {
            Fault::OtherRobot => {
                for (name, index) in joints.names.iter_mut().zip(1..) {
                    *name = format!("elbow_{index}");
                }
            }
            Fault::JointMissing => {
                joints.names.remove(2);
                joints.position.remove(2);
                joints.velocity.clear();
                joints.effort.clear();
            }
            Fault::PositionMissing => drop(joints.position.pop()),
            Fault::NotANumber => joints.position[3] = f64::NAN,
            _ => {}
        }
        let bytes = joints.encode();
        match fault {
            Fault::CutJoints => bytes[..bytes.len() / 2].to_vec(),
            Fault::RandomJoints => self.bytes(300),
            Fault::OversizeJoints => vec![0; limit::SMALL + 1],
            _ => bytes,
        }
    }

    fn image(&mut self, fault: Fault, mut frame: Frame) -> Vec<u8> {
        if fault == Fault::SmallImage {
            (frame.width, frame.height) = (64, 48);
            frame.data = Arc::from(&frame.data[..64 * 48 * 3]);
        }
        let mut bytes = frame.encode();
        match fault {
            Fault::CutImage => bytes.truncate(1000),
            Fault::UnknownEncoding => {
                let at = bytes.windows(4).position(|word| word == b"rgb8").unwrap();
                bytes[at..at + 4].copy_from_slice(b"yuv9");
            }
            Fault::RandomImage => bytes = self.bytes(5000),
            Fault::OversizeImage => bytes = vec![0; limit::IMAGE + (1 << 20)],
            _ => {}
        }
        bytes
    }
}

#[test]
fn a_broken_robot_is_held_and_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let (report, log) = (folder.path().join("report.json"), folder.path().join("log"));
    let endpoint = free_endpoint();
    let fault = Arc::new(Mutex::new(Fault::OtherRobot));
    let stop = Arc::new(AtomicBool::new(false));
    let robot = {
        let mut robot = Robot::new(&endpoint);
        let (fault, stop) = (Arc::clone(&fault), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut next = Instant::now();
            while !stop.load(Ordering::Relaxed) {
                let present = *fault.lock().unwrap();
                robot.turn(present);
                next += Duration::from_nanos(CONTROL_PERIOD_NANOS as u64);
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        })
    };
    let mut runtime = Running::start_logging(
        &[
            "run",
            "--device",
            "cpu",
            "--world",
            "robot",
            "--connect",
            &endpoint,
            "--no-record",
            "--goal",
            "push the red block",
            "--json",
            report.to_str().unwrap(),
        ],
        &log,
    );
    let watch = Watch::connect(&endpoint);

    // A robot of another make is never commanded.
    let begun = Instant::now();
    watch.wait_for_state("another robot", RuntimeState::Waiting, PATIENCE);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(watch.command(), None, "a robot that is not known was moved");

    let all_is_well = |what: &str| {
        *fault.lock().unwrap() = Fault::None;
        watch.wait_for_state(what, RuntimeState::Running, PATIENCE);
    };
    for (kind, state) in [
        (Fault::OtherRobot, RuntimeState::Stale),
        (Fault::JointMissing, RuntimeState::Stale),
        (Fault::PositionMissing, RuntimeState::Stale),
        (Fault::NotANumber, RuntimeState::Stale),
        (Fault::CutJoints, RuntimeState::Stale),
        (Fault::RandomJoints, RuntimeState::Stale),
        (Fault::OversizeJoints, RuntimeState::Stale),
        (Fault::SmallImage, RuntimeState::PolicyFault),
        (Fault::UnknownEncoding, RuntimeState::Stale),
        (Fault::CutImage, RuntimeState::Stale),
        (Fault::RandomImage, RuntimeState::Stale),
        (Fault::OversizeImage, RuntimeState::Stale),
    ] {
        all_is_well(&format!("good messages before {kind:?}"));
        *fault.lock().unwrap() = kind;
        let what = format!("{kind:?}");
        watch.wait_for_state(&what, state, PATIENCE);
        watch.wait_for_standstill(&what, PATIENCE);
    }
    // Only differences of a robot's stamps matter: a clock that was set moves nothing.
    for kind in [
        Fault::JointsFromTheFuture,
        Fault::AllFromTheFuture,
        Fault::AllFromThePast,
    ] {
        all_is_well(&format!("good messages before {kind:?}"));
        *fault.lock().unwrap() = kind;
        std::thread::sleep(Duration::from_millis(700));
        watch.wait_for_state(&format!("{kind:?}"), RuntimeState::Running, PATIENCE);
    }
    all_is_well("good messages");

    // Goals that the policy does not take.
    let goals = watch
        .session()
        .publisher::<Raw<Goal>>(topics::GOAL, Stream::Event)
        .unwrap();
    let goal = |id, spec| Goal { id, spec }.encode();
    let language = |id| {
        goal(
            id,
            GoalSpec::Language {
                text: "push the red block".to_owned(),
            },
        )
    };
    let picture = Frame {
        camera: "front".to_owned(),
        stamp: Stamp(0),
        width: 2,
        height: 2,
        data: Arc::from([0; 12]),
    };
    let refused = [
        GoalSpec::State {
            values: vec![0.5; 8],
        },
        GoalSpec::Reward {
            states: vec![0.0; 4],
            rewards: vec![1.0; 2],
        },
        GoalSpec::Concept { ids: vec![3] },
        GoalSpec::Image { frame: picture },
        GoalSpec::Language {
            text: "push ".repeat(1000),
        },
    ];
    for (spec, id) in refused.into_iter().zip(10..) {
        let what = format!(
            "{:?}",
            Goal {
                id,
                spec: spec.clone()
            }
            .kind()
        );
        goals.offer(&goal(id, spec).into());
        watch.wait_for_state(&what, RuntimeState::PolicyFault, PATIENCE);
        watch.wait_for_standstill(&what, PATIENCE);
        goals.offer(&language(id + 100).into());
        watch.wait_for_state("a good goal", RuntimeState::Running, PATIENCE);
    }
    // Messages that are no goals change nothing.
    let mut unknown_kind = language(300);
    unknown_kind[12] = 9;
    for bytes in [unknown_kind, language(0), language(301)[..20].to_vec()] {
        goals.offer(&bytes.into());
    }
    std::thread::sleep(Duration::from_millis(700));
    watch.wait_for_state("no goals", RuntimeState::Running, PATIENCE);
    assert_eq!(watch.goal(), Some(114));

    let seconds = begun.elapsed().as_secs();
    runtime.terminate();
    let status = runtime.wait(PATIENCE);
    stop.store(true, Ordering::Relaxed);
    robot.join().unwrap();
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(status.success(), "{log}");

    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    for name in [
        "joint_states.misfit",
        "joint_states.refused",
        "joint_states.decode",
        "joint_states.oversize",
        "camera/front/image.decode",
        "camera/front/image.oversize",
        "plans.bad_observation",
        "plans.goal_refused",
        "goal.decode",
        "goal.refused",
    ] {
        let count = &report["dropped"][format!("dropped.{name}")];
        assert!(count.as_u64() > Some(0), "{name}: {}", report["dropped"]);
    }
    for words in [
        "has no joint `joint",
        "does the robot description belong to this robot",
        "fill it to match",
        "expected=at most 65536 bytes",
        "64x48",
        "expected 96x96",
        "yuv9",
        "takes goals of kind",
        "shorten it",
    ] {
        assert!(log.contains(words), "{words} is not said: {log}");
    }
    // A handful of kinds of warnings on four topics, each at most every five seconds.
    let warnings = log.lines().filter(|line| line.contains("WARN")).count() as u64;
    assert!(
        warnings < 20 + 3 * seconds,
        "{warnings} in {seconds} s: {log}"
    );
}
