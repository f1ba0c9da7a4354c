//! `cerebellum train --family hilp`: from play without tasks.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use cerebellum_policies::checkpoint::Card;
use cerebellum_policies::device;
use cerebellum_policies::hilp::HilpConfig;
use cerebellum_policies::hilp::baselines::{BaselineConfig, Method};
use cerebellum_policies::hilp::config::{InputConfig, MidpointConfig};
use cerebellum_policies::hilp::goal_conditioned::SkillConfig;
use cerebellum_policies::hilp::goal_conditioned::goals::GoalMix;
use cerebellum_policies::hilp::training::{PlayProgress, PlayTrainer, PlayTraining, play_data};
use cerebellum_policies::hilp::variant::VariantConfig;
use cerebellum_policies::training::trainer::POLICY_FOLDER;
use cerebellum_policies::training::{DemoDataset, Outcome, TrainError};
use cerebellum_sim::{CONTROL_PERIOD_NANOS, ROTATION_SCALE, TRANSLATION_SCALE, Task};
use serde::{Deserialize, Serialize};

use super::{choose_tasks, keep_settings, read_settings};
use crate::cli::args::{PlayLearner, TrainArgs};
use crate::cli::demos::{DemoPlan, prepare};
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::{interrupt, progress_bar};

/// Content of a training configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HilpFile {
    /// Whose things are played with, in turn.
    tasks: Vec<String>,
    /// Episodes of play per task.
    plays: usize,
    /// Ticks of an episode of play.
    ticks: usize,
    /// What the networks read.
    pub inputs: InputConfig,
    /// Midpoint planning.
    pub midpoints: MidpointConfig,
    /// Actions per chunk, all the same.
    horizon: usize,
    /// The networks; small goal-conditioned ones on the inputs by default.
    network: Option<VariantConfig>,
    /// Settings of the run.
    pub train: PlayTraining,
}

impl Default for HilpFile {
    fn default() -> Self {
        Self {
            tasks: Task::ALL.map(|task| task.name().to_owned()).to_vec(),
            plays: 100,
            ticks: 200,
            inputs: InputConfig::Proprioception,
            midpoints: MidpointConfig::default(),
            horizon: 6,
            network: None,
            train: PlayTraining::default(),
        }
    }
}

/// Trains a policy and writes a package.
///
/// # Errors
/// If the configuration, the data or the folder cannot be used, or the run diverges.
pub fn train(args: &TrainArgs) -> Result<ExitStatus, Failure> {
    let file = settings(args).map_err(Failure::input)?.with(args.learner);
    if args.init.is_some() || args.record.is_some() {
        return Err(Failure::input(anyhow::anyhow!(
            "--init and --record are for the family mdt only: a HILP learns from nothing, and its \
             curves are in metrics.jsonl; leave them out"
        )));
    }
    let stop = interrupt::flag()?;
    let opened = device::open(args.device.into()).map_err(Failure::environment)?;
    let config = policy(&file);
    if let Some(problem) = config.problem() {
        return Err(Failure::input(anyhow::anyhow!(problem)));
    }
    let play = play(&args.out.join("play"), &file, &stop).map_err(Failure::input)?;
    let (data, statistics) = play_data(&play, &file.inputs).map_err(Failure::input)?;
    println!(
        "{} episodes of play, {} transitions; device {}",
        play.episodes().len(),
        data.len(),
        opened.name
    );
    let (network, run) = (config.network.clone(), file.train.clone());
    let mut trainer = PlayTrainer::open(&args.out, run, network, &data, &opened.device)
        .map_err(Failure::input)?;
    keep_settings(&args.out, &file)?;
    let folder = args.out.join(POLICY_FOLDER);
    let card = card(&file, args, &opened.name);
    let outcome = run_to_end(&mut trainer, file.train.steps, &stop, &mut |trainer| {
        let card = Card {
            training: format!(
                "{}; {} of {} updates",
                card.training,
                trainer.step(),
                file.train.steps
            ),
            ..card.clone()
        };
        Ok(trainer.package(&config, &statistics, card).save(&folder)?)
    })?;
    Ok(match outcome {
        Outcome::Finished => {
            println!("policy written to {}", folder.display());
            ExitStatus::Success
        }
        Outcome::Stopped => {
            println!(
                "stopped at update {}; the same command goes on from there. The policy so far is \
                 in {}",
                trainer.step(),
                folder.display()
            );
            ExitStatus::Interrupted
        }
    })
}

/// Makes the episodes of play that are missing in a folder, and reads all.
///
/// # Errors
/// As [`prepare`].
pub fn play(folder: &Path, file: &HilpFile, stop: &AtomicBool) -> anyhow::Result<DemoDataset> {
    let plan = DemoPlan {
        tasks: file.tasks.clone(),
        per_task: file.plays,
        seed: 0,
        disturbed: false,
        play: Some(file.ticks),
        cameras: Some(match &file.inputs {
            InputConfig::Proprioception | InputConfig::Tracked => 0,
            InputConfig::Cameras { size, .. } => *size as u32,
        }),
        tracked: file.inputs == InputConfig::Tracked,
    };
    let bar = progress_bar("episodes of play", "{pos}/{len} {per_sec} {eta}");
    let play = prepare(folder, &plan, stop, &bar)?;
    bar.finish_and_clear();
    Ok(play)
}

/// Trains to the end under a progress bar; `saved` is called after every checkpoint.
///
/// # Errors
/// As [`PlayTrainer::run`].
pub fn run_to_end<'a>(
    trainer: &mut PlayTrainer<'a>,
    steps: u64,
    stop: &AtomicBool,
    saved: &mut dyn FnMut(&PlayTrainer<'a>) -> Result<(), TrainError>,
) -> Result<Outcome, TrainError> {
    let bar = progress_bar("updates", "{pos}/{len} {eta} {msg}");
    bar.set_length(steps);
    bar.set_position(trainer.step());
    let mut show = |report: &PlayProgress| {
        bar.set_position(report.step);
        bar.set_message(describe(report));
    };
    let outcome = trainer.run(stop, &mut show, saved)?;
    bar.finish();
    Ok(outcome)
}

/// The losses of a report in a line.
fn describe(report: &PlayProgress) -> String {
    let shown = [
        ("distance loss", "value/value_loss"),
        ("mean distance", "value/v_mean"),
        ("action error", "skill_actor/mse"),
        ("distance loss", "phi_loss"),
        ("successor loss", "sf_loss"),
    ];
    let shown = shown.iter().filter_map(|(name, key)| {
        let value = report.numbers.get(*key)?;
        Some(format!("{name} {value:.3}"))
    });
    shown.collect::<Vec<_>>().join("  ")
}

impl HilpFile {
    /// The networks of HILP.
    fn network(&self) -> VariantConfig {
        self.network.clone().unwrap_or_else(|| {
            VariantConfig::GoalConditioned(SkillConfig {
                observation: self.inputs.shape(),
                action_dim: cerebellum_messages::TCP_DELTA_DIM,
                value_hidden: vec![256; 2],
                actor_hidden: vec![256; 2],
                ..SkillConfig::default()
            })
        })
    }

    /// The same for another learner, with networks of the same sizes and constants.
    #[must_use]
    pub fn with(mut self, learner: PlayLearner) -> Self {
        let network = self.network();
        let skills = match &network {
            VariantConfig::GoalConditioned(skills) => skills.clone(),
            _ => SkillConfig::default(),
        };
        let baseline = |method| {
            VariantConfig::Baseline(BaselineConfig {
                method,
                observation: self.inputs.shape(),
                action_dim: network.action_dim(),
                value_hidden: skills.value_hidden.clone(),
                actor_hidden: skills.actor_hidden.clone(),
                learning_rate: skills.learning_rate,
                discount: skills.skill_discount,
                target_rate: skills.target_rate,
                expectile: skills.skill_expectile,
                temperature: BASELINE_TEMPERATURE,
            })
        };
        let network = match learner {
            PlayLearner::Hilp => network,
            PlayLearner::Gcbc => {
                // What led somewhere is imitated, so every goal is where it led to.
                self.train.goals = GoalMix {
                    random: 0.0,
                    trajectory: 1.0,
                    current: 0.0,
                    ..self.train.goals
                };
                baseline(Method::BehaviourCloning)
            }
            PlayLearner::Iql => baseline(Method::ImplicitQ),
        };
        self.network = Some(network);
        self
    }
}

/// Sharpness of the advantage of implicit Q-learning, whose values are numbers of steps.
const BASELINE_TEMPERATURE: f32 = 3.0;

/// The policy that a configuration describes.
pub fn policy(file: &HilpFile) -> HilpConfig {
    let network = file.network();
    let plans = !matches!(network, VariantConfig::Baseline(_));
    HilpConfig {
        name: "hilp-tabletop".into(),
        inputs: file.inputs.clone(),
        network,
        midpoints: plans.then_some(file.midpoints),
        horizon: file.horizon,
        rate_hz: 1e9 / CONTROL_PERIOD_NANOS as f64,
        translation_scale: TRANSLATION_SCALE,
        rotation_scale: ROTATION_SCALE,
    }
}

fn settings(args: &TrainArgs) -> anyhow::Result<HilpFile> {
    let mut file = read(args.config.as_deref())?;
    choose_tasks(&mut file.tasks, args)?;
    file.plays = args.demos.unwrap_or(file.plays);
    file.train.steps = args.steps.unwrap_or(file.train.steps);
    file.train.seed = args.seed.unwrap_or(file.train.seed);
    Ok(file)
}

/// A training configuration, the default one without a path.
///
/// # Errors
/// If the file cannot be read or is none.
pub fn read(path: Option<&Path>) -> anyhow::Result<HilpFile> {
    let Some(path) = path else {
        return Ok(HilpFile::default());
    };
    read_settings(path, "hilp")
}

fn card(file: &HilpFile, args: &TrainArgs, device: &str) -> Card {
    let config = args.config.as_ref();
    let config = config.map_or_else(String::new, |path| format!(" --config {}", path.display()));
    let learner = match args.learner {
        PlayLearner::Hilp => "",
        PlayLearner::Gcbc => " --learner gcbc",
        PlayLearner::Iql => " --learner iql",
    };
    Card {
        data: format!(
            "{} episodes of {} ticks of play per task's things ({}), training split from seed 0; \
             no rewards, no labels",
            file.plays,
            file.ticks,
            file.tasks.join(", ")
        ),
        training: format!(
            "cerebellum train --family hilp{config}{learner} --seed {}; on {device}",
            file.train.seed
        ),
        results: "see metrics.jsonl beside the weights".to_owned(),
        limits: "trained in the embedded world only".to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
    }
}
