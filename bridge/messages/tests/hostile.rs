//! Payloads and names from a sender who means harm: refused or read, never a panic.

mod common;

use cerebellum_messages::rmw::{Attachment, Entity, Qos, TopicKey};
use cerebellum_messages::schema::Definition;
use cerebellum_messages::{
    ActionChunk, Clock, Command, CompressedImage, EpisodeRequest, EpisodeStatus, Frame, Goal,
    Header, JointState, LatentSample, LearnerReport, Message, RuntimeStatus, Stamp, Text,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Reads as one type; what is accepted can be written and read again.
fn attempt<M: Message>(payload: &[u8]) {
    if let Ok(message) = M::decode(payload) {
        assert!(M::decode(&message.encode()).is_ok(), "{}", M::ROS_TYPE);
    }
}

fn attempt_all(payload: &[u8]) {
    attempt::<ActionChunk>(payload);
    attempt::<Clock>(payload);
    attempt::<Command>(payload);
    attempt::<CompressedImage>(payload);
    attempt::<EpisodeRequest>(payload);
    attempt::<EpisodeStatus>(payload);
    attempt::<Frame>(payload);
    attempt::<Goal>(payload);
    attempt::<Header>(payload);
    attempt::<JointState>(payload);
    attempt::<LatentSample>(payload);
    attempt::<LearnerReport>(payload);
    attempt::<RuntimeStatus>(payload);
    attempt::<Stamp>(payload);
    attempt::<Text>(payload);
}

/// A valid payload of each type.
fn payloads() -> Vec<Vec<u8>> {
    let mut payloads = vec![
        common::STAMP.encode(),
        common::header().encode(),
        common::text().encode(),
        common::frame().encode(),
        common::compressed_image().encode(),
        common::joint_state().encode(),
        common::command().encode(),
        common::action_chunk().encode(),
        common::latent().encode(),
        common::learner_report().encode(),
        common::runtime_status().encode(),
        common::episode_request().encode(),
        common::episode_status().encode(),
    ];
    payloads.extend(common::goals().iter().map(|(_, goal)| goal.encode()));
    payloads
}

/// Numbers that tend to break arithmetic on lengths.
fn awkward() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        0_u32..64,
        proptest::sample::select(
            &[
                u32::MAX,
                u32::MAX - 1,
                1 << 31,
                (1 << 31) - 1,
                1 << 30,
                1 << 29,
                1 << 26,
                (1 << 26) + 1,
                1 << 16,
                1 << 14,
            ][..]
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes(payload in vec(any::<u8>(), 0..300)) {
        attempt_all(&payload);
    }

    #[test]
    fn any_bytes_after_a_header(big: bool, body in vec(any::<u8>(), 0..300)) {
        let mut payload = vec![0, u8::from(!big), 0, 0];
        payload.extend(body);
        attempt_all(&payload);
    }

    #[test]
    fn a_number_anywhere(
        which in any::<proptest::sample::Index>(), at in any::<proptest::sample::Index>(),
        number in awkward(), big: bool,
    ) {
        let mut payload = which.get(&payloads()).clone();
        payload[1] = u8::from(!big);
        // Lengths sit at multiples of four.
        let at = at.index(payload.len() / 4) * 4;
        if at >= 4 && at + 4 <= payload.len() {
            let bytes = if big { number.to_be_bytes() } else { number.to_le_bytes() };
            payload[at..at + 4].copy_from_slice(&bytes);
        }
        attempt_all(&payload);
    }

    #[test]
    fn bytes_changed_cut_and_added(
        which in any::<proptest::sample::Index>(),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        keep in any::<proptest::sample::Index>(), added in vec(any::<u8>(), 0..20),
    ) {
        let mut payload = which.get(&payloads()).clone();
        for (at, byte) in changes {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        payload.truncate(keep.index(payload.len() * 2));
        payload.extend(added);
        attempt_all(&payload);
    }

    #[test]
    fn any_name(text in "\\PC{0,60}|[@a-z0-9/%:,_]{0,120}") {
        _ = text.parse::<TopicKey>();
        _ = text.parse::<Entity>();
        _ = format!("@ros2_lv/0/a/0/0/{text}").parse::<Entity>();
        _ = text.parse::<Qos>();
        _ = TopicKey::of::<Text>(0, &text);
        _ = Entity::node(0, "a", 0, &text, &text);
        _ = Attachment::decode(text.as_bytes());
        _ = Definition::parse("a/msg/B", &text);
    }
}

#[test]
fn each_payload_cut_anywhere_is_refused_or_only_lacks_padding() {
    for payload in payloads() {
        for end in 0..payload.len() {
            attempt_all(&payload[..end]);
        }
    }
}

/// Each cut of a message of one type is refused by that type.
#[test]
fn cut_messages_are_refused() {
    fn check<M: Message>(_name: &str, message: &M) {
        let payload = message.encode();
        for end in 0..payload.len() {
            assert!(
                M::decode(&payload[..end]).is_err(),
                "{} at {end}",
                M::ROS_TYPE
            );
        }
        let mut longer = payload;
        longer.extend([0; 4]);
        assert!(M::decode(&longer).is_err(), "{}", M::ROS_TYPE);
    }
    common::for_each_sample!(check);
}
