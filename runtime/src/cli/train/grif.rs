//! `cerebellum train --family grif`: from demonstrations of which few have their instruction.

use std::collections::{BTreeMap, BTreeSet};

use cerebellum_policies::checkpoint::Card;
use cerebellum_policies::device;
use cerebellum_policies::grif::training::data::action_statistics;
use cerebellum_policies::grif::training::{GrifStage, GrifTraining};
use cerebellum_policies::grif::{GrifConfig, GrifPolicyConfig};
use cerebellum_policies::language::{SentenceEncoder as _, StaticTable};
use cerebellum_policies::training::run::{Run, RunProgress, RunSettings};
use cerebellum_policies::training::trainer::POLICY_FOLDER;
use cerebellum_policies::training::{DemoDataset, Outcome};
use cerebellum_sim::{CONTROL_PERIOD_NANOS, ROTATION_SCALE, TRANSLATION_SCALE, Task};
use serde::{Deserialize, Serialize};

use super::{choose_tasks, keep_settings, read_settings};
use crate::cli::args::TrainArgs;
use crate::cli::demos::{DemoPlan, prepare};
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::{interrupt, progress_bar};

/// Actions that are predicted at once.
const CHUNK: usize = 10;
/// Instructions per task that the change seen so far is compared with, at most.
const KNOWN: usize = 3;

/// Content of a training configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GrifFile {
    /// Tasks, in turn.
    tasks: Vec<String>,
    /// Demonstrations per task.
    demos: usize,
    /// Whether the experts are disturbed, so that there are recoveries to learn from.
    disturbed: bool,
    /// The networks; small ones by default.
    network: Option<GrifConfig>,
    /// What the loss is fed with.
    train: GrifTraining,
    /// Steps, batch, seed and how often to save.
    run: RunSettings,
}

impl Default for GrifFile {
    fn default() -> Self {
        Self {
            tasks: Task::ALL.map(|task| task.name().to_owned()).to_vec(),
            demos: 200,
            disturbed: true,
            network: None,
            train: GrifTraining::default(),
            run: RunSettings {
                steps: 20_000,
                batch: 64,
                seed: 0,
                checkpoint_every: 250,
                report_every: 10,
            },
        }
    }
}

/// Trains a policy and writes a package.
///
/// # Errors
/// If the configuration, the data or the folder cannot be used, or the run diverges.
pub fn train(args: &TrainArgs) -> Result<ExitStatus, Failure> {
    let file = settings(args).map_err(Failure::input)?;
    if args.init.is_some() || args.record.is_some() {
        return Err(Failure::input(anyhow::anyhow!(
            "--init and --record are for the family mdt only: the curves of a GRIF are in \
             metrics.jsonl; leave them out"
        )));
    }
    let stop = interrupt::flag()?;
    let language = StaticTable::embedded()?;
    let opened = device::open(args.device.into()).map_err(Failure::environment)?;
    let plan = DemoPlan {
        tasks: file.tasks.clone(),
        per_task: file.demos,
        seed: 0,
        disturbed: file.disturbed,
        play: None,
        cameras: None,
        tracked: false,
    };
    let bar = progress_bar("demonstrations", "{pos}/{len} {per_sec} {eta}");
    let data = prepare(&args.out.join("demos"), &plan, &stop, &bar).map_err(Failure::input)?;
    bar.finish_and_clear();
    println!(
        "{} demonstrations, {} ticks; device {}",
        data.episodes().len(),
        data.len(),
        opened.name
    );
    let stage = GrifStage::new(
        &data,
        policy(&file, &data, language.dim()),
        file.train.clone(),
        (file.run.batch, file.run.seed),
        language.as_ref(),
        &opened.device,
    )
    .map_err(Failure::input)?;
    let mut run = Run::open(&args.out, file.run.clone(), stage).map_err(Failure::input)?;
    keep_settings(&args.out, &file)?;
    let bar = progress_bar("steps", "{pos}/{len} {eta} {msg}");
    bar.set_length(file.run.steps);
    bar.set_position(run.step());
    let outcome = run.run(&stop, &mut |report| {
        bar.set_position(report.step);
        bar.set_message(describe(report));
    })?;
    bar.finish();
    let folder = args.out.join(POLICY_FOLDER);
    let card = card(&file, args, run.step(), &opened.name);
    run.stage()
        .package(card)
        .save(&folder)
        .map_err(Failure::environment)?;
    Ok(match outcome {
        Outcome::Finished => {
            println!("policy written to {}", folder.display());
            ExitStatus::Success
        }
        Outcome::Stopped => {
            println!(
                "stopped at step {}; the same command goes on from there. The policy so far is in {}",
                run.step(),
                folder.display()
            );
            ExitStatus::Interrupted
        }
    })
}

fn policy(file: &GrifFile, data: &DemoDataset, sentence: usize) -> GrifPolicyConfig {
    let network = file.network.clone();
    let network = network.unwrap_or_else(|| GrifConfig::tabletop(sentence, CHUNK));
    let chunk = network.head.actions / cerebellum_messages::TCP_DELTA_DIM;
    let mut instructions = BTreeMap::<&str, BTreeSet<&str>>::new();
    for episode in data.episodes() {
        let of_task = instructions.entry(&episode.task).or_default();
        of_task.insert(&episode.instruction);
    }
    let instructions = instructions
        .values()
        .flat_map(|of_task| of_task.iter().take(KNOWN))
        .map(|&instruction| instruction.to_owned());
    GrifPolicyConfig {
        name: "grif-tabletop".into(),
        cameras: ["front", "wrist"].map(String::from).to_vec(),
        actions: action_statistics(data),
        chunk,
        horizon: chunk.max(CHUNK),
        instructions: instructions.collect(),
        network,
        rate_hz: 1e9 / CONTROL_PERIOD_NANOS as f64,
        translation_scale: TRANSLATION_SCALE,
        rotation_scale: ROTATION_SCALE,
    }
}

/// The losses of a report in a line.
fn describe(report: &RunProgress) -> String {
    let shown = [
        ("loss", "total"),
        ("shown", "image_mse"),
        ("told", "language_mse"),
        ("alignment", "alignment"),
        ("sentences found", "sentence_accuracy"),
    ];
    let shown = shown.iter().filter_map(|(name, key)| {
        let value = report.numbers.get(*key)?;
        Some(format!("{name} {value:.3}"))
    });
    shown.collect::<Vec<_>>().join("  ")
}

fn settings(args: &TrainArgs) -> anyhow::Result<GrifFile> {
    let mut file = match &args.config {
        Some(path) => read_settings(path, "grif")?,
        None => GrifFile::default(),
    };
    choose_tasks(&mut file.tasks, args)?;
    file.demos = args.demos.unwrap_or(file.demos);
    file.run.steps = args.steps.unwrap_or(file.run.steps);
    file.run.seed = args.seed.unwrap_or(file.run.seed);
    Ok(file)
}

fn card(file: &GrifFile, args: &TrainArgs, step: u64, device: &str) -> Card {
    let config = args.config.as_ref();
    let config = config.map_or_else(String::new, |path| format!(" --config {}", path.display()));
    Card {
        data: format!(
            "{} scripted demonstrations per task ({}), training split from seed 0; {} % with their \
             instruction",
            file.demos,
            file.tasks.join(", "),
            100.0 * file.train.labelled_share
        ),
        training: format!(
            "cerebellum train --family grif{config} --seed {}; on {device}; {step} of {} steps",
            file.run.seed, file.run.steps
        ),
        results: "see metrics.jsonl beside the weights".to_owned(),
        limits: "trained in the embedded world only".to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
    }
}
