//! Two processes' ends in one process, over TCP on this machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod entering;
mod hostile;
mod loopback;
mod restart;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cerebellum_messages::{Frame, JointState, Stamp};

use crate::zenoh::{RobotLink, RobotLinkConfig, WorldLink, WorldLinkConfig};
use crate::{Counters, SessionConfig};

/// Long enough for a loaded machine; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(20);

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

fn free_endpoint() -> String {
    crate::free_endpoint().unwrap()
}

fn listening(endpoint: &str) -> SessionConfig {
    SessionConfig {
        listen: vec![endpoint.to_owned()],
        ..SessionConfig::local_world()
    }
}

fn connecting(endpoint: &str) -> SessionConfig {
    SessionConfig {
        connect: vec![endpoint.to_owned()],
        ..SessionConfig::local_runtime()
    }
}

fn world(session: SessionConfig) -> WorldLink {
    let config = WorldLinkConfig {
        session,
        ..WorldLinkConfig::default()
    };
    WorldLink::open(&config, &Counters::new()).unwrap()
}

fn robot(session: SessionConfig) -> RobotLink {
    let config = RobotLinkConfig {
        session,
        max_image_bytes: 4096,
        ..RobotLinkConfig::default()
    };
    RobotLink::open(&config, &Counters::new()).unwrap()
}

/// Both ends, connected and aware of each other.
fn pair() -> (WorldLink, RobotLink) {
    let endpoint = free_endpoint();
    let world = world(listening(&endpoint));
    let robot = robot(connecting(&endpoint));
    meet(&world, &robot);
    (world, robot)
}

fn meet(world: &WorldLink, robot: &RobotLink) {
    until("the ends to meet", || {
        world.is_watched() && robot.commands().has_subscribers() && world.runtimes() == 1
    });
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = soon();
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn frame(camera: &str, stamp: i64) -> Frame {
    Frame {
        camera: camera.to_owned(),
        stamp: Stamp::from_nanos(stamp),
        width: 8,
        height: 4,
        data: Arc::from(vec![7u8; 96]),
    }
}

fn joints(stamp: i64) -> JointState {
    JointState {
        stamp: Stamp::from_nanos(stamp),
        names: vec!["joint1".to_owned()],
        position: vec![0.25],
        ..JointState::default()
    }
}

/// What a lockstep world sends at each tick.
fn send_tick(world: &WorldLink, stamp: i64) {
    world.publish_joints(&joints(stamp)).unwrap();
    for camera in ["front", "wrist"] {
        world.publish_frame(&frame(camera, stamp)).unwrap();
    }
    world.publish_clock(Stamp::from_nanos(stamp)).unwrap();
}
