//! Either end may go and come back; the other needs no restart.

use super::*;
use crate::zenoh::Peer;

fn speaks(world: &WorldLink, robot: &RobotLink, stamp: i64) {
    meet(world, robot);
    let mut sensors = robot.observations();
    until("a fresh joint state", || {
        send_tick(world, stamp);
        sensors
            .newest()
            .is_ok_and(|set| set.joints.stamp == Stamp::from_nanos(stamp))
    });
    until("the robot to be alive", || robot.robot_alive());
}

#[test]
fn a_world_that_listens_may_restart() {
    let endpoint = free_endpoint();
    let first = world(listening(&endpoint));
    let robot = robot(connecting(&endpoint));
    assert_eq!(robot.robot(), Peer::Unknown);
    speaks(&first, &robot, 1);
    drop(first);
    until("the loss to be seen", || robot.robot() == Peer::Gone);
    let second = world(listening(&endpoint));
    speaks(&second, &robot, 2);
}

#[test]
fn a_runtime_that_connects_may_restart() {
    let endpoint = free_endpoint();
    let world = world(listening(&endpoint));
    let first = robot(connecting(&endpoint));
    speaks(&world, &first, 1);
    drop(first);
    until("the loss to be seen", || world.runtimes() == 0);
    let second = robot(connecting(&endpoint));
    speaks(&world, &second, 2);
}

#[test]
fn either_end_may_start_first() {
    let endpoint = free_endpoint();
    let robot = robot(connecting(&endpoint));
    std::thread::sleep(Duration::from_millis(300));
    let world = world(listening(&endpoint));
    speaks(&world, &robot, 1);
}

#[test]
fn silence_is_told_from_absence() {
    let endpoint = free_endpoint();
    let world = world(listening(&endpoint));
    let config = RobotLinkConfig {
        session: connecting(&endpoint),
        silence: Duration::from_millis(100),
        ..RobotLinkConfig::default()
    };
    let robot = RobotLink::open(&config, &Counters::new()).unwrap();
    speaks(&world, &robot, 1);
    std::thread::sleep(Duration::from_millis(150));
    assert!(matches!(robot.robot(), Peer::Silent(_)));
}
