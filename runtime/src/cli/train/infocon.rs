//! `cerebellum train --family infocon`: concepts of demonstrations, and a policy on their key states.
//!
//! One model per task, as published: what a concept is, and which state it ends in, belongs to one
//! task, and the transformer predicts the key states of the whole task at once.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;
use cerebellum_policies::Device;
use cerebellum_policies::checkpoint::package::Network;
use cerebellum_policies::checkpoint::{Card, PolicyPackage, collect};
use cerebellum_policies::device;
use cerebellum_policies::infocon::cotpc::CotpcConfig;
use cerebellum_policies::infocon::segments::key_steps;
use cerebellum_policies::infocon::training::{
    Demos, DiscoveryStage, Episode, Guidance, InfoConTraining, PolicyStage, Run, RunProgress, Stage,
};
use cerebellum_policies::infocon::{InfoCon, InfoConConfig, InfoConNetworks, InfoConPolicyConfig};
use cerebellum_policies::mdt::inputs::robot_state;
use cerebellum_policies::training::Outcome;
use cerebellum_policies::training::trainer::POLICY_FOLDER;
use cerebellum_sim::{
    CONTROL_PERIOD_NANOS, Disturbance, EpisodeConfig, ROTATION_SCALE, Split, TRANSLATION_SCALE,
    Task, WORLD_DIM, demonstrate,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{choose_tasks, keep_settings, read_settings};
use crate::cli::args::TrainArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::{interrupt, progress_bar};

/// Ticks from an observation to the first action that it can still decide on: what the runtime counts
/// for a plan in lockstep.
const DELAY: usize = 1;

/// Content of a training configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InfoConFile {
    /// Tasks, each with models of its own.
    pub tasks: Vec<String>,
    /// Demonstrations per task.
    pub demos: usize,
    /// Whether the experts are disturbed, so that there are recoveries to learn from.
    pub disturbed: bool,
    /// Sizes of the networks.
    pub sizes: Sizes,
    /// Settings of the runs.
    pub train: InfoConTraining,
}

/// Sizes of the networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sizes {
    /// Concepts; 0 for as many as the expert has true parts of the task.
    pub concepts: usize,
    /// Width of all networks.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of hidden layers of encoders and predictors.
    pub hidden: usize,
    /// Blocks of the encoder of trajectories, of reconstruction, of key states and of actions.
    pub discovery_layers: [usize; 4],
    /// States in discovery's windows.
    pub discovery_context: usize,
    /// Width of a key, and of one part of a concept's parameters.
    pub key_dim: usize,
    /// Temperature of concept weights and of the score.
    pub temperature: f64,
    /// See [`InfoConConfig::time_rate`].
    pub time_rate: f64,
    /// Blocks of the policy.
    pub policy_layers: usize,
    /// States in the policy's windows.
    pub policy_context: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            concepts: 0,
            width: 64,
            heads: 4,
            hidden: 128,
            discovery_layers: [2, 2, 1, 1],
            discovery_context: 40,
            key_dim: 64,
            temperature: 0.1,
            time_rate: 1.2,
            policy_layers: 3,
            policy_context: 16,
        }
    }
}

impl Default for InfoConFile {
    fn default() -> Self {
        Self {
            tasks: Task::ALL.map(|task| task.name().to_owned()).to_vec(),
            demos: 200,
            disturbed: true,
            sizes: Sizes::default(),
            train: InfoConTraining::default(),
        }
    }
}

/// Trains a policy per task and writes their packages.
///
/// # Errors
/// If the configuration or the folder cannot be used, or a run diverges.
pub fn train(args: &TrainArgs) -> Result<ExitStatus, Failure> {
    let file = settings(args).map_err(Failure::input)?;
    if args.init.is_some() || args.record.is_some() {
        return Err(Failure::input(anyhow::anyhow!(
            "--init and --record are for the family mdt only: an InfoCon learns from nothing, and \
             its curves are in metrics.jsonl; leave them out"
        )));
    }
    let stop = interrupt::flag()?;
    let opened = device::open(args.device.into()).map_err(Failure::environment)?;
    std::fs::create_dir_all(&args.out).map_err(Failure::environment)?;
    keep_settings(&args.out, &file)?;
    for task in &file.tasks {
        let folder = args.out.join(task);
        let Some(work) = TaskWork::begin(task, &folder, &file, &opened.device, &stop)? else {
            return Ok(stopped(&folder));
        };
        let Some(model) = work.discover(&stop)? else {
            return Ok(stopped(&folder));
        };
        let config = args.config.as_ref();
        let config =
            config.map_or_else(String::new, |path| format!(" --config {}", path.display()));
        let command = format!(
            "cerebellum train --family infocon{config} --tasks {task} --seed {}; on {}",
            file.train.seed, opened.name
        );
        let Some(package) = work.learn(&model, Guidance::Discovered, &command, &stop)? else {
            return Ok(stopped(&folder));
        };
        let folder = folder.join(POLICY_FOLDER);
        package.save(&folder).map_err(Failure::environment)?;
        println!("policy written to {}", folder.display());
    }
    Ok(ExitStatus::Success)
}

fn stopped(folder: &Path) -> ExitStatus {
    println!(
        "stopped in {}; the same command goes on from there",
        folder.display()
    );
    ExitStatus::Interrupted
}

/// One task: its demonstrations and where its runs are.
pub struct TaskWork<'a> {
    task: &'a str,
    folder: PathBuf,
    file: &'a InfoConFile,
    device: &'a Device,
    /// The demonstrations.
    pub demos: Demos,
}

impl<'a> TaskWork<'a> {
    /// Makes the demonstrations; `None` if it was stopped.
    ///
    /// # Errors
    /// If the experts fail.
    pub fn begin(
        task: &'a str,
        folder: &Path,
        file: &'a InfoConFile,
        device: &'a Device,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, Failure> {
        let disturbed = file.disturbed;
        let made = demonstrations(task, Split::Train, file.demos, disturbed, stop);
        let Some(episodes) = made.map_err(Failure::input)? else {
            return Ok(None);
        };
        let (state_dim, action_dim) = widths();
        let demos =
            Demos::new(episodes, state_dim, action_dim, DELAY, None).map_err(Failure::input)?;
        println!(
            "{task}: {} demonstrations, {} to {} ticks, {} true parts",
            demos.episodes().len(),
            demos.usual(),
            demos.longest(),
            demos.phases().len()
        );
        Ok(Some(Self {
            task,
            folder: folder.to_owned(),
            file,
            device,
            demos,
        }))
    }

    /// Sizes of the discovery model.
    pub fn discovery_config(&self) -> InfoConConfig {
        let (state_dim, action_dim) = widths();
        let sizes = &self.file.sizes;
        let [key, reconstruction, future, action] = sizes.discovery_layers;
        InfoConConfig {
            width: sizes.width,
            heads: sizes.heads,
            hidden: sizes.hidden,
            context: sizes.discovery_context,
            key_layers: key,
            reconstruction_layers: reconstruction,
            future_layers: future,
            action_layers: action,
            concepts: match sizes.concepts {
                0 => self.demos.phases().len(),
                concepts => concepts,
            },
            key_dim: sizes.key_dim,
            parameter_dim: sizes.key_dim,
            temperature: sizes.temperature,
            time_rate: sizes.time_rate,
            ..InfoConConfig::published(state_dim, action_dim, self.demos.longest() + 1)
        }
    }

    fn policy_config(&self, key_states: usize) -> CotpcConfig {
        let (state_dim, action_dim) = widths();
        let sizes = &self.file.sizes;
        CotpcConfig {
            width: sizes.width,
            heads: sizes.heads,
            layers: sizes.policy_layers,
            context: sizes.policy_context,
            hidden: sizes.hidden,
            key_states,
            key_state_hidden: sizes.hidden,
            ..CotpcConfig::published(state_dim, action_dim, self.demos.longest() + 1)
        }
    }

    /// Trains the discovery model; `None` if it was stopped.
    ///
    /// # Errors
    /// If the folder holds another run, or it diverges.
    pub fn discover(&self, stop: &AtomicBool) -> Result<Option<InfoCon>, Failure> {
        let train = &self.file.train;
        let (demos, config) = (&self.demos, self.discovery_config());
        let stage = DiscoveryStage::new(demos, config, train.clone(), self.device)
            .map_err(Failure::input)?;
        let folder = self.folder.join("discovery");
        let mut run = Run::open(&folder, train.discovery_run(), stage).map_err(Failure::input)?;
        Ok(to_end(&mut run, "discovery", stop)?.then(|| run.stage().model()))
    }

    /// Trains the policy on key states and makes the package; `None` if it was stopped.
    ///
    /// # Errors
    /// If the folder holds another run, or it diverges.
    pub fn learn(
        &self,
        model: &InfoCon,
        guidance: Guidance,
        command: &str,
        stop: &AtomicBool,
    ) -> Result<Option<PolicyPackage>, Failure> {
        let train = &self.file.train;
        let discovery = self.discovery_config();
        let device = self.device.clone().inner();
        let labels = self.demos.labels(model, &discovery, &device);
        let labels = labels.map_err(Failure::input)?;
        let (name, targets, key_states) = match guidance {
            Guidance::Discovered => {
                let targets = self.demos.targets(&labels, discovery.concepts);
                ("discovered", targets, discovery.concepts)
            }
            Guidance::True => {
                let parts = self.demos.phases().len();
                let targets = self.demos.targets(&self.demos.true_labels(), parts);
                ("true", targets, parts)
            }
            Guidance::Nothing => ("plain", Vec::new(), 0),
        };
        let policy = self.policy_config(key_states);
        let stage = PolicyStage::new(
            &self.demos,
            targets,
            policy.clone(),
            train.clone(),
            self.device,
        )
        .map_err(Failure::input)?;
        let folder = self.folder.join(format!("acting-{name}"));
        let mut run = Run::open(&folder, train.policy_run(), stage).map_err(Failure::input)?;
        if !to_end(&mut run, &format!("policy, {name} key states"), stop)? {
            return Ok(None);
        }
        let networks = InfoConNetworks {
            discovery: model.clone(),
            policy: run.stage().network(),
        };
        let config = InfoConPolicyConfig {
            name: format!("infocon-{}", self.task),
            task: self.task.to_owned(),
            world: WORLD_DIM,
            expected_steps: self.demos.usual(),
            order: order(&self.demos, &labels, discovery.concepts),
            discovery,
            policy,
            delay: DELAY,
            horizon: DELAY + 1,
            rate_hz: 1e9 / CONTROL_PERIOD_NANOS as f64,
            translation_scale: TRANSLATION_SCALE,
            rotation_scale: ROTATION_SCALE,
        };
        Ok(Some(PolicyPackage {
            network: Network::InfoCon {
                config: Box::new(config),
                statistics: self.demos.statistics().clone(),
            },
            language: String::new(),
            weights: collect(&networks, 0),
            card: Card {
                data: format!(
                    "{} demonstrations of the scripted expert of `{}`{}, training split from seed \
                     0, states with the world's true state",
                    self.demos.episodes().len(),
                    self.task,
                    if self.file.disturbed {
                        ", three of four disturbed"
                    } else {
                        ""
                    }
                ),
                training: command.to_owned(),
                results: "see metrics.jsonl beside the runs".to_owned(),
                limits: "one task of the embedded world, from its true state: no cameras"
                    .to_owned(),
                licence: "MIT OR Apache-2.0".to_owned(),
            },
        }))
    }
}

/// Numbers of a state and of an action.
pub fn widths() -> (usize, usize) {
    use cerebellum_policies::mdt::config::TABLETOP_PROPRIOCEPTION;
    (
        TABLETOP_PROPRIOCEPTION + WORLD_DIM,
        cerebellum_messages::TCP_DELTA_DIM,
    )
}

/// Concepts that at least half of the demonstrations go through, by when they end on average.
fn order(demos: &Demos, labels: &[Vec<usize>], concepts: usize) -> Vec<u32> {
    let mut ends = vec![(0.0, 0usize); concepts];
    for (episode, labels) in demos.episodes().iter().zip(labels) {
        let steps = demos.steps(episode);
        let found = key_steps(labels, concepts, steps);
        for ((sum, count), end) in ends.iter_mut().zip(found) {
            if let Some(end) = end {
                *sum += end as f64 / steps as f64;
                *count += 1;
            }
        }
    }
    let most = ends.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let usual = ends.iter().enumerate().filter(|(_, (_, count))| {
        // The most frequent one is there however they differ.
        *count * 2 >= labels.len() || *count == most
    });
    let mut usual = usual
        .map(|(id, (sum, count))| (sum / *count as f64, id as u32))
        .collect::<Vec<_>>();
    usual.sort_by(|a, b| a.0.total_cmp(&b.0));
    usual.into_iter().map(|(_, id)| id).collect()
}

/// Trains to the end under a progress bar; false if it was stopped.
fn to_end<S: Stage>(run: &mut Run<S>, what: &str, stop: &AtomicBool) -> Result<bool, Failure> {
    let bar = progress_bar("steps", "{pos}/{len} {eta} {msg}");
    bar.set_position(run.step());
    let mut show = |report: &RunProgress| {
        bar.set_length(report.steps);
        bar.set_position(report.step);
        bar.set_message(format!("{what}: {}", describe(report)));
    };
    let outcome = run.run(stop, &mut show)?;
    bar.finish();
    Ok(outcome == Outcome::Finished)
}

/// Demonstrations of a task's expert that succeeded; `None` if it was stopped. Equal seeds give
/// equal demonstrations, and they are made faster than they could be read.
///
/// # Errors
/// If an episode cannot be set up.
pub fn demonstrations(
    task: &str,
    split: Split,
    count: usize,
    disturbed: bool,
    stop: &AtomicBool,
) -> anyhow::Result<Option<Vec<Episode>>> {
    let task: Task = task.parse()?;
    if count == 0 {
        bail!("no demonstrations are asked for: give a number above 0");
    }
    let bar = progress_bar("demonstrations", "{pos}/{len} {per_sec} {eta}");
    bar.set_length(count as u64);
    let made = (0..count).into_par_iter().map(|index| {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let config = EpisodeConfig::new(task, split, index as u64).blind();
        // Every fourth stays clean, so that the undisturbed way is seen too.
        let disturbance = if disturbed && !index.is_multiple_of(4) {
            Disturbance::MILD
        } else {
            Disturbance::NONE
        };
        let made = demonstrate(&config, &disturbance)?;
        bar.inc(1);
        let mut episode = Episode {
            states: Vec::new(),
            actions: Vec::new(),
            phases: Vec::new(),
        };
        for step in &made.steps {
            episode.states.extend(robot_state(&step.observation)?);
            episode.states.extend_from_slice(&step.observation.world);
            episode.actions.extend(step.action);
            episode.phases.push(step.phase as usize);
        }
        episode.states.extend(robot_state(&made.last)?);
        episode.states.extend_from_slice(&made.last.world);
        let succeeded = made.outcome == cerebellum_sim::Outcome::Succeeded;
        Ok(succeeded.then_some(episode))
    });
    let made = made.collect::<anyhow::Result<Vec<_>>>()?;
    bar.finish_and_clear();
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    Ok(Some(made.into_iter().flatten().collect()))
}

/// The losses of a report in a line.
fn describe(report: &RunProgress) -> String {
    let shown = [
        "loss",
        "action",
        "key_state",
        "reconstruction",
        "concepts_used",
    ];
    let shown = shown.iter().filter_map(|name| {
        let value = report.numbers.get(*name)?;
        Some(format!("{name} {value:.4}"))
    });
    shown.collect::<Vec<_>>().join("  ")
}

fn settings(args: &TrainArgs) -> anyhow::Result<InfoConFile> {
    let mut file = match &args.config {
        Some(path) => read(path)?,
        None => InfoConFile::default(),
    };
    choose_tasks(&mut file.tasks, args)?;
    file.demos = args.demos.unwrap_or(file.demos);
    file.train.policy_steps = args.steps.unwrap_or(file.train.policy_steps);
    file.train.seed = args.seed.unwrap_or(file.train.seed);
    if let Some(problem) = file.train.problem() {
        bail!(problem);
    }
    Ok(file)
}

/// Reads a training configuration.
///
/// # Errors
/// If it cannot be read or is none.
pub fn read(path: &Path) -> anyhow::Result<InfoConFile> {
    read_settings(path, "infocon")
}
