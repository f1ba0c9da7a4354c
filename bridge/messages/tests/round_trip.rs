//! What is written is read back, for messages of any content.

#![allow(clippy::expect_used)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "as proptest hands values over"
)]

use std::fmt::Debug;

use cerebellum_messages::rmw::{
    Attachment, Durability, Entity, EntityKind, History, Liveliness, Qos, Reliability, TopicKey,
};
use cerebellum_messages::{
    ActionChunk, ActionSpace, Clock, ClockKind, Command, CompressedImage, EpisodePhase,
    EpisodeRequest, EpisodeStatus, Frame, Goal, GoalSpec, Header, JointState, LatentSample,
    LearnerReport, Message, RuntimeState, RuntimeStatus, Stamp, Text, Tick, TrajectoryPoint,
    Verdict,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Compares bytes and debug output, because NaN is not equal to itself.
fn check<M: Message + Debug>(message: M) -> Result<(), TestCaseError> {
    let payload = message.encode();
    let read = M::decode(&payload).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(format!("{read:?}"), format!("{message:?}"));
    prop_assert_eq!(read.encode(), payload);
    Ok(())
}

fn stamp() -> impl Strategy<Value = Stamp> {
    // What 32-bit seconds hold.
    let seconds = i64::from(i32::MIN) * 1_000_000_000..=i64::from(i32::MAX) * 1_000_000_000;
    seconds.prop_map(Stamp::from_nanos)
}

fn line() -> impl Strategy<Value = String> {
    any::<String>()
}

/// Any bits: NaN and infinities too.
fn single() -> impl Strategy<Value = f32> {
    any::<u32>().prop_map(f32::from_bits)
}

fn singles(limit: usize) -> impl Strategy<Value = Vec<f32>> {
    vec(single(), 0..limit)
}

fn doubles() -> impl Strategy<Value = Vec<f64>> {
    vec(any::<u64>().prop_map(f64::from_bits), 0..12)
}

fn frame() -> impl Strategy<Value = Frame> {
    let sides = (0_u32..9, 0_u32..9);
    let pixels = sides.prop_flat_map(|(width, height)| {
        let data = vec(any::<u8>(), Frame::expected_len(width, height));
        (Just(width), Just(height), data)
    });
    (line(), stamp(), pixels).prop_map(|(camera, stamp, (width, height, data))| Frame {
        camera,
        stamp,
        width,
        height,
        data: data.into(),
    })
}

fn point() -> impl Strategy<Value = TrajectoryPoint> {
    let sequences = (doubles(), doubles(), doubles(), doubles());
    (sequences, stamp()).prop_map(|((positions, velocities, accelerations, effort), time)| {
        TrajectoryPoint {
            positions,
            velocities,
            accelerations,
            effort,
            time_from_start_nanos: time.nanos(),
        }
    })
}

fn goal() -> impl Strategy<Value = GoalSpec> {
    prop_oneof![
        line().prop_map(|text| GoalSpec::Language { text }),
        frame().prop_map(|frame| GoalSpec::Image { frame }),
        singles(40).prop_map(|values| GoalSpec::State { values }),
        (singles(40), singles(10))
            .prop_map(|(states, rewards)| GoalSpec::Reward { states, rewards }),
        vec(any::<u32>(), 0..20).prop_map(|ids| GoalSpec::Concept { ids }),
    ]
}

proptest! {
    #[test]
    fn times(stamp in stamp()) {
        check(stamp)?;
        check(Clock(stamp))?;
    }

    #[test]
    fn texts(stamp in stamp(), text in line()) {
        check(Header { stamp, frame_id: text.clone() })?;
        check(Text(text))?;
    }

    #[test]
    fn frames(frame in frame()) {
        check(frame)?;
    }

    #[test]
    fn compressed_images(
        camera in line(), stamp in stamp(), format in line(), data in vec(any::<u8>(), 0..100),
    ) {
        check(CompressedImage { camera, stamp, format, data: data.into() })?;
    }

    #[test]
    fn joint_states(
        stamp in stamp(), names in vec(line(), 0..5),
        (position, velocity, effort) in (doubles(), doubles(), doubles()),
    ) {
        check(JointState { stamp, names, position, velocity, effort })?;
    }

    #[test]
    fn commands(stamp in stamp(), joint_names in vec(line(), 0..5), points in vec(point(), 0..4)) {
        check(Command { stamp, joint_names, points })?;
    }

    #[test]
    fn goals(id: u64, spec in goal()) {
        check(Goal { id, spec })?;
    }

    #[test]
    fn action_chunks(
        stamp in stamp(), (observed, goal_id, generation) in any::<(u64, u64, u64)>(),
        denoise_steps: u32, action_dim: u32, actions in singles(80),
        space in select(&[ActionSpace::TcpDelta, ActionSpace::JointPosition][..]),
    ) {
        check(ActionChunk {
            stamp, observed: Tick(observed), goal_id, generation, denoise_steps, space, action_dim,
            actions,
        })?;
    }

    #[test]
    fn latents(
        stamp in stamp(), tick: u64, generation: u64, name in line(),
        shape in vec(any::<u32>(), 0..=8), values in singles(80),
    ) {
        check(LatentSample { stamp, tick: Tick(tick), generation, name, shape, values })?;
    }

    #[test]
    fn learner_reports(
        stamp in stamp(), (update, generation) in any::<(u64, u64)>(), objective in line(),
        numbers in [single(), single(), single(), single(), single()],
        verdict in select(&[
            Verdict::None, Verdict::Accepted, Verdict::RejectedLoss, Verdict::RejectedTrust,
            Verdict::RejectedNonFinite, Verdict::RolledBack,
        ][..]),
    ) {
        let [loss, grad_norm, reference_loss, candidate_loss, action_shift] = numbers;
        check(LearnerReport {
            stamp, update, generation, objective, loss, grad_norm, reference_loss, candidate_loss,
            action_shift, verdict,
        })?;
    }

    #[test]
    fn runtime_states(
        stamp in stamp(), numbers: [u64; 5], slack_us in single(), detail in line(),
        state in select(&[
            RuntimeState::Waiting, RuntimeState::Running, RuntimeState::Starved,
            RuntimeState::Stale, RuntimeState::PeerLost, RuntimeState::PolicyFault,
            RuntimeState::Watchdog, RuntimeState::Stopping,
        ][..]),
    ) {
        let [tick, goal_id, generation, missed, limited] = numbers;
        check(RuntimeStatus {
            stamp, tick: Tick(tick), state, goal_id, generation, missed, limited, slack_us, detail,
        })?;
    }

    #[test]
    fn episodes(
        stamp in stamp(), (episode, number) in any::<(u64, u64)>(),
        (task, first, second) in (line(), line(), line()),
        clock in select(&[ClockKind::RealTime, ClockKind::Lockstep][..]),
        phase in select(&[
            EpisodePhase::Running, EpisodePhase::Succeeded, EpisodePhase::Failed,
            EpisodePhase::Refused,
        ][..]),
    ) {
        check(EpisodeRequest {
            episode, task: task.clone(), seed: number, split: first.clone(), shift: second.clone(),
            clock,
        })?;
        check(EpisodeStatus {
            stamp, episode, task, instruction: first, phase, ticks: number, detail: second,
        })?;
    }

    #[test]
    fn attachments(sequence: i64, nanos: i64, gid: [u8; 16]) {
        let attachment = Attachment { sequence, source: Stamp::from_nanos(nanos), gid };
        prop_assert_eq!(Attachment::decode(&attachment.encode()), Ok(attachment));
    }

    #[test]
    fn qualities(
        reliability in select(&[
            Reliability::SystemDefault, Reliability::Reliable, Reliability::BestEffort,
            Reliability::Unknown, Reliability::BestAvailable,
        ][..]),
        durability in select(&[
            Durability::SystemDefault, Durability::TransientLocal, Durability::Volatile,
            Durability::Unknown, Durability::BestAvailable,
        ][..]),
        history in select(&[
            History::SystemDefault, History::KeepLast, History::KeepAll, History::Unknown,
        ][..]),
        liveliness in select(&[
            Liveliness::SystemDefault, Liveliness::Automatic, Liveliness::ManualByNode,
            Liveliness::ManualByTopic, Liveliness::Unknown, Liveliness::BestAvailable,
        ][..]),
        depth: u64, (deadline, lifespan, lease) in any::<(
            std::time::Duration, std::time::Duration, std::time::Duration,
        )>(),
    ) {
        let qos = Qos {
            reliability, durability, history, depth, deadline, lifespan, liveliness, lease,
        };
        prop_assert_eq!(qos.to_string().parse(), Ok(qos));
    }

    #[test]
    fn keys_and_tokens(
        domain: u32, (node_id, id) in any::<(u64, u64)>(), session in "[0-9a-f]{1,32}",
        namespace in "(/[a-zA-Z_][a-zA-Z0-9_]{0,8}){0,3}", node in "[a-zA-Z_][a-zA-Z0-9_]{0,12}",
        topic in "[a-zA-Z_][a-zA-Z0-9_]{0,8}(/[a-zA-Z_][a-zA-Z0-9_]{0,8}){0,3}", depth: u64,
        kind in select(&[
            EntityKind::Publisher, EntityKind::Subscriber, EntityKind::Service, EntityKind::Client,
        ][..]),
    ) {
        let key = TopicKey::of::<Frame>(domain, &topic).expect("topic");
        prop_assert_eq!(key.to_string().parse(), Ok(key.clone()));
        let node = Entity::node(domain, &session, node_id, &namespace, &node).expect("node");
        prop_assert_eq!(node.to_string().parse(), Ok(node.clone()));
        let end = node.endpoint(id, kind, &key, Qos::topic(depth));
        prop_assert_eq!(end.to_string().parse(), Ok(end));
    }
}
