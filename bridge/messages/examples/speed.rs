//! Time to write and read messages: `cargo run --release --example speed`.

#![allow(clippy::print_stdout, reason = "prints a table")]

use std::hint::black_box;
use std::time::Instant;

use cerebellum_messages::{
    ActionChunk, ActionSpace, Command, Frame, JointState, Message, Stamp, Tick, TrajectoryPoint,
};

const ROUNDS: u32 = 2_000;

/// Mean nanoseconds of one call.
fn nanos(mut work: impl FnMut()) -> u128 {
    work();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        work();
    }
    start.elapsed().as_nanos() / u128::from(ROUNDS)
}

fn measure<M: Message>(name: &str, message: &M) {
    let mut buffer = Vec::new();
    let write = nanos(|| black_box(message).encode_into(black_box(&mut buffer)));
    let read = nanos(|| drop(black_box(M::decode(black_box(&buffer)))));
    println!("{name:<24}{:>10}{write:>10}{read:>10}", buffer.len());
}

fn frame(width: u32, height: u32) -> Frame {
    Frame {
        camera: "front".to_owned(),
        stamp: Stamp::from_nanos(1),
        width,
        height,
        data: vec![127; Frame::expected_len(width, height)].into(),
    }
}

fn main() {
    println!(
        "{:<24}{:>10}{:>10}{:>10}",
        "message", "bytes", "write ns", "read ns"
    );
    let names: Vec<_> = (1..=8).map(|joint| format!("joint{joint}")).collect();
    measure("Frame 96 x 96", &frame(96, 96));
    measure("Frame 640 x 480", &frame(640, 480));
    let state = JointState {
        names: names.clone(),
        position: vec![0.1; 8],
        velocity: vec![0.2; 8],
        ..JointState::default()
    };
    measure("JointState, 8 joints", &state);
    let point = TrajectoryPoint {
        positions: vec![0.1; 8],
        ..TrajectoryPoint::default()
    };
    let command = Command {
        stamp: Stamp::from_nanos(1),
        joint_names: names,
        points: vec![point],
    };
    measure("Command, one point", &command);
    let chunk = ActionChunk {
        stamp: Stamp::from_nanos(1),
        observed: Tick(1),
        goal_id: 1,
        generation: 1,
        denoise_steps: 4,
        space: ActionSpace::TcpDelta,
        action_dim: 7,
        actions: vec![0.1; 16 * 7],
    };
    measure("ActionChunk, 16 actions", &chunk);
}
