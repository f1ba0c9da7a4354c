//! `cerebellum bench infocon`: do the concepts that are discovered in demonstrations guide a policy
//! as well as the true parts of the task do, and do they end where those end?
//!
//! Per task and seed: discovery, three policies of the same size (discovered key states, true ones,
//! none), success in the embedded world, and agreement of boundaries on demonstrations that nobody
//! learned from. Every part is kept in a folder, so that the same command goes on after a stop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use cerebellum_policies::device::{self, OpenDevice};
use cerebellum_policies::infocon::InfoCon;
use cerebellum_policies::infocon::baselines::{KMeans, change_points, uniform};
use cerebellum_policies::infocon::segments::{agreement, boundaries, steady};
use cerebellum_policies::infocon::training::{Demos, Guidance, LEAST_TICKS};
use cerebellum_sim::Split;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Figures;
use crate::cli::args::BenchArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::train::infocon::{InfoConFile, TaskWork, demonstrations, read, widths};
use crate::cli::{eval, interrupt, progress_bar};
use crate::report::{TaskTally, task_table, write_json};
use crate::run::brain::Brain;

/// Demonstrations whose boundaries are compared.
const HELD_OUT: usize = 100;
/// Steps that boundaries may be apart.
const TOLERANCE: usize = 5;
/// First seed of the episodes of success: none of the evaluation split's demonstrations above.
const FIRST_EPISODE: u64 = 1000;
/// Least F1 that is asked for, and the points of success that may be lost against the true parts.
const REQUIRED: (f64, f64) = (0.8, 0.03);

/// The policies that are compared.
const GUIDES: [(&str, Guidance); 3] = [
    ("discovered", Guidance::Discovered),
    ("true", Guidance::True),
    ("plain", Guidance::Nothing),
];

/// What is kept of one task and seed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Findings {
    /// Mean F1 of boundaries by method.
    agreement: BTreeMap<String, f64>,
    /// Success by guidance.
    success: BTreeMap<String, TaskTally>,
}

/// Trains and measures. Goes on where it was stopped.
///
/// # Errors
/// If the configuration or the folder cannot be used, or a run diverges.
pub fn infocon(args: &BenchArgs, figures: &mut Figures) -> Result<ExitStatus, Failure> {
    let stop = interrupt::flag()?;
    let given = &args.infocon;
    let mut file = match &args.play.config {
        Some(path) => read(path).map_err(Failure::input)?,
        None => InfoConFile::default(),
    };
    if !given.tasks.is_empty() {
        file.tasks.clone_from(&given.tasks);
    }
    let out = args.play.out.clone();
    let out = out.unwrap_or_else(|| PathBuf::from("runs/bench-infocon"));
    let mut total = Findings::default();
    let mut agreements: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut table = BTreeMap::new();
    for task in &file.tasks {
        for seed in args.play.seed..args.play.seed + args.play.seeds {
            let mut file = file.clone();
            file.train.seed = seed;
            let folder = out.join(format!("{task}-{seed}"));
            let Some(found) = one(args, task, &folder, &file, &stop)? else {
                println!("stopped; the same command goes on from there");
                return Ok(ExitStatus::Interrupted);
            };
            for (method, f1) in found.agreement {
                figures.insert(format!("infocon.{task}.{seed}.f1.{method}"), f1);
                agreements.entry(method).or_default().push(f1);
            }
            for (guide, tally) in found.success {
                let name = format!("infocon.{task}.{seed}.success.{guide}");
                figures.insert(name, rate(&tally));
                for sum in [
                    total.success.entry(guide.clone()).or_default(),
                    table.entry(format!("{task} {guide}")).or_default(),
                ] {
                    sum.episodes += tally.episodes;
                    sum.successes += tally.successes;
                }
            }
        }
    }
    print!("{}", task_table(&table));
    for (method, values) in &agreements {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        figures.insert(format!("infocon.f1.{method}"), mean);
        total.agreement.insert(method.clone(), mean);
    }
    for (guide, tally) in &total.success {
        figures.insert(format!("infocon.success.{guide}"), rate(tally));
    }
    Ok(if is_met(&total) {
        ExitStatus::Success
    } else {
        ExitStatus::CheckFailed
    })
}

fn rate(tally: &TaskTally) -> f64 {
    tally.successes as f64 / tally.episodes.max(1) as f64
}

/// Whether discovered concepts do what is asked of them.
fn is_met(found: &Findings) -> bool {
    let success = |guide: &str| found.success.get(guide).map_or(0.0, rate);
    let own = found.agreement.get("infocon").copied().unwrap_or(0.0);
    let others = found
        .agreement
        .iter()
        .filter(|(method, _)| *method != "infocon");
    let (f1, lost) = REQUIRED;
    success("discovered") >= success("true") - lost
        && success("discovered") > success("plain")
        && own >= f1
        && others.into_iter().all(|(_, other)| own > *other)
}

/// One task and seed; `None` if it was stopped.
fn one(
    args: &BenchArgs,
    task: &str,
    folder: &Path,
    file: &InfoConFile,
    stop: &AtomicBool,
) -> Result<Option<Findings>, Failure> {
    let kept = folder.join("findings.json");
    let mut found: Findings = std::fs::read(&kept)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let device = || device::open(args.device.into()).map_err(Failure::environment);
    let OpenDevice { device: on, .. } = device()?;
    let Some(work) = TaskWork::begin(task, folder, file, &on, stop)? else {
        return Ok(None);
    };
    let Some(model) = work.discover(stop)? else {
        return Ok(None);
    };
    let Some(agreement) = agreements(task, &work, &model, file.train.seed, stop)? else {
        return Ok(None);
    };
    found.agreement = agreement;
    println!(
        "{task}, seed {}: F1 {:.3?}",
        file.train.seed, found.agreement
    );
    for (name, guidance) in GUIDES {
        let Some(package) = work.learn(&model, guidance, "cerebellum bench infocon", stop)? else {
            return Ok(None);
        };
        let asked = args.infocon.trials;
        let known = found.success.get(name);
        if known.is_none_or(|tally| tally.episodes != asked as u64) {
            package
                .save(&folder.join(format!("policy-{name}")))
                .map_err(Failure::environment)?;
            let brain = Brain::of(package, device()?).map_err(Failure::input)?;
            let bar = progress_bar("episodes", "{pos}/{len} {per_sec} {eta}");
            let tally = eval::success(&brain, asked, FIRST_EPISODE, stop, &bar)?;
            bar.finish_and_clear();
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            println!(
                "{task}, seed {}, {name}: {}",
                file.train.seed,
                tally.describe()
            );
            found.success.insert(name.to_owned(), tally);
            write_json(&kept, &found).map_err(Failure::environment)?;
        }
    }
    Ok(Some(found))
}

/// Mean F1 of every method on held-out demonstrations; `None` if it was stopped.
fn agreements(
    task: &str,
    work: &TaskWork<'_>,
    model: &InfoCon,
    seed: u64,
    stop: &AtomicBool,
) -> Result<Option<BTreeMap<String, f64>>, Failure> {
    let made = demonstrations(task, Split::Eval, HELD_OUT, false, stop).map_err(Failure::input)?;
    let Some(episodes) = made else {
        return Ok(None);
    };
    let (state_dim, action_dim) = widths();
    let statistics = Some(work.demos.statistics().clone());
    let held_out = Demos::new(episodes, state_dim, action_dim, 0, statistics);
    let held_out = held_out.map_err(Failure::input)?;
    let config = work.discovery_config();
    let segments = config.concepts;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let states = work.demos.episodes().iter();
    let states = states.flat_map(|episode| &episode.states).copied();
    let clusters = KMeans::fit(&states.collect::<Vec<_>>(), state_dim, segments, &mut rng);
    let device = cerebellum_policies::Device::flex();
    let found = held_out.labels(model, &config, &device);
    let found = found.map_err(Failure::input)?;
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (episode, found) in held_out.episodes().iter().zip(found) {
        let steps = held_out.steps(episode);
        let states = &episode.states[..steps * state_dim];
        let truth = boundaries(&episode.phases);
        tracing::debug!(true_parts = ?episode.phases, concepts = ?found, "{task}");
        let methods = [
            ("infocon", found),
            ("uniform", uniform(steps, segments)),
            ("change_point", change_points(states, state_dim, segments)),
            ("k_means", clusters.labels(states)),
        ];
        for (method, labels) in methods {
            let cut = boundaries(&steady(&labels, LEAST_TICKS));
            *sums.entry(method.to_owned()).or_default() += agreement(&cut, &truth, TOLERANCE).f1;
        }
    }
    let count = held_out.episodes().len() as f64;
    Ok(Some(
        sums.into_iter()
            .map(|(method, sum)| (method, sum / count))
            .collect(),
    ))
}
