//! How long a lockstep tick takes on the network: from the world's sensors to the runtime and back
//! as a command, over TCP on this machine, by the same links that a run uses.
//!
//! `cargo run --release -p cerebellum-bridge --example round_trip [ticks] [pixels per side]`

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cerebellum_bridge::zenoh::{RobotLink, RobotLinkConfig, WorldLink, WorldLinkConfig};
use cerebellum_bridge::{Counters, Exact, SessionConfig};
use cerebellum_messages::{ClockKind, Command, Frame, JointState, Stamp, TrajectoryPoint};

const ENDPOINT: &str = "tcp/127.0.0.1:27447";
const CAMERAS: [&str; 2] = ["front", "wrist"];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let ticks: i64 = arguments.next().map_or(Ok(2000), |text| text.parse())?;
    let side: u32 = arguments.next().map_or(Ok(96), |text| text.parse())?;

    let counters = Counters::new();
    let world = WorldLink::open(
        &WorldLinkConfig {
            session: SessionConfig {
                listen: vec![ENDPOINT.to_owned()],
                ..SessionConfig::local_world()
            },
            ..WorldLinkConfig::default()
        },
        &counters,
    )?;
    world.set_clock(ClockKind::Lockstep);
    let runtime = std::thread::spawn(move || answer().map_err(|error| error.to_string()));
    while !(world.is_watched() && world.runtimes() == 1) {
        std::thread::sleep(Duration::from_millis(5));
    }

    let names: Vec<_> = (1..=8).map(|joint| format!("joint{joint}")).collect();
    let pixels: Arc<[u8]> = vec![128; Frame::expected_len(side, side)].into();
    let mut times = Vec::new();
    for tick in 0..ticks {
        let stamp = Stamp::from_nanos(tick * 50_000_000);
        let begin = Instant::now();
        world.publish_joints(&JointState {
            stamp,
            names: names.clone(),
            position: vec![0.0; 8],
            velocity: vec![0.0; 8],
            effort: Vec::new(),
        })?;
        for camera in CAMERAS {
            world.publish_frame(&Frame {
                camera: camera.to_owned(),
                stamp,
                width: side,
                height: side,
                data: Arc::clone(&pixels),
            })?;
        }
        match world.wait_command(stamp, begin + Duration::from_secs(1)) {
            Some(_) => times.push(begin.elapsed()),
            None => println!("tick {tick} was not answered"),
        }
    }
    drop(world);
    let losses = runtime.join().map_err(|_| "the runtime's end panicked")??;
    report(&mut times, side);
    println!("lost: {losses}");
    Ok(())
}

/// The runtime's end: answers each set of sensors with a command, until the world is gone.
fn answer() -> Result<String, Box<dyn Error>> {
    let counters = Counters::new();
    let robot = RobotLink::open(
        &RobotLinkConfig {
            session: SessionConfig {
                connect: vec![ENDPOINT.to_owned()],
                ..SessionConfig::local_runtime()
            },
            cameras: CAMERAS.map(str::to_owned).to_vec(),
            ..RobotLinkConfig::default()
        },
        &counters,
    )?;
    let joint_names: Vec<_> = (1..=8).map(|joint| format!("joint{joint}")).collect();
    let points = vec![TrajectoryPoint {
        positions: vec![0.0; 8],
        velocities: vec![0.0; 8],
        ..TrajectoryPoint::default()
    }];
    let mut sensors = robot.observations();
    loop {
        let deadline = Instant::now() + Duration::from_millis(500);
        match sensors.wait_exact(deadline) {
            Exact::Complete(set) => {
                robot.commands().publish(&Command {
                    stamp: set.stamp(),
                    joint_names: joint_names.clone(),
                    points: points.clone(),
                })?;
            }
            Exact::Repeated(_) => {}
            Exact::TimedOut { .. } if robot.robot_alive() => {}
            Exact::TimedOut { .. } if counters.snapshot()["received.joint_states"] == 0 => {}
            Exact::TimedOut { .. } => return Ok(format!("{:?}", counters.losses())),
        }
    }
}

fn report(times: &mut [Duration], side: u32) {
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize);
    println!("{} ticks, two cameras of {side}x{side}", times.len());
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
        println!("{name:>6} {:?}", at(share).copied().unwrap_or_default());
    }
}
