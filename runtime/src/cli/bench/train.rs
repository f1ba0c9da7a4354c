//! `cerebellum bench train`: training steps of the tabletop policy on the CPU, beside PyTorch in
//! eager mode if asked for.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::ensure;
use cerebellum_policies::checkpoint::Card;
use cerebellum_policies::device::{self, DeviceChoice};
use cerebellum_policies::language::{SentenceEncoder as _, StaticTable};
use cerebellum_policies::mdt::MdtConfig;
use cerebellum_policies::mdt::config::TABLETOP_PROPRIOCEPTION;
use cerebellum_policies::training::trajectory::{CameraTrack, Trajectory};
use cerebellum_policies::training::{DemoDataset, TrainConfig, Trainer};
use serde::Deserialize;

use super::Figures;
use super::peers::Peers;
use crate::cli::args::BenchArgs;
use crate::cli::exit::Failure;

/// What the peer runs; see there for what it needs.
const PEER: &str = include_str!("../../../bench/train_peers.py");

/// Steps of one measurement, of which the fastest counts: what else the machine does only ever adds
/// time.
const STEPS: u64 = 12;

/// Measurements of ours, and of the peer between them.
const ROUNDS: usize = 3;

/// What the script prints.
#[derive(Deserialize)]
struct Report {
    parameters: usize,
    step_ms: f64,
}

/// Measures steps with the settings of the shipped training, on random pictures in memory. Ours
/// includes cutting a batch out of demonstrations and augmenting it, the peer's does not.
///
/// # Errors
/// If the peer's environment cannot be set up, its script fails or its network is another one.
pub fn train(args: &BenchArgs, figures: &mut Figures) -> Result<(), Failure> {
    let language = StaticTable::embedded()?;
    let mut network = MdtConfig::tabletop();
    network.denoiser.goal_dim = language.dim();
    let config = TrainConfig {
        noise_draws: 2,
        auxiliary_share: 0.125,
        steps: STEPS,
        report_every: 1,
        checkpoint_every: u64::MAX,
        validate_every: u64::MAX,
        ..TrainConfig::default()
    };
    let folder = std::env::temp_dir().join(format!("cerebellum-bench-{}", std::process::id()));
    let measured = measure(args, &network, &config, &folder, figures);
    std::fs::remove_dir_all(&folder).ok();
    measured.map_err(Failure::environment)
}

fn measure(
    args: &BenchArgs,
    network: &MdtConfig,
    config: &TrainConfig,
    folder: &Path,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let data = DemoDataset::new(vec![demonstration(network, 4 * config.batch)]);
    let peers = (args.peers)
        .then(|| Peers::new(args, folder, &["torch", "numpy"]))
        .transpose()?;
    let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
    for round in 0..ROUNDS {
        let run = folder.join(format!("run-{round}"));
        let (parameters, step_ms) = steps(network, config, &data, &run)?;
        ours = ours.min(step_ms);
        figures.insert("train.parameters".into(), parameters as f64);
        let Some(peers) = &peers else { continue };
        let report = peer(peers, network, config)?;
        ensure!(
            report.parameters == parameters,
            "the peer's network has {} parameters, ours {parameters}",
            report.parameters
        );
        theirs = theirs.min(report.step_ms);
    }
    let rate = |step_ms: f64| config.batch as f64 / step_ms * 1e3;
    figures.insert("train.step_ms.cerebellum".into(), ours);
    figures.insert("train.observations_per_s.cerebellum".into(), rate(ours));
    if peers.is_some() {
        figures.insert("train.step_ms.torch_eager".into(), theirs);
        figures.insert("train.observations_per_s.torch_eager".into(), rate(theirs));
        figures.insert("train.speed_over_torch_eager".into(), theirs / ours);
    }
    Ok(())
}

/// Parameters, and milliseconds of the fastest step.
fn steps(
    network: &MdtConfig,
    config: &TrainConfig,
    data: &DemoDataset,
    folder: &Path,
) -> anyhow::Result<(usize, f64)> {
    let language = StaticTable::embedded()?;
    let device = device::open(DeviceChoice::Cpu)?.device;
    let (config, network) = (config.clone(), network.clone());
    let mut trainer = Trainer::open(
        folder,
        config,
        network,
        data,
        None,
        language.as_ref(),
        &device,
    )?;
    let mut last = Instant::now();
    let mut least = Duration::MAX;
    trainer.run(&AtomicBool::new(false), &mut |progress| {
        // The first steps take memory for the first time.
        if progress.step > 2 {
            least = least.min(last.elapsed());
        }
        last = Instant::now();
    })?;
    let tensors = trainer.package(Card::default()).weights.tensors;
    let parameters = tensors.values().map(|tensor| tensor.values.len()).sum();
    Ok((parameters, least.as_secs_f64() * 1e3))
}

fn peer(peers: &Peers, network: &MdtConfig, config: &TrainConfig) -> anyhow::Result<Report> {
    let later = config.auxiliary_rows() * config.shards;
    let numbers = [
        ("batch", config.batch),
        ("told", config.told_rows()),
        ("draws", config.noise_draws),
        ("later", later),
        ("steps", STEPS as usize),
        ("threads", rayon::current_num_threads()),
        ("goal", network.denoiser.goal_dim),
    ];
    let arguments = numbers
        .iter()
        .flat_map(|(name, number)| [format!("--{name}"), number.to_string()])
        .collect::<Vec<_>>();
    Ok(peers.run(PEER, &arguments)?.0)
}

/// A demonstration of `length` ticks without meaning: time does not depend on it.
fn demonstration(network: &MdtConfig, length: usize) -> Trajectory {
    let width = network.denoiser.action_dim;
    let tracks = network.cameras().map(|camera| CameraTrack {
        name: camera.name.clone(),
        size: camera.size,
        frames: (0..length * camera.size * camera.size * 3)
            .map(|i| (i * 31 % 251) as u8)
            .collect(),
    });
    Trajectory {
        task: "push".into(),
        instruction: "push the red cube".into(),
        cameras: tracks.into(),
        proprioception: (0..length * TABLETOP_PROPRIOCEPTION)
            .map(|i| (i % 7) as f32)
            .collect(),
        actions: (0..length * width)
            .map(|i| (i % 5) as f32 / 2.5 - 1.0)
            .collect(),
        action_dim: width,
    }
}
