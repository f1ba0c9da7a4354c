//! Entering the network, and being told why not.

use cerebellum_messages::{ActionChunk, ActionSpace, Tick};
use zenoh::Wait as _;

use super::*;
use crate::zenoh::{Session, limit};
use crate::{BridgeError, SessionMode, topics};

#[test]
fn an_endpoint_in_use_is_named() {
    let endpoint = free_endpoint();
    let _first = world(listening(&endpoint));
    let error = Session::open(&listening(&endpoint), &Counters::new()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, BridgeError::Open { .. }), "{text}");
    assert!(text.contains(&endpoint), "{text}");
    assert!(text.contains("choose another port"), "{text}");
}

#[test]
fn a_client_without_its_router_is_told_so() {
    let endpoint = free_endpoint();
    let config = SessionConfig {
        mode: SessionMode::Client,
        ..connecting(&endpoint)
    };
    let error = Session::open(&config, &Counters::new()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&endpoint), "{text}");
    assert!(text.contains("start one"), "{text}");
}

fn router(endpoint: &str) -> zenoh::Session {
    let mut settings = zenoh::Config::default();
    settings.insert_json5("mode", r#""router""#).unwrap();
    let listen = format!("[{endpoint:?}]");
    settings.insert_json5("listen/endpoints", &listen).unwrap();
    settings
        .insert_json5("scouting/multicast/enabled", "false")
        .unwrap();
    zenoh::open(settings).wait().unwrap()
}

/// Many robots and one router is configuration: both ends connect, neither names where it listens.
#[test]
fn a_router_joins_clients_and_introduces_peers() {
    for mode in [SessionMode::Client, SessionMode::Peer] {
        let endpoint = free_endpoint();
        let _router = router(&endpoint);
        let session = SessionConfig {
            mode,
            ..connecting(&endpoint)
        };
        let world = world(SessionConfig {
            node: "world".to_owned(),
            ..session.clone()
        });
        let robot = robot(session);
        meet(&world, &robot);
        let mut sensors = robot.observations();
        until("a set", || {
            send_tick(&world, 1);
            sensors.newest().is_ok()
        });
    }
}

/// Whoever connects to the world hears the runtime too.
#[test]
fn an_observer_needs_one_endpoint_only() {
    let endpoint = free_endpoint();
    let world = world(listening(&endpoint));
    let robot = robot(connecting(&endpoint));
    meet(&world, &robot);
    let observer = Session::open(&connecting(&endpoint), &Counters::new()).unwrap();
    let chunks = observer
        .latest::<ActionChunk>(topics::CHUNK, limit::EVENT)
        .unwrap();
    until("the observer", || robot.chunks().has_subscribers());
    let chunk = ActionChunk {
        stamp: Stamp::from_nanos(1),
        observed: Tick(0),
        goal_id: 1,
        generation: 0,
        denoise_steps: 1,
        space: ActionSpace::TcpDelta,
        action_dim: 7,
        actions: vec![0.0; 7],
    };
    robot.chunks().publish(&chunk).unwrap();
    assert!(chunks.wait_newer(0, soon()).is_some());
}

/// A router may be restarted under its clients.
#[test]
fn clients_find_a_router_again() {
    let endpoint = free_endpoint();
    let first = router(&endpoint);
    let session = SessionConfig {
        mode: SessionMode::Client,
        ..connecting(&endpoint)
    };
    let world = world(session.clone());
    let robot = robot(session);
    meet(&world, &robot);
    drop(first);
    until("the loss", || !robot.robot_alive() && world.runtimes() == 0);
    let _second = router(&endpoint);
    meet(&world, &robot);
    send_tick(&world, 1);
    until("a set", || {
        send_tick(&world, 1);
        robot.observations().newest().is_ok()
    });
}
