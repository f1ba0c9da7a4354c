#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use cerebellum_messages::{Frame, JointState, Tick};

use super::*;
use crate::Counters;

fn slots() -> Arc<SensorSlots> {
    let cameras = ["wrist".to_owned(), "front".to_owned()];
    Arc::new(SensorSlots::new(&cameras, &Counters::new()))
}

fn frame(camera: &str, stamp: i64) -> Frame {
    Frame {
        camera: camera.to_owned(),
        stamp: Stamp::from_nanos(stamp),
        width: 1,
        height: 1,
        data: Arc::from([1u8, 2, 3]),
    }
}

fn joints(stamp: i64) -> JointState {
    JointState {
        stamp: Stamp::from_nanos(stamp),
        ..JointState::default()
    }
}

fn put_all(slots: &SensorSlots, stamp: i64) {
    let now = Instant::now();
    slots.put_joints(joints(stamp), now);
    assert!(slots.put_frame(frame("front", stamp), now));
    assert!(slots.put_frame(frame("wrist", stamp), now));
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(10)
}

#[test]
fn nothing_is_given_before_every_source_spoke() {
    let slots = slots();
    let mut assembler = ObservationAssembler::new(Arc::clone(&slots));
    slots.put_joints(joints(5), Instant::now());
    assert_eq!(assembler.newest().unwrap_err(), ["front", "wrist"]);
    assert!(!slots.put_frame(frame("rear", 5), Instant::now()));
}

#[test]
fn exact_sets_wait_for_the_last_part() {
    let slots = slots();
    let mut assembler = ObservationAssembler::new(Arc::clone(&slots));
    put_all(&slots, 1);
    assert!(matches!(assembler.wait_exact(soon()), Exact::Complete(set) if set.is_exact()));
    slots.put_joints(joints(2), Instant::now());
    slots.put_frame(frame("front", 2), Instant::now());
    match assembler.wait_exact(soon()) {
        Exact::TimedOut { missing } => assert_eq!(missing, ["wrist"]),
        other => panic!("{other:?}"),
    }
    let writer = Arc::clone(&slots);
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        writer.put_frame(frame("wrist", 2), Instant::now());
    });
    let deadline = Instant::now() + Duration::from_secs(5);
    match assembler.wait_exact(deadline) {
        Exact::Complete(set) => assert_eq!(set.stamp(), Stamp::from_nanos(2)),
        other => panic!("{other:?}"),
    }
    thread.join().unwrap();
}

#[test]
fn a_set_sent_again_is_told_apart_once() {
    let slots = slots();
    let mut assembler = ObservationAssembler::new(Arc::clone(&slots));
    put_all(&slots, 3);
    assert!(matches!(assembler.wait_exact(soon()), Exact::Complete(_)));
    put_all(&slots, 3);
    let again = Stamp::from_nanos(3);
    assert!(matches!(assembler.wait_exact(soon()), Exact::Repeated(stamp) if stamp == again));
    assert!(matches!(
        assembler.wait_exact(soon()),
        Exact::TimedOut { .. }
    ));
}

#[test]
fn a_world_that_starts_again_from_zero_is_followed() {
    let slots = slots();
    let mut assembler = ObservationAssembler::new(Arc::clone(&slots));
    put_all(&slots, 900);
    assert!(matches!(assembler.wait_exact(soon()), Exact::Complete(_)));
    put_all(&slots, 0);
    assert!(matches!(assembler.wait_exact(soon()), Exact::Complete(_)));
}

#[test]
fn real_time_takes_the_newest_and_reports_the_age_of_the_oldest() {
    let slots = slots();
    let mut assembler = ObservationAssembler::new(Arc::clone(&slots));
    let begin = Instant::now();
    slots.put_frame(frame("front", 10), begin);
    slots.put_frame(frame("wrist", 30), begin + Duration::from_millis(20));
    slots.put_joints(joints(40), begin + Duration::from_millis(30));
    slots.put_clock(Stamp::from_nanos(41), begin);
    let set = assembler.newest().unwrap();
    assert!(!set.is_exact());
    assert_eq!(
        set.age(begin + Duration::from_millis(50)),
        Duration::from_millis(50)
    );
    assert_eq!(set.newest_arrival(), begin + Duration::from_millis(30));
    assert_eq!(set.newest_stamp(), Stamp::from_nanos(40));
    assert_eq!(set.world_clock, Some(Stamp::from_nanos(41)));
    let observation = set.into_observation(Tick(4), None);
    assert_eq!(observation.stamp, Stamp::from_nanos(10));
    let names: Vec<_> = observation.frames.iter().map(|f| &f.camera).collect();
    assert_eq!(names, ["front", "wrist"]);
}

#[test]
fn waiting_for_newer_ends_with_any_new_part() {
    let slots = slots();
    let mut assembler = ObservationAssembler::new(Arc::clone(&slots));
    put_all(&slots, 1);
    assert!(assembler.wait_newer(soon()).is_some());
    assert!(assembler.wait_newer(soon()).is_none());
    slots.put_joints(joints(2), Instant::now());
    let set = assembler.wait_newer(soon()).unwrap();
    assert_eq!(set.newest_stamp(), Stamp::from_nanos(2));
}
