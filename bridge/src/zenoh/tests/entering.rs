//! Entering the network, and being told why not.

use zenoh::Wait as _;

use super::*;
use crate::zenoh::Session;
use crate::{BridgeError, SessionMode};

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

/// Many robots and one router is configuration: both ends connect, neither listens.
#[test]
fn a_router_joins_ends_that_do_not_listen() {
    let endpoint = free_endpoint();
    let _router = router(&endpoint);
    for mode in [SessionMode::Peer, SessionMode::Client] {
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
