//! `cerebellum bench`.

#[cfg(feature = "sim")]
mod hilp;
#[cfg(feature = "sim")]
mod infocon;
#[cfg(feature = "sim")]
mod learner;
#[cfg(feature = "sim")]
mod maze;
mod mdt;
mod peers;
mod train;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cerebellum_kinematics::Robot;
use cerebellum_messages::{
    Command, Frame, Goal, GoalSpec, JointState, Message, Stamp, TrajectoryPoint,
};
use cerebellum_policies::device;

use super::args::{BenchArgs, BenchName};
use super::exit::{ExitStatus, Failure};
use crate::control::bench::{paced_overhead, tick_overhead};
use crate::control::{ControlConfig, Measured};
use crate::inference::{InferenceConfig, PlanLimit, WarmupInputs, synthetic_observation};
use crate::run::brain::Brain;
use crate::run::sensing::tcp_pose;

/// Turns of the control loop that are timed.
const TURNS: u64 = 20_000;
/// Turns that are timed with a period of sleep before each.
const PERIODS: u64 = 300;
/// Plans that are timed.
const PLANS: usize = 100;
/// How long each message is encoded and decoded.
const SPAN: Duration = Duration::from_millis(300);

/// Figures by name; the name ends in the unit.
type Figures = BTreeMap<String, f64>;

/// Measures what is asked for and prints one figure a line.
///
/// # Errors
/// If something cannot be set up.
pub fn bench(args: &BenchArgs) -> Result<ExitStatus, Failure> {
    let mut figures = Figures::new();
    let wants = |name| args.name == BenchName::All || args.name == name;
    if wants(BenchName::Tick) {
        tick(&mut figures)?;
    }
    if wants(BenchName::Codec) {
        codec(&mut figures);
    }
    if wants(BenchName::Sim) || wants(BenchName::Render) {
        world(args.name, &mut figures)?;
    }
    if wants(BenchName::Inference) {
        inference(args, &mut figures)?;
    }
    if args.name == BenchName::Mdt {
        mdt::mdt(args, &mut figures)?;
    }
    if args.name == BenchName::Train {
        train::train(args, &mut figures)?;
    }
    #[cfg(feature = "sim")]
    if args.name == BenchName::Learner {
        learner::learner(args, &mut figures)?;
    }
    let mut status = ExitStatus::Success;
    #[cfg(feature = "sim")]
    if args.name == BenchName::Maze {
        status = maze::maze(args, &mut figures)?;
    }
    #[cfg(feature = "sim")]
    if args.name == BenchName::Hilp {
        status = hilp::hilp(args, &mut figures)?;
    }
    #[cfg(feature = "sim")]
    if args.name == BenchName::Infocon {
        status = infocon::infocon(args, &mut figures)?;
    }
    if status == ExitStatus::Interrupted {
        return Ok(status);
    }
    for (name, value) in &figures {
        println!("{name:<44} {value:>12.3}");
    }
    super::output::save(args.json.as_deref(), &figures)?;
    Ok(status)
}

fn tick(figures: &mut Figures) -> Result<(), Failure> {
    let measured = tick_overhead(Robot::tabletop()?, ControlConfig::default(), TURNS)?;
    let us = |nanos: u64| nanos as f64 * 1e-3;
    figures.insert("tick.overhead_p50_us".into(), us(measured.turn_ns.p50));
    figures.insert("tick.overhead_p99_us".into(), us(measured.turn_ns.p99));
    figures.insert("tick.overhead_p999_us".into(), us(measured.turn_ns.p999));
    figures.insert("tick.tap_p99_us".into(), us(measured.tap_ns.p99));
    let paced = paced_overhead(Robot::tabletop()?, ControlConfig::default(), PERIODS)?;
    figures.insert("tick.paced_overhead_p50_us".into(), us(paced.p50));
    figures.insert("tick.paced_overhead_p99_us".into(), us(paced.p99));
    Ok(())
}

fn codec(figures: &mut Figures) {
    let names: Vec<String> = (1..=8).map(|joint| format!("joint{joint}")).collect();
    let joints = JointState {
        stamp: Stamp(1),
        names: names.clone(),
        position: vec![0.1; 8],
        velocity: vec![0.2; 8],
        effort: Vec::new(),
    };
    let command = Command {
        stamp: Stamp(1),
        joint_names: names,
        points: vec![TrajectoryPoint {
            positions: vec![0.1; 8],
            velocities: vec![0.2; 8],
            ..TrajectoryPoint::default()
        }],
    };
    let frame = |side: u32| Frame {
        camera: "front".into(),
        stamp: Stamp(1),
        width: side,
        height: side,
        data: Arc::from(vec![7; Frame::expected_len(side, side)]),
    };
    one("joint_state", &joints, figures);
    one("command", &command, figures);
    one("frame_96", &frame(96), figures);
    one("frame_224", &frame(224), figures);
}

fn one<M: Message>(name: &str, message: &M, figures: &mut Figures) {
    let mut buffer = Vec::new();
    let encode = per_call(|| {
        message.encode_into(&mut buffer);
        black_box(&buffer);
    });
    let decode = per_call(|| {
        black_box(M::decode(black_box(&buffer)).is_ok());
    });
    figures.insert(format!("codec.{name}.encode_us"), encode);
    figures.insert(format!("codec.{name}.decode_us"), decode);
}

/// Microseconds per call.
fn per_call(mut call: impl FnMut()) -> f64 {
    let begun = Instant::now();
    let mut calls = 0u32;
    while begun.elapsed() < SPAN {
        for _ in 0..16 {
            call();
        }
        calls += 16;
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

#[cfg(feature = "sim")]
fn world(name: BenchName, figures: &mut Figures) -> Result<(), Failure> {
    let report = cerebellum_sim::bench(&cerebellum_sim::BenchConfig::default())?;
    if name != BenchName::Render {
        figures.insert("sim.physics_steps_per_s".into(), report.physics_steps);
        figures.insert("sim.real_time_factor".into(), report.real_time_factor);
        for cost in &report.demonstrations {
            figures.insert(format!("sim.demonstration_{}px_s", cost.side), cost.seconds);
        }
    }
    if name != BenchName::Sim {
        for rate in &report.pictures {
            figures.insert(
                format!("render.{}_{}px_per_s", rate.camera, rate.side),
                rate.per_second,
            );
        }
    }
    Ok(())
}

#[cfg(not(feature = "sim"))]
fn world(_: BenchName, _: &mut Figures) -> Result<(), Failure> {
    Err(Failure::input(anyhow::anyhow!(
        "this build has no embedded world"
    )))
}

fn inference(args: &BenchArgs, figures: &mut Figures) -> Result<(), Failure> {
    let opened = device::open(args.device.into()).map_err(Failure::environment)?;
    let brain = Brain::load(args.policy.as_deref(), opened).map_err(Failure::input)?;
    let config = InferenceConfig::default();
    let (mut core, _slot) = brain.inference(0, &config).map_err(Failure::input)?;
    let robot = Robot::tabletop()?;
    let inputs = inputs(&robot);
    let observation = synthetic_observation(core.spec(), &inputs);
    let goal = Goal {
        id: 1,
        spec: GoalSpec::Language {
            text: "pick up the red block".into(),
        },
    };
    core.on_goal(&goal)?;
    let limit = PlanLimit {
        deadline: None,
        max_steps: config.replan.max_steps,
    };
    for _ in 0..PLANS {
        core.on_observation(&observation, limit)?;
    }
    let stats = core.stats();
    figures.insert("inference.chunk_p50_ms".into(), stats.total.p50_ms);
    figures.insert("inference.chunk_p99_ms".into(), stats.total.p99_ms);
    figures.insert("inference.encode_p50_ms".into(), stats.encode.p50_ms);
    figures.insert("inference.refine_p50_ms".into(), stats.refine.p50_ms);
    Ok(())
}

/// A robot at rest at home, for plans that nobody executes.
pub fn inputs(robot: &Robot) -> WarmupInputs {
    let home = Measured {
        position: *robot.home(),
        ..Measured::default()
    };
    WarmupInputs {
        joints: JointState {
            names: robot.names().to_vec(),
            position: robot.home().iter().take(robot.dof()).copied().collect(),
            ..JointState::default()
        },
        tcp: Some(tcp_pose(robot, &home)),
        goal: None,
    }
}
