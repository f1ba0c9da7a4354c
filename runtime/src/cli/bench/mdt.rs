//! `cerebellum bench mdt`: one chunk of the authors' full-size MDT and MDT-V with random weights, on
//! one thread of the CPU, beside PyTorch and ONNX Runtime if asked for.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::anyhow;
use cerebellum_policies::checkpoint::file::write_with_metadata;
use cerebellum_policies::mdt::full_size::{Agent, ChunkCase, ImageCase, Way};
use cerebellum_policies::nn::kernels::Precision;
use serde::Deserialize;

use super::Figures;
use super::peers::Peers;
use crate::cli::args::BenchArgs;
use crate::cli::exit::Failure;

/// What the peers run; see there for what it needs.
const PEERS: &str = include_str!("../../../bench/mdt_peers.py");

/// Packages that the script needs.
const PACKAGES: [&str; 6] = [
    "torch",
    "numpy",
    "safetensors",
    "onnx",
    "onnxscript",
    "onnxruntime",
];

/// Calls of which the fastest counts: what else the machine does only ever adds time.
const CALLS: usize = 20;

/// Weights and case are the same in every run.
const SEED: u64 = 0;

/// The authors' way of planning, to be compared with others'.
const FULL: Way = Way {
    precision: Precision::Single,
    steps: 10,
    sigma_max: None,
};

/// Shortcuts, by the end of their figures' names: three steps from the last plan, weights of 16
/// bits, and both.
const SHORTCUTS: [(&str, Way); 3] = [
    (
        "warm",
        Way {
            steps: 3,
            sigma_max: Some(0.5),
            ..FULL
        },
    ),
    (
        "brief",
        Way {
            precision: Precision::Brief,
            ..FULL
        },
    ),
    (
        "warm_brief",
        Way {
            precision: Precision::Brief,
            steps: 3,
            sigma_max: Some(0.5),
        },
    ),
];

/// Agents and the beginning of their figures' names.
const AGENTS: [(&str, Agent); 2] = [("", Agent::Mdt), ("mdt_v.", Agent::MdtV)];

/// What the script prints.
#[derive(Deserialize)]
struct PeerReport {
    chunk_ms: std::collections::BTreeMap<String, Option<f64>>,
    error: std::collections::BTreeMap<String, f64>,
    torch_peak_mb: Option<f64>,
}

/// Measures both agents.
///
/// # Errors
/// If a peer's environment cannot be set up, or its script fails as a whole.
pub fn mdt(args: &BenchArgs, figures: &mut Figures) -> Result<(), Failure> {
    let alone = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .map_err(|error| Failure::environment(anyhow!("no thread for the benchmark: {error}")))?;
    let folder = std::env::temp_dir().join(format!("cerebellum-bench-{}", std::process::id()));
    let mut files = Vec::new();
    for (prefix, agent) in AGENTS {
        let file = folder.join(format!("{prefix}weights.safetensors"));
        let own = alone.install(|| ours(prefix, agent, args.peers.then_some(&*file), figures));
        own.map_err(Failure::environment)?;
        files.push((prefix, file));
    }
    // What is written for the peers takes memory of its own.
    if let (Some(peak), false) = (peak_mb(), args.peers) {
        figures.insert("denoisers_peak_mb".into(), peak);
    }
    for (prefix, agent) in AGENTS {
        alone.install(|| {
            let case = ImageCase::new(agent);
            let time = least(CALLS / 4, || {
                black_box(case.encode());
            });
            figures.insert(format!("{prefix}images_ms.cerebellum"), time);
        });
    }
    if args.peers {
        let result = peers(args, &folder, &files, figures);
        // The weights are large; what became of them matters less than the result.
        std::fs::remove_dir_all(&folder).ok();
        result.map_err(Failure::environment)?;
    }
    Ok(())
}

fn ours(
    prefix: &str,
    agent: Agent,
    file: Option<&Path>,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let unpackable = || anyhow!("the network cannot be packed");
    let (mut case, tensors) =
        ChunkCase::new(agent, FULL, SEED, file.is_some())?.ok_or_else(unpackable)?;
    if let (Some(file), Some(tensors)) = (file, tensors) {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let description = [("config".to_owned(), case.description())];
        write_with_metadata(file, &tensors, description.into_iter().collect())?;
    }
    let full = case.chunk()?;
    let chunk = least(CALLS, || {
        black_box(case.chunk().ok());
    });
    let context = least(CALLS, || case.encode());
    figures.insert(format!("{prefix}chunk_ms.cerebellum"), chunk);
    figures.insert(format!("{prefix}context_ms.cerebellum"), context);
    figures.insert(
        format!("{prefix}weights_per_step_mb"),
        case.bytes_per_step() as f64 * 1e-6,
    );
    drop(case);
    for (name, way) in SHORTCUTS {
        let (mut case, _) = ChunkCase::new(agent, way, SEED, false)?.ok_or_else(unpackable)?;
        let time = least(CALLS, || {
            black_box(case.chunk().ok());
        });
        figures.insert(format!("{prefix}chunk_ms.cerebellum_{name}"), time);
        if way.steps == FULL.steps {
            // Actions lie in [-1, 1].
            let found = case.chunk()?;
            let errors = found
                .iter()
                .zip(&full)
                .map(|(a, b)| f64::from((a - b).abs()));
            let most = errors.fold(0.0, f64::max);
            figures.insert(format!("{prefix}difference.cerebellum_{name}"), most);
        }
    }
    Ok(())
}

/// Least milliseconds of several calls after one that does not count.
fn least(calls: usize, mut call: impl FnMut()) -> f64 {
    call();
    let times = (0..calls).map(|_| {
        let begun = Instant::now();
        call();
        begun.elapsed().as_secs_f64() * 1e3
    });
    times.fold(f64::INFINITY, f64::min)
}

/// Most memory that this process has held, in MB; only Linux tells.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

fn peers(
    args: &BenchArgs,
    folder: &Path,
    files: &[(&str, PathBuf)],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let peers = Peers::new(args, folder, &PACKAGES)?;
    for (prefix, file) in files {
        let arguments = ["--weights".into(), file.display().to_string()];
        let (report, complaints) = peers.run::<PeerReport>(PEERS, &arguments)?;
        for (peer, time) in report.chunk_ms {
            match time {
                Some(time) => {
                    figures.insert(format!("{prefix}chunk_ms.{peer}"), time);
                }
                None => tracing::warn!("{peer} could not be measured:\n{complaints}"),
            }
        }
        for (peer, error) in report.error {
            figures.insert(format!("{prefix}difference.{peer}"), error);
        }
        if let Some(peak) = report.torch_peak_mb {
            figures.insert(format!("{prefix}torch_peak_mb"), peak);
        }
    }
    Ok(())
}
