//! The codec and the `.msg` files say the same.
//!
//! A second reader, which knows nothing but the `.msg` files, walks over what the codec wrote.

#![allow(clippy::expect_used)]

mod common;

use cerebellum_messages::Message;
use cerebellum_messages::schema::{Array, Base, Definition, Primitive};

/// Lists `path=value` for all values of a payload.
struct Walk<'a> {
    body: &'a [u8],
    at: usize,
    found: Vec<String>,
}

impl Walk<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        self.at = self.at.next_multiple_of(N);
        let taken = self.body[self.at..self.at + N].try_into().expect("size");
        self.at += N;
        taken
    }

    fn text(&mut self) -> String {
        let count = u32::from_le_bytes(self.bytes()) as usize;
        let text = &self.body[self.at..self.at + count];
        self.at += count;
        let (last, text) = text.split_last().expect("closing zero");
        assert_eq!(*last, 0);
        String::from_utf8(text.to_vec()).expect("UTF-8")
    }

    fn primitive(&mut self, primitive: Primitive) -> String {
        match primitive {
            Primitive::Int8 => i8::from_le_bytes(self.bytes()).to_string(),
            Primitive::Uint8 | Primitive::Byte => u8::from_le_bytes(self.bytes()).to_string(),
            Primitive::Int16 => i16::from_le_bytes(self.bytes()).to_string(),
            Primitive::Uint16 => u16::from_le_bytes(self.bytes()).to_string(),
            Primitive::Int32 => i32::from_le_bytes(self.bytes()).to_string(),
            Primitive::Uint32 => u32::from_le_bytes(self.bytes()).to_string(),
            Primitive::Int64 => i64::from_le_bytes(self.bytes()).to_string(),
            Primitive::Uint64 => u64::from_le_bytes(self.bytes()).to_string(),
            Primitive::Float32 => f32::from_le_bytes(self.bytes()).to_string(),
            Primitive::Float64 => f64::from_le_bytes(self.bytes()).to_string(),
            Primitive::Bool => (self.bytes() != [0]).to_string(),
            Primitive::String => self.text(),
        }
    }

    fn value(&mut self, path: &str, base: &Base) {
        match base {
            Base::Primitive(primitive) => {
                let value = self.primitive(*primitive);
                self.found.push(format!("{path}={value}"));
            }
            Base::Nested(name) => self.message(&format!("{path}."), name),
        }
    }

    fn message(&mut self, prefix: &str, ros_type: &str) {
        for field in Definition::named(ros_type).expect("definition").fields {
            let path = format!("{prefix}{}", field.name);
            let count = match field.array {
                Array::One => {
                    self.value(&path, &field.base);
                    continue;
                }
                Array::Fixed(count) => count,
                Array::Unbounded => u32::from_le_bytes(self.bytes()),
            };
            for index in 0..count {
                self.value(&format!("{path}[{index}]"), &field.base);
            }
        }
    }
}

fn walk<M: Message>(message: &M) -> Vec<String> {
    let payload = message.encode();
    let mut walk = Walk {
        body: &payload[4..],
        at: 0,
        found: vec![],
    };
    walk.message("", M::ROS_TYPE);
    assert_eq!(
        walk.at,
        walk.body.len(),
        "{} is longer than defined",
        M::ROS_TYPE
    );
    walk.found
}

fn check_length<M: Message>(_name: &str, message: &M) {
    assert!(!walk(message).is_empty());
}

#[test]
fn all_payloads_are_as_long_as_defined() {
    common::for_each_sample!(check_length);
}

const HEADER: [&str; 3] = [
    "header.stamp.sec=12",
    "header.stamp.nanosec=345000678",
    "header.frame_id=",
];

fn check<M: Message>(message: &M, values: &[&str]) {
    let expected: Vec<_> = HEADER.iter().chain(values).copied().collect();
    assert_eq!(walk(message), expected, "{}", M::ROS_TYPE);
}

#[test]
fn fields_of_stamped_messages_are_where_defined() {
    check(
        &common::action_chunk(),
        &[
            "observed=101",
            "goal_id=102",
            "generation=103",
            "denoise_steps=104",
            "space=1",
            "action_dim=2",
            "actions[0]=0.5",
            "actions[1]=-0.5",
            "actions[2]=1",
            "actions[3]=0",
        ],
    );
    check(
        &common::latent(),
        &[
            "tick=201",
            "generation=202",
            "name=context",
            "shape[0]=1",
            "shape[1]=3",
            "values[0]=0.5",
            "values[1]=-2",
            "values[2]=3.25",
        ],
    );
    check(
        &common::learner_report(),
        &[
            "update=301",
            "generation=302",
            "objective=spr",
            "loss=0.5",
            "grad_norm=1.5",
            "reference_loss=2.5",
            "candidate_loss=3.5",
            "action_shift=4.5",
            "verdict=3",
        ],
    );
    check(
        &common::runtime_status(),
        &[
            "tick=401",
            "state=6",
            "goal_id=402",
            "generation=403",
            "missed=404",
            "limited=405",
            "slack_us=1234.5",
            "detail=inference is late",
        ],
    );
    check(
        &common::episode_status(),
        &[
            "episode=601",
            "task=stack",
            "instruction=put the blue cube on the red one",
            "phase=2",
            "ticks=602",
            "detail=time is up",
        ],
    );
}

#[test]
fn fields_of_requests_are_where_defined() {
    assert_eq!(
        walk(&common::episode_request()),
        [
            "episode=501",
            "task=push",
            "seed=502",
            "split=eval",
            "shift=light=2,friction=1",
            "clock=1",
        ]
    );
}

#[test]
fn fields_of_goals_are_where_defined() {
    let starts = |kind: u8| {
        let goal = &common::goals()[usize::from(kind)].1;
        let found = walk(goal);
        assert_eq!(
            found[..2],
            [format!("id={}", kind + 1), format!("kind={kind}")]
        );
        found
    };
    assert!(starts(0).contains(&"text=push the red cube".to_owned()));
    let image = starts(1);
    for value in [
        "image.header.frame_id=front",
        "image.width=1",
        "image.height=2",
        "image.data[5]=5",
    ] {
        assert!(image.contains(&value.to_owned()), "{value}");
    }
    assert!(starts(2).contains(&"values[1]=-1.5".to_owned()));
    let reward = starts(3);
    for value in ["values[3]=4", "rewards[1]=1"] {
        assert!(reward.contains(&value.to_owned()), "{value}");
    }
    assert!(starts(4).contains(&"ids[2]=9".to_owned()));
}

/// Constants of the `.msg` files, as `NAME=value`, in order.
fn constants(ros_type: &str) -> Vec<&'static str> {
    cerebellum_messages::schema::source(ros_type)
        .expect("definition")
        .lines()
        .filter_map(|line| line.strip_prefix("uint8 "))
        .filter(|line| line.contains('='))
        .collect()
}

#[test]
fn constants_are_the_numbers_of_the_enums() {
    use cerebellum_messages::{
        ActionSpace as A, ClockKind as C, EpisodePhase as E, GoalKind as G, RuntimeState as R,
        Verdict as V,
    };
    let check = |name: &str, expected: &[(&str, u8)]| {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(constants(&format!("cerebellum_msgs/msg/{name}")), expected);
    };
    check(
        "ActionChunk",
        &[
            ("TCP_DELTA", A::TcpDelta as u8),
            ("JOINT_POSITION", A::JointPosition as u8),
        ],
    );
    check(
        "EpisodeRequest",
        &[
            ("REAL_TIME", C::RealTime as u8),
            ("LOCKSTEP", C::Lockstep as u8),
        ],
    );
    check(
        "EpisodeStatus",
        &[
            ("RUNNING", E::Running as u8),
            ("SUCCEEDED", E::Succeeded as u8),
            ("FAILED", E::Failed as u8),
            ("REFUSED", E::Refused as u8),
        ],
    );
    check(
        "Goal",
        &[
            ("LANGUAGE", G::Language as u8),
            ("IMAGE", G::Image as u8),
            ("STATE", G::State as u8),
            ("REWARD", G::Reward as u8),
            ("CONCEPT", G::Concept as u8),
        ],
    );
    check(
        "LearnerReport",
        &[
            ("NONE", V::None as u8),
            ("ACCEPTED", V::Accepted as u8),
            ("REJECTED_LOSS", V::RejectedLoss as u8),
            ("REJECTED_TRUST", V::RejectedTrust as u8),
            ("REJECTED_NON_FINITE", V::RejectedNonFinite as u8),
            ("ROLLED_BACK", V::RolledBack as u8),
        ],
    );
    check(
        "RuntimeStatus",
        &[
            ("WAITING", R::Waiting as u8),
            ("RUNNING", R::Running as u8),
            ("STARVED", R::Starved as u8),
            ("STALE", R::Stale as u8),
            ("PEER_LOST", R::PeerLost as u8),
            ("POLICY_FAULT", R::PolicyFault as u8),
            ("WATCHDOG", R::Watchdog as u8),
            ("STOPPING", R::Stopping as u8),
        ],
    );
}
