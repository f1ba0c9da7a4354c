#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;

use super::super::testing::{LinearModel, config, record};
use super::*;
use crate::inference::WeightSlot;
use crate::inference::testing::spec;

/// Ticks of a world, as many as were let through, one per turn.
struct World {
    tick: u64,
    gave: bool,
    let_through: Arc<AtomicU64>,
}

impl ExperienceSource for World {
    fn next(&mut self) -> Option<Record> {
        self.gave = !self.gave;
        if !self.gave || self.tick >= self.let_through.load(Ordering::Relaxed) {
            return None;
        }
        self.tick += 1;
        Some(record(self.tick, 1.3))
    }
    fn dropped(&self) -> u64 {
        17
    }
}

#[derive(Clone, Default)]
struct Words(Arc<Mutex<VecDeque<Feedback>>>);

impl FeedbackSource for Words {
    fn next(&mut self) -> Option<Feedback> {
        self.0.lock().unwrap().pop_front()
    }
}

#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<LearnerReport>>>);

impl ReportSink for Reports {
    fn report(&mut self, report: LearnerReport) {
        self.0.lock().unwrap().push(report);
    }
}

struct Rig {
    thread: LearnerThread,
    world: Arc<AtomicU64>,
    words: Words,
    reports: Reports,
    slack: Slack,
}

fn rig(model: LinearModel, duty: f64, slack: Slack) -> Rig {
    let core = LearnerCore::new(
        Box::new(model),
        &spec(),
        &[],
        config(None),
        WeightSlot::new(),
        1,
    );
    let world = Arc::new(AtomicU64::new(200));
    let (words, reports) = (Words::default(), Reports::default());
    let io = LearnerIo {
        experience: Box::new(World {
            tick: 0,
            gave: false,
            let_through: Arc::clone(&world),
        }),
        feedback: Box::new(words.clone()),
        reports: Box::new(reports.clone()),
        slack: slack.clone(),
        step_back: None,
    };
    let pace = PaceConfig {
        duty,
        ..PaceConfig::default()
    };
    Rig {
        thread: LearnerThread::spawn(core.unwrap(), pace, io).unwrap(),
        world,
        words,
        reports,
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
fn it_learns_reports_and_stops_in_time() {
    let mut model = LinearModel::new(1.0);
    model.delay = Duration::from_millis(2);
    let rig = rig(model, 1.0, Slack::unlimited());
    wait_for("updates", || rig.thread.stats().updates > 10);
    assert!(rig.reports.0.lock().unwrap().len() > 10);
    assert_eq!(rig.thread.stats().tap_dropped, 17);
    let begun = Instant::now();
    let (state, stats) = rig.thread.stop(Duration::from_secs(5));
    assert!(begun.elapsed() < Duration::from_millis(500));
    assert_eq!(state, LearnerState::Stopped);
    assert!(stats.updates > 10);
}

#[test]
fn without_slack_it_only_remembers() {
    let rig = rig(LinearModel::new(1.0), 1.0, Slack::closed());
    wait_for("experience", || rig.thread.stats().replay.recorded == 200);
    wait_for("patience", || rig.thread.stats().put_off > 5);
    assert_eq!(rig.thread.state(), LearnerState::NoRoom);
    assert_eq!(rig.thread.stats().updates, 0);
    rig.slack.open();
    wait_for("updates", || rig.thread.stats().updates > 0);
    rig.thread.stop(Duration::from_secs(5));
}

#[test]
fn the_duty_can_be_changed_while_it_runs() {
    let rig = rig(LinearModel::new(1.0), 0.0, Slack::unlimited());
    wait_for("experience", || rig.thread.stats().replay.recorded == 200);
    assert_eq!(rig.thread.state(), LearnerState::Paused);
    rig.words.0.lock().unwrap().push_back(Feedback::Duty(1.0));
    wait_for("updates", || rig.thread.stats().updates > 0);
    rig.thread.stop(Duration::from_secs(5));
}

#[test]
fn a_panic_turns_the_learner_off_by_name() {
    let mut model = LinearModel::new(1.0);
    model.panics_after = 3;
    let rig = rig(model, 1.0, Slack::unlimited());
    let off = LearnerState::Off {
        reason: "told to panic".to_owned(),
    };
    wait_for("the panic", || rig.thread.state() == off);
    let (state, stats) = rig.thread.stop(Duration::from_secs(5));
    assert_eq!((state, stats.updates), (off, 3));
}

#[test]
fn it_hears_that_inference_could_not_use_a_generation() {
    let rig = rig(LinearModel::new(1.0), 1.0, Slack::unlimited());
    rig.world.store(3000, Ordering::Relaxed);
    wait_for("a generation", || rig.thread.stats().accepted > 0);
    let generation = rig.thread.stats().generation;
    rig.words.0.lock().unwrap().push_back(Feedback::Condemned {
        generation,
        reason: "NaN".to_owned(),
    });
    // It may have gone on to the next generation before it heard.
    wait_for("an answer", || {
        let stats = rig.thread.stats();
        stats.taken_back > 0 || stats.generation > generation
    });
    rig.thread.stop(Duration::from_secs(5));
}

#[test]
fn a_step_that_hangs_is_left_behind() {
    let mut model = LinearModel::new(1.0);
    model.delay = Duration::from_secs(1);
    let rig = rig(model, 1.0, Slack::unlimited());
    // After 82 records there are enough windows for a step.
    wait_for("a step", || rig.thread.stats().replay.recorded == 82);
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    rig.thread.stop(Duration::from_millis(50));
    assert!(begun.elapsed() < Duration::from_millis(900));
}
