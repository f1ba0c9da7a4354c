//! `cerebellum train`.

mod grif;
mod hilp;
pub mod infocon;

pub use hilp::{HilpFile, play, policy, read as read_play, run_to_end};

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use cerebellum_bridge::Counters;
use cerebellum_bridge::viewer::{Event, Moment, Viewer, ViewerConfig, ViewerTap};
use cerebellum_policies::checkpoint::Card;
use cerebellum_policies::checkpoint::file::write_atomically;
use cerebellum_policies::device;
use cerebellum_policies::language::{SentenceEncoder as _, StaticTable};
use cerebellum_policies::mdt::MdtConfig;
use cerebellum_policies::training::trainer::POLICY_FOLDER;
use cerebellum_policies::training::{Outcome, TrainConfig, TrainProgress, Trainer};
use indicatif::ProgressBar;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::args::{TrainArgs, TrainFamily};
use super::demos::{DemoPlan, prepare};
use super::exit::{ExitStatus, Failure};
use super::{interrupt, progress_bar};

/// Name of the settings beside what a run makes.
const SETTINGS: &str = "train.toml";
/// First seed of the demonstrations that are held out for validation.
const VALIDATION_SEED: u64 = 1 << 40;

/// Content of a training configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TrainFile {
    /// Tasks, in turn.
    tasks: Vec<String>,
    /// Demonstrations per task.
    demos: usize,
    /// Held-out demonstrations per task.
    validation: usize,
    /// Whether the experts are disturbed, so that there are recoveries to learn from.
    disturbed: bool,
    /// Sizes of the network; small ones by default.
    network: Option<MdtConfig>,
    /// Settings of the run.
    train: TrainConfig,
}

impl Default for TrainFile {
    fn default() -> Self {
        Self {
            tasks: cerebellum_sim::Task::ALL
                .map(|task| task.name().to_owned())
                .to_vec(),
            demos: 200,
            validation: 4,
            disturbed: true,
            network: None,
            train: TrainConfig::default(),
        }
    }
}

/// Trains a policy and writes a package.
///
/// # Errors
/// If the configuration, the data or the folder cannot be used, or the run diverges.
pub fn train(args: &TrainArgs) -> Result<ExitStatus, Failure> {
    match args.family {
        TrainFamily::Mdt => {}
        TrainFamily::Hilp => return hilp::train(args),
        TrainFamily::Infocon => return infocon::train(args),
        TrainFamily::Grif => return grif::train(args),
    }
    let file = settings(args)?;
    let stop = interrupt::flag()?;
    let language = StaticTable::embedded()?;
    let mut network = file.network.clone().unwrap_or_else(MdtConfig::tabletop);
    network.denoiser.goal_dim = language.dim();
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
    let held_out = DemoPlan {
        per_task: file.validation,
        seed: VALIDATION_SEED,
        ..plan.clone()
    };
    let bar = progress_bar("demonstrations", "{pos}/{len} {per_sec} {eta}");
    let data = prepare(&args.out.join("demos"), &plan, &stop, &bar).map_err(Failure::input)?;
    let validation = (file.validation > 0)
        .then(|| {
            prepare(
                &args.out.join("validation"),
                &held_out,
                &stop,
                &ProgressBar::hidden(),
            )
        })
        .transpose()
        .map_err(Failure::input)?;
    bar.finish_and_clear();
    println!(
        "{} demonstrations, {} ticks; device {}",
        data.episodes().len(),
        data.len(),
        opened.name
    );

    let viewer = args
        .record
        .as_ref()
        .map(|record| {
            Viewer::start(
                &ViewerConfig {
                    record: Some(record.clone()),
                    ..ViewerConfig::default()
                },
                &Counters::new(),
            )
        })
        .transpose()
        .map_err(Failure::environment)?;
    let tap = viewer.as_ref().map_or_else(ViewerTap::none, Viewer::tap);
    let mut trainer = Trainer::open(
        &args.out,
        file.train.clone(),
        network,
        &data,
        validation.as_ref(),
        language.as_ref(),
        &opened.device,
    )
    .map_err(Failure::input)?;
    if let Some(folder) = args.init.as_ref().filter(|_| trainer.step() == 0) {
        trainer.start_from(folder).map_err(Failure::input)?;
    }
    let labelled = trainer.labelled();
    println!(
        "{labelled} of {} demonstrations with their instruction",
        data.episodes().len()
    );
    trainer.describe(card(&file, args, labelled, &opened.name));
    keep_settings(&args.out, &file)?;
    let progress = progress_bar("steps", "{pos}/{len} {eta} {msg}");
    progress.set_length(file.train.steps);
    progress.set_position(trainer.step());
    let outcome = trainer.run(&stop, &mut |report| {
        progress.set_position(report.step);
        progress.set_message(losses(report));
        show(&tap, report);
    })?;
    progress.finish();
    let package = args.out.join(POLICY_FOLDER);
    drop(tap);
    if let Some(viewer) = viewer {
        viewer
            .finish(Duration::from_secs(10))
            .map_err(Failure::environment)?;
    }
    match outcome {
        Outcome::Finished => {
            println!("policy written to {}", package.display());
            Ok(ExitStatus::Success)
        }
        Outcome::Stopped => {
            println!(
                "stopped at step {}; the same command goes on from there. The policy so far is in {}",
                trainer.step(),
                package.display()
            );
            Ok(ExitStatus::Interrupted)
        }
    }
}

/// Writes the settings of a run beside what it makes.
fn keep_settings(folder: &Path, file: &impl Serialize) -> Result<(), Failure> {
    let text = toml::to_string_pretty(file)?;
    write_atomically(&folder.join(SETTINGS), text.as_bytes()).map_err(Failure::environment)
}

fn settings(args: &TrainArgs) -> Result<TrainFile, Failure> {
    let mut file = match &args.config {
        Some(path) => read_settings(path, "mdt").map_err(Failure::input)?,
        None => TrainFile::default(),
    };
    choose_tasks(&mut file.tasks, args).map_err(Failure::input)?;
    file.demos = args.demos.unwrap_or(file.demos);
    file.train.steps = args.steps.unwrap_or(file.train.steps);
    file.train.seed = args.seed.unwrap_or(file.train.seed);
    Ok(file)
}

/// A training configuration of a family.
fn read_settings<T: DeserializeOwned>(path: &Path, family: &str) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| {
        let path = path.display();
        format!("{path} is not a training configuration of the family {family}")
    })
}

/// The tasks of the flags, if there are any, in place of those of a configuration; all must be known.
fn choose_tasks(tasks: &mut Vec<String>, args: &TrainArgs) -> anyhow::Result<()> {
    if !args.tasks.is_empty() {
        tasks.clone_from(&args.tasks);
    }
    for task in tasks {
        task.parse::<cerebellum_sim::Task>()?;
    }
    Ok(())
}

fn losses(report: &TrainProgress) -> String {
    let validation = [
        ("val", report.validation),
        ("shown", report.validation_shown),
    ]
    .into_iter()
    .filter_map(|(name, loss)| Some(format!("  {name} {:.4}", loss?)))
    .collect::<String>();
    format!(
        "loss {:.4}  {:.0} obs/s{validation}",
        report.losses.action, report.samples_per_second
    )
}

fn show(tap: &ViewerTap, report: &TrainProgress) {
    let losses = &report.losses;
    let curves = [
        ("loss", Some(losses.total)),
        ("loss/action", Some(losses.action)),
        ("loss/foresight", Some(losses.foresight)),
        ("loss/alignment", Some(losses.alignment)),
        ("loss/inverse_dynamics", Some(losses.inverse_dynamics)),
        ("loss/validation", report.validation),
        ("loss/validation_shown", report.validation_shown),
        ("learning_rate", Some(report.learning_rate)),
        ("gradient", Some(report.grad_norm)),
    ];
    for (name, value) in curves {
        if let Some(value) = value {
            let event = Event::Training {
                name: name.to_owned(),
                step: report.step,
                value: f64::from(value),
            };
            tap.offer(Moment::default(), event);
        }
    }
}

fn card(file: &TrainFile, args: &TrainArgs, labelled: usize, device: &str) -> Card {
    let config = args
        .config
        .as_ref()
        .map_or_else(String::new, |path: &PathBuf| {
            format!(" --config {}", path.display())
        });
    Card {
        data: format!(
            "{} demonstrations of the scripted experts per task ({}), training split from seed 0{}; \
             {labelled} of all with their instruction",
            file.demos,
            file.tasks.join(", "),
            if file.disturbed {
                ", three of four disturbed"
            } else {
                ""
            }
        ),
        training: format!(
            "cerebellum train{config} --seed {}; on {device}",
            file.train.seed
        ),
        results: "see metrics.jsonl and eval.json beside the weights".to_owned(),
        limits: "trained in the embedded world only".to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
    }
}
