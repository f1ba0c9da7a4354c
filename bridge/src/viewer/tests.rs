#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cerebellum_messages::{
    ActionChunk, ActionSpace, Command, EpisodePhase, EpisodeStatus, Frame, Goal, GoalSpec,
    JointState, LatentSample, LearnerReport, RuntimeState, RuntimeStatus, Stamp, Tick,
    TrajectoryPoint, Verdict,
};
use rerun::external::re_log_encoding::rrd::DecoderApp;
use rerun::log::{Chunk, LogMsg};

use super::running::Target;
use super::tap::Entry;
use super::*;
use crate::sync::{Bound, Queue};
use crate::{BridgeError, Counter, Counters};

const PATIENCE: Duration = Duration::from_secs(30);

fn record(path: &Path) -> ViewerConfig {
    ViewerConfig {
        record: Some(path.to_owned()),
        image_every: 1,
        ..ViewerConfig::default()
    }
}

/// One event of each kind at a tick.
fn everything(tick: u64) -> Vec<Event> {
    let stamp = Stamp::from_nanos(tick as i64 * 50_000_000);
    let names = vec!["joint1".to_owned(), "gripper".to_owned()];
    let frame = Frame {
        camera: "front".to_owned(),
        stamp,
        width: 4,
        height: 2,
        data: Arc::from(vec![tick as u8; 24]),
    };
    let latent = |name: &str, shape: Vec<u32>| LatentSample {
        stamp,
        tick: Tick(tick),
        generation: 1,
        name: name.to_owned(),
        values: (0..shape.iter().product())
            .map(|i| (i as f32 + tick as f32).sin())
            .collect(),
        shape,
    };
    vec![
        Event::Frame(frame.clone()),
        Event::Joints(JointState {
            stamp,
            names: names.clone(),
            position: vec![0.1, 0.2],
            velocity: vec![0.0, 0.0],
            effort: vec![],
        }),
        Event::Command(Command {
            stamp,
            joint_names: names,
            points: vec![TrajectoryPoint {
                positions: vec![0.1, 0.2],
                ..TrajectoryPoint::default()
            }],
        }),
        Event::Action(vec![0.5; 7]),
        Event::Chunk(ActionChunk {
            stamp,
            observed: Tick(tick),
            goal_id: 1,
            generation: 1,
            denoise_steps: 4,
            space: ActionSpace::TcpDelta,
            action_dim: 7,
            actions: vec![0.25; 70],
        }),
        Event::Latent(latent("goal", vec![32])),
        Event::Latent(latent("context", vec![3, 16])),
        Event::Learner(LearnerReport {
            stamp,
            update: tick,
            generation: 1,
            objective: "mgf".to_owned(),
            loss: 0.5,
            grad_norm: 1.5,
            reference_loss: 0.5,
            candidate_loss: 0.4,
            action_shift: 0.01,
            verdict: Verdict::Accepted,
        }),
        Event::Goal(Goal {
            id: tick,
            spec: GoalSpec::Image { frame },
        }),
        Event::Status(RuntimeStatus {
            stamp,
            tick: Tick(tick),
            state: RuntimeState::Running,
            goal_id: 1,
            generation: 1,
            missed: 0,
            limited: 0,
            slack_us: 40_000.0,
            detail: String::new(),
        }),
        Event::Episode(EpisodeStatus {
            stamp,
            episode: 1,
            task: "push".to_owned(),
            instruction: "push the red cube".to_owned(),
            phase: EpisodePhase::Running,
            ticks: tick,
            detail: String::new(),
        }),
        Event::Timing(Timing {
            slack_us: 40_000.0,
            jitter_us: 12.0,
            ..Timing::default()
        }),
        Event::Scalar {
            name: "sensor/distance".to_owned(),
            value: 0.3,
        },
        Event::Training {
            name: "loss".to_owned(),
            step: tick,
            value: 1.0,
        },
        Event::Text("a line".to_owned()),
    ]
}

/// The rows of each entity of a recording, and the timelines it has.
fn read(path: &Path) -> BTreeMap<String, (usize, BTreeSet<String>)> {
    let file = std::fs::File::open(path).unwrap();
    let messages = DecoderApp::decode_lazy(std::io::BufReader::new(file));
    let mut entities = BTreeMap::<String, (usize, BTreeSet<String>)>::new();
    for message in messages {
        let LogMsg::ArrowMsg(store, message) = message.unwrap() else {
            continue;
        };
        if !store.is_recording() {
            continue;
        }
        let chunk = Chunk::from_arrow_msg(&message).unwrap();
        let entity = entities.entry(chunk.entity_path().to_string()).or_default();
        entity.0 += chunk.num_rows();
        entity
            .1
            .extend(chunk.timelines().keys().map(|name| name.to_string()));
    }
    entities
}

#[test]
fn a_recording_holds_everything_and_gets_its_name_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("runs/one.rrd");
    let viewer = Viewer::start(&record(&path), &Counters::new()).unwrap();
    let tap = viewer.tap();
    for tick in 0..20 {
        for event in everything(tick) {
            let stamp = Stamp::from_nanos(tick as i64 * 50_000_000);
            let moment = match event {
                // These say themselves, or know no time.
                Event::Learner(_) | Event::Training { .. } => Moment::default(),
                _ => Moment::new(Tick(tick), stamp),
            };
            tap.offer(moment, event);
        }
    }
    assert!(!path.exists(), "complete too early");
    assert_eq!(viewer.finish(PATIENCE).unwrap(), Some(path.clone()));
    let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(&std::fs::read(&path).unwrap()[..4], b"RRF2");

    let entities = read(&path);
    for (entity, rows) in [
        ("/camera/front", 20),
        // One more: the names of the lines.
        ("/joints/position", 21),
        ("/command/position", 21),
        ("/action", 21),
        ("/plan/table", 20),
        ("/latent/goal", 20),
        ("/latent/context", 20),
        ("/latent_trail/goal/now", 20),
        ("/learner/loss/mgf", 20),
        ("/verdict", 1),
        ("/goal", 20),
        ("/goal/image", 20),
        ("/state", 1),
        ("/episode", 1),
        ("/timing/jitter_us", 20),
        ("/runtime/generation", 20),
        ("/curve/sensor/distance", 20),
        ("/training/loss", 20),
    ] {
        let found = entities.get(entity).map(|(rows, _)| *rows);
        assert_eq!(found, Some(rows), "{entity} in {:?}", entities.keys());
    }
    assert!(!entities.contains_key("/timing/inference_us"), "was NaN");
    assert!(entities["/timing/jitter_us"].1.contains("tick"));
    assert!(!entities["/training/loss"].1.contains("tick"));
    // Twenty plans of ten steps and an end, over eight entities, each with a row for its names.
    let ahead = (0..8).map(|slot| entities[&format!("/plan/ahead/{slot}")].0);
    assert_eq!(ahead.sum::<usize>(), 228);
    for (entity, timeline) in [
        ("/action", "tick"),
        ("/action", "stamp"),
        ("/learner/loss/mgf", "update"),
        ("/learner/loss/mgf", "tick"),
        ("/training/loss", "step"),
        ("/plan/ahead/0", "tick"),
    ] {
        assert!(entities[entity].1.contains(timeline), "{entity} {timeline}");
    }
    assert!(!entities["/action"].1.contains("update"));
}

/// Takes events only when told to.
struct Gated(mpsc::Receiver<()>, Counter);

impl Target for Gated {
    fn write(&mut self, _: &Entry) {
        self.0.recv().ok();
        self.1.increment();
    }
    fn finish(self) -> Result<Option<PathBuf>, BridgeError> {
        Ok(None)
    }
}

#[test]
fn offering_never_waits_and_losses_are_counted() {
    let (gate, wait) = mpsc::channel();
    let written = Counter::default();
    let queue = Queue::new(Bound::newest(8), Counter::default());
    let mut viewer = Viewer::default();
    let target = Gated(wait, written.clone());
    viewer
        .spawn("viewer", "test".to_owned(), queue.clone(), target)
        .unwrap();
    let tap = ViewerTap::new(vec![queue.clone()]);
    let begin = Instant::now();
    for _ in 0..10_000 {
        tap.offer(Moment::default(), Event::Text("x".to_owned()));
    }
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    assert!(queue.len() <= 8);
    drop(gate);
    let dropped = {
        viewer.finish(PATIENCE).unwrap();
        queue.dropped()
    };
    assert_eq!(written.get() + dropped, 10_000);
}

#[test]
fn a_viewer_that_is_not_there_costs_nothing_but_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let config = ViewerConfig {
        connect: Some(format!("rerun+http://127.0.0.1:{port}/proxy")),
        ..ViewerConfig::default()
    };
    let counters = Counters::new();
    let viewer = Viewer::start(&config, &counters).unwrap();
    for tick in 0..10 {
        for event in everything(tick) {
            viewer.tap().offer(Moment::default(), event);
        }
    }
    let begin = Instant::now();
    assert_eq!(viewer.finish(PATIENCE).unwrap(), None);
    assert!(
        begin.elapsed() < Duration::from_secs(15),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(counters.losses()["dropped.viewer.absent"], 150);
}

#[test]
fn what_cannot_work_is_said_at_the_start() {
    let refused = |config: &ViewerConfig| {
        Viewer::start(config, &Counters::new())
            .unwrap_err()
            .to_string()
    };
    let error = refused(&ViewerConfig {
        connect: Some("localhost".to_owned()),
        ..ViewerConfig::default()
    });
    assert!(error.contains(LOCAL_VIEWER), "{error}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("one.rrd");
    let error = refused(&ViewerConfig {
        connect: Some("localhost".to_owned()),
        ..record(&path)
    });
    assert!(error.contains("localhost"), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = refused(&record(&file.join("below.rrd")));
    assert!(error.contains("below.rrd"), "{error}");
}

#[test]
fn without_a_wish_nothing_runs() {
    let viewer = Viewer::start(&ViewerConfig::default(), &Counters::new()).unwrap();
    assert!(!viewer.tap().is_open());
    viewer
        .tap()
        .offer(Moment::default(), Event::Text(String::new()));
    assert_eq!(viewer.finish(PATIENCE).unwrap(), None);
}

#[test]
fn a_recording_that_cannot_be_named_says_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("one.rrd");
    let viewer = Viewer::start(&record(&path), &Counters::new()).unwrap();
    viewer
        .tap()
        .offer(Moment::default(), Event::Text("x".to_owned()));
    // A directory of that name cannot be replaced by a file.
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("x"), "").unwrap();
    let error = viewer.finish(PATIENCE).unwrap_err().to_string();
    assert!(error.contains(".partial"), "{error}");
}
