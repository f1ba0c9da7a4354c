//! `cerebellum bench train`: one training step of the shipped policy's size, on one thread and on all,
//! beside eager PyTorch if asked for.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use cerebellum_policies::checkpoint::file::write_with_metadata;
use cerebellum_policies::training::step_case::{StepCase, StepFigures};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Figures;
use super::peers::Peers;
use crate::cli::args::BenchArgs;
use crate::cli::exit::Failure;

/// What PyTorch runs; see there for what it needs.
const PEER: &str = include_str!("../../../bench/train_peers.py");

/// Packages that the script needs.
const PACKAGES: [&str; 3] = ["torch", "numpy", "safetensors"];

/// Both sides take turns, so that what else the machine does falls on both.
const ROUNDS: usize = 6;

/// Steps of a turn.
const STEPS: usize = 3;

/// Shards of a run on several threads.
const SHARDS: usize = 2;

/// How far losses and norms may lie apart, relative to their size.
const TOLERANCE: f64 = 1e-3;

/// What the script says of its network and its first step.
#[derive(Deserialize)]
struct About {
    parameters: usize,
    loss: f64,
    grad_norm: f64,
}

/// Measures the step.
///
/// # Errors
/// If the peer cannot be set up, or computes something else.
pub fn train(args: &BenchArgs, figures: &mut Figures) -> Result<(), Failure> {
    measure(args, figures).map_err(Failure::environment)
}

fn measure(args: &BenchArgs, figures: &mut Figures) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("cerebellum-bench-{}", std::process::id()));
    let result = measure_in(&folder, args, figures);
    // What is in it is large; what became of it matters less than the result.
    std::fs::remove_dir_all(&folder).ok();
    result
}

fn measure_in(folder: &Path, args: &BenchArgs, figures: &mut Figures) -> anyhow::Result<()> {
    let mut case = StepCase::shipped(1)?;
    figures.insert("train.parameters".into(), case.parameters() as f64);
    let peer = if args.peers {
        let peers = Peers::new(args, folder, &PACKAGES)?;
        let tensors = case.tensors().context("the case cannot be exported")?;
        let file = folder.join("case.safetensors");
        let about = [("about".to_owned(), case.description())];
        write_with_metadata(&file, &tensors, about.into_iter().collect())?;
        Some((peers, file))
    } else {
        None
    };
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let parameters = case.parameters();
    let first = alone.install(|| case.step());
    compare(1, peer.as_ref(), Some((parameters, first)), figures, || {
        alone.install(|| black_box(case.step()).is_some())
    })?;
    let batch = alone.install(|| least(|| case.assemble().is_ok()));
    figures.insert("train.threads_1.batch_ms".into(), batch);
    let threads = rayon::current_num_threads();
    if threads > 1 {
        let mut case = StepCase::shipped(SHARDS)?;
        compare(threads, peer.as_ref(), None, figures, || {
            black_box(case.step()).is_some()
        })?;
        let batch = least(|| case.assemble().is_ok());
        figures.insert(format!("train.threads_{threads}.batch_ms"), batch);
    }
    Ok(())
}

/// Times our `step` and the peer's in turns. `ours` are the number of parameters and the first step, if
/// the peer is to have the same.
fn compare(
    threads: usize,
    peer: Option<&(Peers, PathBuf)>,
    ours: Option<(usize, Option<StepFigures>)>,
    figures: &mut Figures,
    mut step: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    let mut peer = match peer {
        Some((peers, case)) => Some(Peer::start(peers, case, threads)?),
        None => None,
    };
    if let (Some(peer), Some(ours)) = (&mut peer, ours) {
        peer.check(ours, figures)?;
    }
    let (mut own, mut theirs) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        for _ in 0..STEPS {
            own = own.min(timed(&mut step)?);
        }
        if let Some(peer) = &mut peer {
            theirs = peer.steps()?.into_iter().fold(theirs, f64::min);
        }
    }
    let name = |what: &str| format!("train.threads_{threads}.{what}");
    figures.insert(name("step_ms.cerebellum"), own);
    if peer.is_some() {
        figures.insert(name("step_ms.torch_eager"), theirs);
        figures.insert(name("speed_over_torch"), theirs / own);
    }
    Ok(())
}

fn timed(step: &mut impl FnMut() -> bool) -> anyhow::Result<f64> {
    let begun = Instant::now();
    if step() {
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    } else {
        Err(anyhow!("a step gave no finite loss and gradient"))
    }
}

/// Least milliseconds of a few calls; infinite if one fails.
fn least(mut call: impl FnMut() -> bool) -> f64 {
    let times = (0..ROUNDS).map(|_| timed(&mut call).unwrap_or(f64::INFINITY));
    times.fold(f64::INFINITY, f64::min)
}

/// The script at work.
struct Peer {
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    about: About,
}

impl Peer {
    fn start(peers: &Peers, case: &Path, threads: usize) -> anyhow::Result<Self> {
        let mut child = peers
            .command(PEER)?
            .arg("--case")
            .arg(case)
            .arg("--threads")
            .arg(threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the peer cannot be run")?;
        let (requests, replies) = (child.stdin.take(), child.stdout.take());
        let requests = requests.context("the script has no input")?;
        let mut replies = BufReader::new(replies.context("the script has no output")?);
        let about = reply(&mut replies)?;
        Ok(Self {
            child,
            requests,
            replies,
            about,
        })
    }

    /// Whether the script has our network and makes our first step.
    fn check(
        &self,
        (parameters, step): (usize, Option<StepFigures>),
        figures: &mut Figures,
    ) -> anyhow::Result<()> {
        let step = step.context("a step gave no finite loss and gradient")?;
        if self.about.parameters != parameters {
            return Err(anyhow!(
                "PyTorch's network has {} parameters, ours {parameters}",
                self.about.parameters
            ));
        }
        for (name, ours, theirs) in [
            ("loss", step.loss, self.about.loss),
            ("grad_norm", step.grad_norm, self.about.grad_norm),
        ] {
            let difference = (f64::from(ours) / theirs - 1.0).abs();
            figures.insert(format!("train.difference.{name}"), difference);
            if difference > TOLERANCE {
                return Err(anyhow!("{name}: PyTorch has {theirs}, ours is {ours}"));
            }
        }
        Ok(())
    }

    /// Milliseconds of a turn's steps.
    fn steps(&mut self) -> anyhow::Result<Vec<f64>> {
        writeln!(self.requests, "{STEPS}")?;
        self.requests.flush()?;
        reply(&mut self.replies)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn reply<T: DeserializeOwned>(replies: &mut impl BufRead) -> anyhow::Result<T> {
    let mut line = String::new();
    replies.read_line(&mut line)?;
    serde_json::from_str(&line).context("the peer's script failed; its complaints are above")
}
