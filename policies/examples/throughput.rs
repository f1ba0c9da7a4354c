//! How fast the tabletop policy trains and plans on this machine's CPU.
//!
//! `cargo run --release -p cerebellum-policies --example throughput [batch] [steps] [told]`
//!
//! `told` leaves image goals and the contrastive alignment out.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use burn::tensor::Device;
use cerebellum_messages::{Frame, Goal, GoalSpec, JointState, Observation, Stamp, TcpPose, Tick};
use cerebellum_policies::checkpoint::Card;
use cerebellum_policies::error::PolicyError;
use cerebellum_policies::language::SentenceEncoder;
use cerebellum_policies::mdt::config::TABLETOP_PROPRIOCEPTION;
use cerebellum_policies::mdt::{MdtConfig, MdtPolicy};
use cerebellum_policies::policy::{PlanBudget, Policy as _};
use cerebellum_policies::training::trajectory::{CameraTrack, Trajectory};
use cerebellum_policies::training::{DemoDataset, TrainConfig, Trainer};

/// A vector per sentence without meaning: time does not depend on it.
struct Constant(usize);

impl SentenceEncoder for Constant {
    fn dim(&self) -> usize {
        self.0
    }
    fn name(&self) -> &str {
        "constant"
    }
    fn encode(&self, _: &str) -> Result<Vec<f32>, PolicyError> {
        Ok(vec![0.05; self.0])
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse::<u64>().ok());
    let batch = numbers.next().unwrap_or(64) as usize;
    let steps = numbers.next().unwrap_or(10);
    let mut network = MdtConfig::tabletop();
    if std::env::args().any(|word| word == "told") {
        (network.goal_encoder, network.alignment) = (None, None);
    }
    let size = network.static_camera.size;
    let length = 4 * batch;
    let track = |name: &str| CameraTrack {
        name: name.into(),
        size,
        frames: (0..length * size * size * 3)
            .map(|i| (i * 31 % 251) as u8)
            .collect(),
    };
    let data = DemoDataset::new(vec![Trajectory {
        task: "push".into(),
        instruction: "push the red cube".into(),
        cameras: vec![track("front"), track("wrist")],
        proprioception: (0..length * TABLETOP_PROPRIOCEPTION)
            .map(|i| (i % 7) as f32)
            .collect(),
        actions: (0..length * 7)
            .map(|i| (i % 5) as f32 / 2.5 - 1.0)
            .collect(),
        action_dim: 7,
    }]);
    let train = TrainConfig {
        batch,
        steps,
        report_every: (steps / 2).max(1),
        checkpoint_every: u64::MAX,
        validate_every: u64::MAX,
        ..TrainConfig::default()
    };
    let device = Device::flex();
    let language = Constant(network.denoiser.goal_dim);
    let folder = std::env::temp_dir().join(format!("throughput-{}", std::process::id()));
    let mut trainer = Trainer::open(
        &folder,
        train,
        network.clone(),
        &data,
        None,
        &language,
        &device,
    )?;
    println!("training, batch {batch}:");
    trainer.run(&AtomicBool::new(false), &mut |report| {
        println!(
            "  step {:4}  {:7.1} observations/s  loss {:.3}",
            report.step, report.samples_per_second, report.losses.total
        );
    })?;

    let package = trainer.package(Card::default());
    let parameters: usize = package
        .weights
        .tensors
        .values()
        .map(|t| t.values.len())
        .sum();
    let mut policy = MdtPolicy::new(&package, Arc::new(language), &device)?;
    policy.reset(&Goal {
        id: 1,
        spec: GoalSpec::Language {
            text: "push the red cube".into(),
        },
    })?;
    let frame = |camera: &str| Frame {
        camera: camera.into(),
        stamp: Stamp(0),
        width: size as u32,
        height: size as u32,
        data: vec![127; size * size * 3].into(),
    };
    let names = (1..=7)
        .map(|i| format!("joint{i}"))
        .chain(["gripper".into()]);
    let observation = Observation {
        tick: Tick(0),
        stamp: Stamp(0),
        frames: vec![frame("front"), frame("wrist")],
        joints: JointState {
            names: names.collect(),
            position: vec![0.1; 8],
            ..JointState::default()
        },
        tcp: Some(TcpPose {
            orientation: [0.0, 0.0, 0.0, 1.0],
            ..TcpPose::default()
        }),
    };
    println!("planning, {parameters} parameters:");
    for max_steps in [10, 4, 1] {
        let mut times = Vec::new();
        for seed in 0..30 {
            let begun = Instant::now();
            let plan = policy.plan(
                &observation,
                PlanBudget {
                    deadline: None,
                    max_steps,
                    seed,
                },
            )?;
            times.push((begun.elapsed(), plan.encode, plan.refine));
        }
        times.sort();
        let (total, encode, refine) = times[times.len() / 2];
        println!(
            "  {max_steps:2} steps: median {total:.2?} (encode {encode:.2?}, refine {refine:.2?})"
        );
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
