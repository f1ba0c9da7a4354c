//! What one end sends, the other gets.

use cerebellum_messages::{
    ActionChunk, ActionSpace, ClockKind, Command, EpisodePhase, EpisodeRequest, EpisodeStatus,
    Goal, GoalSpec, Text, Tick, TrajectoryPoint,
};

use super::*;
use crate::zenoh::{Stream, limit};
use crate::{Exact, topics};

const PERIOD: i64 = 50_000_000;

#[test]
fn lockstep_goes_round() {
    let (world, robot) = pair();
    world.set_clock(ClockKind::Lockstep);
    let mut sensors = robot.observations();
    for tick in 0..50 {
        send_tick(&world, tick * PERIOD);
        let Exact::Complete(set) = sensors.wait_exact(soon()) else {
            panic!("no exact set at tick {tick}");
        };
        assert_eq!(set.stamp(), Stamp::from_nanos(tick * PERIOD));
        assert_eq!(set.frames.len(), 2);
        let point = TrajectoryPoint {
            positions: vec![tick as f64],
            ..TrajectoryPoint::default()
        };
        let command = Command {
            stamp: set.stamp(),
            joint_names: vec!["joint1".to_owned()],
            points: vec![point],
        };
        robot.commands().publish(&command).unwrap();
        let command = world.wait_command(set.stamp(), soon()).unwrap();
        assert_eq!(command.value.points[0].positions, [tick as f64]);
    }
    assert!(robot.robot_alive());
    assert!(world.runtime().is_alive());
    assert_eq!(robot.session().counters().losses().len(), 0);
    assert_eq!(world.session().counters().losses().len(), 0);
    let counts = robot.session().counters().snapshot();
    assert_eq!(counts["received.camera/front/image"], 50);
    assert_eq!(counts["sent.joint_trajectory"], 50);
}

#[test]
fn a_tick_sent_again_asks_for_its_command_again() {
    let (world, robot) = pair();
    world.set_clock(ClockKind::Lockstep);
    let mut sensors = robot.observations();
    send_tick(&world, 1);
    assert!(matches!(sensors.wait_exact(soon()), Exact::Complete(_)));
    let nothing = Instant::now() + Duration::from_millis(20);
    assert!(world.wait_command(Stamp::from_nanos(1), nothing).is_none());
    send_tick(&world, 1);
    let asked = Stamp::from_nanos(1);
    assert!(matches!(sensors.wait_exact(soon()), Exact::Repeated(stamp) if stamp == asked));
}

#[test]
fn episodes_and_goals_travel() {
    let (world, robot) = pair();
    let request = EpisodeRequest {
        episode: 12,
        task: "push".to_owned(),
        seed: 3,
        split: "eval".to_owned(),
        shift: String::new(),
        clock: ClockKind::Lockstep,
    };
    robot.requests().publish(&request).unwrap();
    let got = world.requests().receive(soon()).unwrap();
    assert_eq!(got.message, request);

    let status = EpisodeStatus {
        stamp: Stamp::from_nanos(5),
        episode: 12,
        task: "push".to_owned(),
        instruction: "push the red cube".to_owned(),
        phase: EpisodePhase::Running,
        ticks: 0,
        detail: String::new(),
    };
    world.publish_status(&status).unwrap();
    let got = robot.episodes().receive(soon()).unwrap();
    assert_eq!(got.message, status);

    let goals = world
        .session()
        .publisher::<Goal>(topics::GOAL, Stream::Event)
        .unwrap();
    let goal = Goal {
        id: 12,
        spec: GoalSpec::Language {
            text: status.instruction,
        },
    };
    goals.publish(&goal).unwrap();
    assert_eq!(robot.wait_goal(soon()).unwrap(), goal);

    let texts = world
        .session()
        .publisher::<Text>(topics::GOAL_TEXT, Stream::Event)
        .unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        texts.publish(&Text("open the drawer".to_owned())).unwrap();
        let goal = robot.wait_goal(soon()).unwrap();
        let text = "open the drawer".to_owned();
        assert_eq!(goal.spec, GoalSpec::Language { text });
        ids.push(goal.id);
    }
    assert!(ids[0] < ids[1], "each text is a new goal");
}

#[test]
fn reports_reach_whoever_asks() {
    let (world, robot) = pair();
    let chunks = world
        .session()
        .latest::<ActionChunk>(topics::CHUNK, limit::EVENT)
        .unwrap();
    until("the subscription", || robot.chunks().has_subscribers());
    let chunk = ActionChunk {
        stamp: Stamp::from_nanos(9),
        observed: Tick(4),
        goal_id: 1,
        generation: 2,
        denoise_steps: 5,
        space: ActionSpace::TcpDelta,
        action_dim: 7,
        actions: vec![0.5; 70],
    };
    robot.chunks().publish(&chunk).unwrap();
    let got = chunks.wait_newer(0, soon()).unwrap();
    assert_eq!(*got.value, chunk);
}

#[test]
fn names_of_cameras_come_from_their_topics() {
    let (world, robot) = pair();
    let images = world
        .session()
        .publisher::<Frame>("camera/front/image", Stream::Image)
        .unwrap();
    let mut frame = frame("camera_front_optical_frame", 3);
    images.publish(&frame).unwrap();
    frame.camera = "wrist".to_owned();
    world.publish_frame(&frame).unwrap();
    world.publish_joints(&joints(3)).unwrap();
    let set = robot.observations().wait_newer(soon()).unwrap();
    let names: Vec<_> = set.frames.iter().map(|frame| &frame.camera).collect();
    assert_eq!(names, ["front", "wrist"]);
    assert!(world.publish_frame(&super::frame("rear", 3)).is_err());
}

#[test]
fn domains_and_namespaces_keep_robots_apart() {
    let endpoint = free_endpoint();
    let ours = |mut session: SessionConfig| {
        session.namespace = "lab/arm_1".to_owned();
        session
    };
    let world = world(ours(listening(&endpoint)));
    let near = robot(ours(connecting(&endpoint)));
    meet(&world, &near);
    let mut session = ours(connecting(&endpoint));
    session.domain = 1;
    let other_domain = robot(session);
    let other_namespace = robot(connecting(&endpoint));
    for far in [&other_domain, &other_namespace] {
        until("the link", || far.session().is_connected());
        assert!(!far.commands().has_subscribers());
    }
    send_tick(&world, 1);
    assert!(matches!(
        near.observations().wait_exact(soon()),
        Exact::Complete(_)
    ));
    assert!(other_domain.observations().newest().is_err());
    assert!(other_namespace.observations().newest().is_err());
}
