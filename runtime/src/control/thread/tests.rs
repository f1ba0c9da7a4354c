#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use cerebellum_kinematics::Robot;
use cerebellum_messages::{ActionChunk, ActionSpace, RuntimeState, Stamp};

use super::*;
use crate::control::{ActionInterface, Capacities, ControlConfig, Counter, Ends, Measured, links};
use crate::realtime::RealtimeConfig;

fn cycle(sender: Option<Thread>) -> (Cycle, Ends) {
    let actions = ActionInterface {
        space: ActionSpace::TcpDelta,
        dim: 7,
        translation_scale: 0.02,
        rotation_scale: 0.1,
    };
    let config = ControlConfig {
        rate_hz: 200.0,
        realtime: RealtimeConfig::ORDINARY,
        ..ControlConfig::default()
    };
    let controller = Controller::new(Robot::tabletop().unwrap(), actions, config).unwrap();
    let (end, others) = links(Capacities::default());
    (Cycle::new(controller, end, sender), others)
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("timed out: {what}");
}

fn send_home(others: &mut Ends, stamp: i64) {
    let measured = Measured {
        stamp: Stamp(stamp),
        position: *Robot::tabletop().unwrap().home(),
    };
    others.measured.send(measured, MonotonicTime::now());
    others.signals.observe(MonotonicTime::now());
    others.signals.beat();
}

#[test]
fn a_chunk_becomes_commands_and_a_stop_becomes_rest() {
    let (cycle, mut others) = cycle(Some(std::thread::current()));
    let handle = ControlHandle::run(cycle, |_| {}).unwrap();
    send_home(&mut others, 7);
    others.signals.set_goal(3);
    std::thread::park_timeout(Duration::from_secs(5));
    wait_until("a command", || others.commands.pop().is_some());

    let observed = others.stats.tick();
    others
        .chunks
        .send(&ActionChunk {
            stamp: Stamp(7),
            observed,
            goal_id: 3,
            generation: 11,
            denoise_steps: 4,
            space: ActionSpace::TcpDelta,
            action_dim: 7,
            actions: [0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0].repeat(64),
        })
        .unwrap();
    let mut executed = None;
    wait_until("an executed action", || {
        send_home(&mut others, 7);
        while let Some(record) = others.records.pop() {
            executed = executed.or(record.source.map(|source| (source, record)));
        }
        executed.is_some()
    });
    let (source, record) = executed.unwrap();
    assert_eq!(
        (source.generation, source.goal_id, source.observed),
        (11, 3, observed)
    );
    assert_eq!(record.command.unwrap().stamp, Stamp(7));
    assert_eq!(record.action[2], 0.5);

    let exit = handle.stop();
    assert_eq!(exit.fault, None);
    assert_eq!(exit.snapshot.state, RuntimeState::Stopping);
    let mut last = None;
    while let Some(record) = others.records.pop() {
        last = record.command;
    }
    assert!(last.unwrap().velocities.iter().all(|speed| *speed == 0.0));
    assert!(others.records.is_closed());
}

#[test]
fn without_joints_there_is_no_command() {
    let (cycle, mut others) = cycle(None);
    let handle = ControlHandle::run(cycle, |_| {}).unwrap();
    // Counted, not numbered: a busy machine skips ticks.
    let ticks = || others.stats.snapshot().counters.get(Counter::Ticks);
    wait_until("some ticks", || ticks() > 5);
    assert_eq!(others.commands.pop(), None);
    assert_eq!(handle.snapshot().state, RuntimeState::Waiting);
    let exit = handle.stop();
    assert!(exit.snapshot.counters.get(Counter::Ticks) > 4);
}

#[test]
fn a_panic_is_a_fault_with_a_message_not_an_abort() {
    let (cycle, mut others) = cycle(None);
    send_home(&mut others, 1);
    let mut ticks = 0;
    let handle = ControlHandle::run(cycle, move |_| {
        ticks += 1;
        assert!(ticks < 5, "broken on purpose");
    })
    .unwrap();
    wait_until("the end", || handle.is_finished());
    assert!(others.signals.is_faulted());
    // The last command stands: the robot holds it.
    assert!(others.commands.newest().is_some());
    let exit = handle.stop();
    assert_eq!(exit.fault.as_deref(), Some("broken on purpose"));
}

#[test]
fn strict_demands_that_are_refused_keep_it_from_starting() {
    let actions = ActionInterface {
        space: ActionSpace::JointPosition,
        dim: 8,
        translation_scale: 0.0,
        rotation_scale: 0.0,
    };
    let config = ControlConfig {
        realtime: RealtimeConfig {
            affinity: Some(vec![100_000]),
            strict: true,
            ..RealtimeConfig::ORDINARY
        },
        ..ControlConfig::default()
    };
    let controller = Controller::new(Robot::tabletop().unwrap(), actions, config).unwrap();
    let (end, _others) = links(Capacities::default());
    let error = ControlHandle::start(controller, end, None).unwrap_err();
    assert!(matches!(error, ControlError::Realtime(_)), "{error}");
}

#[test]
fn dropping_the_handle_ends_the_thread() {
    let (cycle, others) = cycle(None);
    drop(ControlHandle::run(cycle, |_| {}).unwrap());
    assert!(others.records.is_closed() || others.signals.is_stopping());
}
