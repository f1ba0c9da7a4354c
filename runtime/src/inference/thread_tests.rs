#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::slot::WeightSlot;
use super::super::testing::{LinearPolicy, goal, observation, weights};
use super::*;

const PERIOD: Duration = Duration::from_millis(5);

/// Observations of a clock that ticks once per period.
struct Ticking {
    origin: Instant,
    dead_from: u64,
}

impl ObservationSource for Ticking {
    fn wait_newer(&mut self, after: Option<Tick>, timeout: Duration) -> Option<Arc<Observation>> {
        let end = Instant::now() + timeout;
        loop {
            let tick = (self.origin.elapsed().as_nanos() / PERIOD.as_nanos()) as u64;
            assert!(tick < self.dead_from, "told to panic");
            if after != Some(Tick(tick)) {
                return Some(Arc::new(observation(tick)));
            }
            if Instant::now() >= end {
                return None;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

struct Goals(Arc<Mutex<Vec<GoalChange>>>);

impl GoalSource for Goals {
    fn newest(&mut self) -> Option<GoalChange> {
        self.0.lock().unwrap().pop()
    }
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<ActionChunk>>>);

impl ChunkSink for Sink {
    fn deliver(&mut self, chunk: &ActionChunk) -> bool {
        self.0.lock().unwrap().push(chunk.clone());
        true
    }
}

#[derive(Clone, Default)]
struct Tap {
    events: Arc<Mutex<Vec<InferenceEvent>>>,
    plans: Arc<AtomicU64>,
    warm: Arc<AtomicU64>,
}

impl InferenceTap for Tap {
    fn plan(&mut self, _: &Plan) {
        self.plans.fetch_add(1, Ordering::Relaxed);
    }
    fn event(&mut self, event: &InferenceEvent) {
        self.events.lock().unwrap().push(event.clone());
    }
    fn warmed_up(&mut self, report: &WarmupReport) {
        self.warm.store(u64::from(report.plans), Ordering::Relaxed);
    }
}

struct Rig {
    thread: InferenceThread,
    slot: WeightSlot,
    goals: Arc<Mutex<Vec<GoalChange>>>,
    sink: Sink,
    tap: Tap,
    slack: Slack,
}

fn rig(dead_from: u64, delay: Duration) -> Rig {
    let slot = WeightSlot::new();
    let config = InferenceConfig {
        poll_ms: 5,
        ..InferenceConfig::default()
    };
    let mut policy = LinearPolicy::new(1.0);
    policy.delay = delay;
    let core = InferenceCore::new(Box::new(policy), slot.clone(), 3, &config);
    let goals = Arc::new(Mutex::new(Vec::new()));
    let (sink, tap, slack) = (Sink::default(), Tap::default(), Slack::closed());
    let io = InferenceIo {
        observations: Box::new(Ticking {
            origin: Instant::now(),
            dead_from,
        }),
        goals: Box::new(Goals(Arc::clone(&goals))),
        chunks: Box::new(sink.clone()),
        tap: Box::new(tap.clone()),
        slack: slack.clone(),
        warmup: WarmupInputs::default(),
        on_start: None,
    };
    let thread = InferenceThread::spawn(core, &config, PERIOD, io).unwrap();
    Rig {
        thread,
        slot,
        goals,
        sink,
        tap,
        slack,
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn plans_flow_once_there_is_a_goal_and_stop_when_told() {
    let rig = rig(u64::MAX, Duration::ZERO);
    let pulse = rig.thread.pulse();
    wait_for("warm-up", || rig.tap.warm.load(Ordering::Relaxed) == 3);
    wait_for("beats", || pulse.beats() > 20);
    assert_eq!(pulse.plans(), 0, "no goal yet");
    wait_for("free device", || {
        rig.slack.allowance(Instant::now()) == Duration::MAX
    });
    rig.goals.lock().unwrap().push(GoalChange::Set(goal(7)));
    wait_for("plans", || pulse.plans() >= 5);
    rig.slot.publish(weights(1, 2.0));
    wait_for("new weights", || pulse.generation() == 1);
    wait_for("their plans", || {
        rig.sink
            .0
            .lock()
            .unwrap()
            .iter()
            .any(|chunk| chunk.generation == 1)
    });
    let begun = Instant::now();
    let stats = rig.thread.stop(Duration::from_secs(5)).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(pulse.state(), InferenceState::Stopped);
    assert_eq!(stats.plans, pulse.plans());
    let chunks = rig.sink.0.lock().unwrap();
    assert_eq!(chunks.len() as u64, rig.tap.plans.load(Ordering::Relaxed));
    assert!(chunks.iter().all(|chunk| chunk.goal_id == 7));
    assert!(
        chunks
            .windows(2)
            .all(|pair| pair[0].observed < pair[1].observed)
    );
}

#[test]
fn bad_weights_are_reported_and_the_thread_goes_on() {
    let rig = rig(u64::MAX, Duration::ZERO);
    let pulse = rig.thread.pulse();
    rig.goals.lock().unwrap().push(GoalChange::Set(goal(1)));
    wait_for("plans", || pulse.plans() >= 2);
    rig.slot.publish(weights(4, f32::NAN));
    wait_for("the report", || {
        let events = rig.tap.events.lock().unwrap();
        events
            .iter()
            .any(|event| event.condemned().is_some_and(|(g, _)| g == 4))
    });
    let plans = pulse.plans();
    wait_for("more plans", || pulse.plans() > plans + 2);
    assert_eq!(pulse.generation(), 0);
    assert!(rig.thread.stop(Duration::from_secs(5)).is_some());
}

#[test]
fn a_panic_outside_of_the_policy_is_reported_as_death() {
    let rig = rig(3, Duration::ZERO);
    let pulse = rig.thread.pulse();
    wait_for("death", || pulse.state() == InferenceState::Dead);
    assert!(rig.thread.stop(Duration::from_secs(5)).is_none());
}

#[test]
fn a_thread_that_hangs_is_left_behind() {
    let rig = rig(u64::MAX, Duration::from_secs(1));
    wait_for("warm-up", || {
        rig.thread.pulse().state() == InferenceState::WarmingUp
    });
    let begun = Instant::now();
    assert!(rig.thread.stop(Duration::from_millis(50)).is_none());
    assert!(begun.elapsed() < Duration::from_millis(900));
}
