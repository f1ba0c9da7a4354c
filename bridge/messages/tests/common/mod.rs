//! One message of each type, with another value in each field.
//!
//! `fixtures/make_fixtures.py` makes the same messages.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::sync::Arc;

use cerebellum_messages::{
    ActionChunk, ActionSpace, Clock, ClockKind, Command, CompressedImage, EpisodePhase,
    EpisodeRequest, EpisodeStatus, Frame, Goal, GoalSpec, Header, JointState, LatentSample,
    LearnerReport, RuntimeState, RuntimeStatus, Stamp, Text, Tick, TrajectoryPoint, Verdict,
};

/// Calls a macro with the name of a fixture and a message, for all types.
macro_rules! for_each_sample {
    ($check:ident) => {
        $check("time", &crate::common::STAMP);
        $check("header", &crate::common::header());
        $check("text", &crate::common::text());
        $check("clock", &crate::common::clock());
        $check("frame", &crate::common::frame());
        $check("compressed_image", &crate::common::compressed_image());
        $check("joint_state", &crate::common::joint_state());
        $check("command", &crate::common::command());
        for (name, goal) in crate::common::goals() {
            $check(name, &goal);
        }
        $check("action_chunk", &crate::common::action_chunk());
        $check("latent", &crate::common::latent());
        $check("learner_report", &crate::common::learner_report());
        $check("runtime_status", &crate::common::runtime_status());
        $check("episode_request", &crate::common::episode_request());
        $check("episode_status", &crate::common::episode_status());
    };
}
pub(crate) use for_each_sample;

pub const STAMP: Stamp = Stamp::from_nanos(12_345_000_678);

pub fn header() -> Header {
    Header {
        stamp: STAMP,
        frame_id: "base".into(),
    }
}

pub fn text() -> Text {
    Text("größer".into())
}

pub fn clock() -> Clock {
    Clock(Stamp::from_nanos(-1))
}

pub fn frame() -> Frame {
    Frame {
        camera: "front".into(),
        stamp: STAMP,
        width: 3,
        height: 2,
        data: (1..=18).collect(),
    }
}

pub fn compressed_image() -> CompressedImage {
    CompressedImage {
        camera: "wrist".into(),
        stamp: STAMP,
        format: "jpeg".into(),
        data: Arc::from([0xff, 0xd8, 0xff]),
    }
}

pub fn names() -> Vec<String> {
    vec!["joint1".into(), "gripper".into()]
}

pub fn joint_state() -> JointState {
    JointState {
        stamp: STAMP,
        names: names(),
        position: vec![0.25, 0.04],
        velocity: vec![],
        effort: vec![-1.5, std::f64::consts::PI],
    }
}

pub fn command() -> Command {
    let point = TrajectoryPoint {
        positions: vec![0.5, -0.25],
        velocities: vec![1.5, 2.5],
        accelerations: vec![],
        effort: vec![9.75, 8.5],
        time_from_start_nanos: 1_050_000_000,
    };
    let last = TrajectoryPoint {
        positions: vec![0.75, -0.5],
        time_from_start_nanos: 2_000_000_000,
        ..TrajectoryPoint::default()
    };
    Command {
        stamp: STAMP,
        joint_names: names(),
        points: vec![point, last],
    }
}

pub fn goals() -> [(&'static str, Goal); 5] {
    let frame = Frame {
        camera: "front".into(),
        stamp: STAMP,
        width: 1,
        height: 2,
        data: (0..6).collect(),
    };
    let text = "push the red cube".into();
    let reward = GoalSpec::Reward {
        states: vec![1.0, 2.0, 3.0, 4.0],
        rewards: vec![0.0, 1.0],
    };
    let values = vec![0.5, -1.5];
    let ids = vec![7, 8, 9];
    let goal = |id, spec| Goal { id, spec };
    [
        ("goal_language", goal(1, GoalSpec::Language { text })),
        ("goal_image", goal(2, GoalSpec::Image { frame })),
        ("goal_state", goal(3, GoalSpec::State { values })),
        ("goal_reward", goal(4, reward)),
        ("goal_concept", goal(5, GoalSpec::Concept { ids })),
    ]
}

pub fn action_chunk() -> ActionChunk {
    ActionChunk {
        stamp: STAMP,
        observed: Tick(101),
        goal_id: 102,
        generation: 103,
        denoise_steps: 104,
        space: ActionSpace::JointPosition,
        action_dim: 2,
        actions: vec![0.5, -0.5, 1.0, 0.0],
    }
}

pub fn latent() -> LatentSample {
    LatentSample {
        stamp: STAMP,
        tick: Tick(201),
        generation: 202,
        name: "context".into(),
        shape: vec![1, 3],
        values: vec![0.5, -2.0, 3.25],
    }
}

pub fn learner_report() -> LearnerReport {
    LearnerReport {
        stamp: STAMP,
        update: 301,
        generation: 302,
        objective: "spr".into(),
        loss: 0.5,
        grad_norm: 1.5,
        reference_loss: 2.5,
        candidate_loss: 3.5,
        action_shift: 4.5,
        verdict: Verdict::RejectedTrust,
    }
}

pub fn runtime_status() -> RuntimeStatus {
    RuntimeStatus {
        stamp: STAMP,
        tick: Tick(401),
        state: RuntimeState::Watchdog,
        goal_id: 402,
        generation: 403,
        missed: 404,
        limited: 405,
        slack_us: 1234.5,
        detail: "inference is late".into(),
    }
}

pub fn episode_request() -> EpisodeRequest {
    EpisodeRequest {
        episode: 501,
        task: "push".into(),
        seed: 502,
        split: "eval".into(),
        shift: "light=2,friction=1".into(),
        clock: ClockKind::Lockstep,
    }
}

pub fn episode_status() -> EpisodeStatus {
    EpisodeStatus {
        stamp: STAMP,
        episode: 601,
        task: "stack".into(),
        instruction: "put the blue cube on the red one".into(),
        phase: EpisodePhase::Failed,
        ticks: 602,
        detail: "time is up".into(),
    }
}
