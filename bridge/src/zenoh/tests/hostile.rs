//! What cannot be used is refused, counted by name and never fatal.

use cerebellum_messages::rmw::{Attachment, TopicKey};
use cerebellum_messages::{Message, Text};
use zenoh::Wait as _;

use super::*;

/// A stranger in the robot's network.
fn stranger(endpoint: &str) -> zenoh::Session {
    let settings = crate::zenoh::settings::settings(&connecting(endpoint)).unwrap();
    zenoh::open(settings).wait().unwrap()
}

fn put(session: &zenoh::Session, key: &TopicKey, payload: Vec<u8>, sequence: Option<i64>) {
    let attachment = sequence.map(|sequence| {
        let source = Stamp::from_nanos(1);
        let gid = [3; 16];
        let attachment = Attachment {
            sequence,
            source,
            gid,
        };
        attachment.encode().to_vec()
    });
    session
        .put(key.to_string(), payload)
        .congestion_control(zenoh::qos::CongestionControl::Block)
        .attachment(attachment)
        .wait()
        .unwrap();
}

fn count(robot: &RobotLink, name: &str) -> u64 {
    let counts = robot.session().counters().snapshot();
    counts.get(name).copied().unwrap_or(0)
}

#[test]
fn each_refusal_has_a_count() {
    let endpoint = free_endpoint();
    let robot = robot(listening(&endpoint));
    let stranger = stranger(&endpoint);
    let key = TopicKey::of::<JointState>(0, "joint_states").unwrap();
    let good = joints(1).encode();
    until("the link", || {
        put(&stranger, &key, good.clone(), None);
        count(&robot, "received.joint_states") > 0
    });

    put(&stranger, &key, good.clone(), Some(1));
    put(&stranger, &key, good.clone(), Some(5));
    put(&stranger, &key, good.clone(), Some(5));
    until("the gap", || count(&robot, "repeated.joint_states") == 1);
    assert_eq!(count(&robot, "dropped.joint_states.gap"), 3);

    for length in 0..good.len() {
        put(&stranger, &key, good[..length].to_vec(), None);
    }
    let cut = good.len() as u64;
    until("the cut payloads", || {
        count(&robot, "dropped.joint_states.decode") == cut
    });

    put(&stranger, &key, vec![0; 70_000], None);
    until("the oversize payload", || {
        count(&robot, "dropped.joint_states.oversize") == 1
    });

    let text = TopicKey::of::<Text>(0, "joint_states").unwrap();
    put(&stranger, &text, good.clone(), None);
    until("the wrong type", || {
        count(&robot, "dropped.joint_states.type") == 1
    });

    let mut nan = joints(1);
    nan.position = vec![f64::NAN];
    put(&stranger, &key, nan.encode(), None);
    until("the reading that is not finite", || {
        count(&robot, "dropped.joint_states.refused") == 1
    });

    // A sender of another release of the type is heard: its payload decides.
    let received = count(&robot, "received.joint_states");
    put(&stranger, &key.clone().without_hash(), good, None);
    until("the sender without hash", || {
        count(&robot, "received.joint_states") == received + 1
    });
}

#[test]
fn large_images_are_refused_undecoded() {
    let endpoint = free_endpoint();
    let robot = robot(listening(&endpoint));
    let world = world(connecting(&endpoint));
    meet(&world, &robot);
    let mut large = frame("front", 1);
    (large.width, large.height) = (256, 128);
    large.data = Arc::from(vec![0; 256 * 128 * 3]);
    world.publish_frame(&large).unwrap();
    world.publish_frame(&frame("front", 2)).unwrap();
    until("the image that fits", || {
        count(&robot, "received.camera/front/image") == 1
    });
    assert_eq!(count(&robot, "dropped.camera/front/image.oversize"), 1);
}

#[test]
fn goals_that_nobody_takes_are_dropped_oldest_first() {
    use cerebellum_messages::{Goal, GoalSpec};
    let (world, robot) = pair();
    let goals = world
        .session()
        .publisher::<Goal>(crate::topics::GOAL, crate::zenoh::Stream::Event)
        .unwrap();
    until("the subscription", || goals.has_subscribers());
    for id in 1..=20 {
        let ids = vec![1];
        let spec = GoalSpec::Concept { ids };
        goals.publish(&Goal { id, spec }).unwrap();
    }
    until("the drops", || count(&robot, "dropped.goal.full") == 4);
    let kept: Vec<_> = std::iter::from_fn(|| robot.take_goal())
        .map(|goal| goal.id)
        .collect();
    assert_eq!(kept, (5..=20).collect::<Vec<_>>());
}
