//! `cerebellum eval`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use cerebellum_kinematics::Robot;
use cerebellum_messages::{ClockKind, EpisodeRequest, Goal, GoalSpec, Tick};
use cerebellum_policies::device;
use cerebellum_policies::hilp::inputs::{side_by_side, tracked_state};
use cerebellum_policies::mdt::inputs::proprioception;
use cerebellum_policies::policy::PolicySpec;
use cerebellum_sim::{Disturbance, Episode, EpisodeConfig, Outcome, Task, demonstrate};
use indicatif::ProgressBar;
use serde::Serialize;

use super::args::{EvalArgs, GoalArg};
use super::exit::{ExitStatus, Failure};
use super::{interrupt, progress_bar};
use crate::control::ControlConfig;
use crate::inference::{InferenceConfig, ShortcutsConfig, WarmStartConfig, WeightPrecision};
use crate::report::{TaskTally, task_table};
use crate::run::brain::Brain;
use crate::run::harness::Harness;
use crate::run::settings::LockstepSettings;
use crate::run::stepper::Stepper;

/// Ticks between the first ticks of two episodes: more than any episode takes.
const STRIDE: u64 = 1 << 20;

#[derive(Serialize)]
struct EvalReport {
    tasks: BTreeMap<String, TaskTally>,
    policy: String,
    device: String,
    seed: u64,
    split: String,
    shift: String,
    goal: String,
    mean_ticks: f64,
}

/// Measures success rates, as fast as the machine allows, in as many threads as there are CPUs.
///
/// # Errors
/// If the policy or an argument cannot be used.
pub fn eval(args: &EvalArgs) -> Result<ExitStatus, Failure> {
    let stop = interrupt::flag()?;
    let tasks = match (args.tasks.is_empty(), args.experts) {
        (false, _) => args.tasks.clone(),
        (true, true) => Task::ALL.map(|task| task.name().to_owned()).to_vec(),
        (true, false) => super::run::default_tasks(),
    };
    let mut configs = configurations(args, &tasks)?;
    let bar = progress_bar("episodes", "{pos}/{len} {per_sec} {eta} {msg}");
    bar.set_length(configs.len() as u64);
    let (name, device_name, results) = if args.experts {
        (
            "experts".to_owned(),
            "cpu".to_owned(),
            run_experts(&configs, &stop, &bar)?,
        )
    } else {
        let opened = device::open(args.device.into()).map_err(Failure::environment)?;
        let brain = Brain::load(args.policy.as_deref(), opened).map_err(Failure::input)?;
        let spec = brain.spec();
        for (_, config) in &mut configs {
            look_as(config, &spec);
            config.tracked = brain.reads_tracking();
        }
        let name = spec.name;
        let results = run_policy(args, &brain, &configs, &stop, &bar)?;
        (name, brain.device().to_owned(), results)
    };
    bar.finish_and_clear();
    let mut tallies: BTreeMap<String, TaskTally> = BTreeMap::new();
    for (task, success, _) in &results {
        tallies
            .entry(task.name().to_owned())
            .or_default()
            .add(*success);
    }
    print!("{}", task_table(&tallies));
    let ticks: u64 = results.iter().map(|result| result.2).sum();
    let report = EvalReport {
        tasks: tallies,
        policy: name,
        device: device_name,
        seed: args.seed,
        split: args.split.clone(),
        shift: args.shift.clone(),
        goal: match args.goal {
            GoalArg::Language => "language",
            GoalArg::Image => "image",
            GoalArg::State => "state",
            GoalArg::Concept => "concept",
        }
        .to_owned(),
        mean_ticks: ticks as f64 / results.len().max(1) as f64,
    };
    super::output::save(args.json.as_deref(), &report)?;
    let whole = results.len() == configs.len();
    Ok(if whole {
        ExitStatus::Success
    } else {
        ExitStatus::Interrupted
    })
}

type Results = Vec<(Task, bool, u64)>;

/// How often a policy of concepts succeeds at the task that it was trained for, on seeds of the
/// evaluation split.
///
/// # Errors
/// If it has no concepts, or something cannot be run.
pub fn success(
    brain: &Brain,
    episodes: usize,
    seed: u64,
    stop: &AtomicBool,
    bar: &ProgressBar,
) -> Result<TaskTally, Failure> {
    let (task, _) = brain
        .concepts()
        .ok_or_else(|| Failure::input(anyhow::anyhow!("the policy has no concepts")))?;
    let args = EvalArgs {
        policy: None,
        experts: false,
        episodes,
        seed,
        tasks: vec![task.to_owned()],
        split: "eval".to_owned(),
        shift: String::new(),
        goal: GoalArg::Concept,
        device: super::args::DeviceArg::Cpu,
        replan: None,
        denoise_steps: None,
        warm_steps: None,
        warm_level: 0.5,
        brief_weights: false,
        json: None,
    };
    let mut configs = configurations(&args, &args.tasks)?;
    for (_, config) in &mut configs {
        look_as(config, &brain.spec());
    }
    bar.set_length(configs.len() as u64);
    bar.reset();
    let mut tally = TaskTally::default();
    for (_, success, _) in run_policy(&args, brain, &configs, stop, bar)? {
        tally.add(success);
    }
    Ok(tally)
}

/// The episodes that are asked for.
fn configurations(
    args: &EvalArgs,
    tasks: &[String],
) -> Result<Vec<(EpisodeRequest, EpisodeConfig)>, Failure> {
    let requests = Harness::round_robin(
        tasks,
        args.episodes,
        args.seed,
        1,
        &args.split,
        &args.shift,
        ClockKind::Lockstep,
    );
    requests
        .into_iter()
        .map(|request| {
            let config = crate::run::world::configure(&request, Default::default())?;
            Ok((request, config))
        })
        .collect::<Result<_, String>>()
        .map_err(|reason| Failure::input(anyhow::anyhow!(reason)))
}

fn run_experts(
    configs: &[(EpisodeRequest, EpisodeConfig)],
    stop: &AtomicBool,
    bar: &ProgressBar,
) -> Result<Results, Failure> {
    workers(
        configs,
        stop,
        bar,
        || Ok(()),
        |(), _, config| {
            let run = demonstrate(&config.clone().blind(), &Disturbance::NONE)?;
            Ok((
                config.task,
                run.outcome == Outcome::Succeeded,
                run.steps.len() as u64,
            ))
        },
    )
}

fn run_policy(
    args: &EvalArgs,
    brain: &Brain,
    configs: &[(EpisodeRequest, EpisodeConfig)],
    stop: &AtomicBool,
    bar: &ProgressBar,
) -> Result<Results, Failure> {
    let robot = Robot::tabletop()?;
    let mut inference = InferenceConfig::default();
    // Concepts are followed from tick to tick.
    let usual = match brain.concepts() {
        Some(_) => 1,
        None => inference.replan.every_ticks,
    };
    inference.replan.every_ticks = args.replan.unwrap_or(usual);
    inference.replan.max_steps = args.denoise_steps.unwrap_or(inference.replan.max_steps);
    inference.shortcuts = ShortcutsConfig {
        weights: match args.brief_weights {
            true => WeightPrecision::Brief,
            false => WeightPrecision::Single,
        },
        warm_start: args.warm_steps.map(|steps| WarmStartConfig {
            level: args.warm_level,
            steps,
        }),
    };
    let make = || {
        let (control, lockstep) = (ControlConfig::default(), LockstepSettings::default());
        Ok(brain.stepper(&robot, args.seed, control, &inference, &lockstep, None)?)
    };
    let spec = brain.spec();
    workers(configs, stop, bar, make, |stepper, request, config| {
        let shown = match args.goal {
            GoalArg::Language => None,
            GoalArg::Image | GoalArg::State => Some(outcome(config, &spec, args.goal)?),
            GoalArg::Concept => Some(concepts(brain)?),
        };
        play(stepper, request, config, shown)
    })
}

/// Leaves the cameras that a policy looks through, with pictures of its size.
fn look_as(config: &mut EpisodeConfig, spec: &PolicySpec) {
    config.cameras.retain_mut(|camera| {
        let name = camera.view.name();
        let found = spec.cameras.iter().find(|wanted| wanted.name == name);
        if let Some(wanted) = found {
            (camera.width, camera.height) = (wanted.width, wanted.height);
        }
        found.is_some()
    });
}

/// What there is to be seen, or the state that the policy reads, at the end of an expert's attempt at an
/// episode.
fn outcome(config: &EpisodeConfig, spec: &PolicySpec, goal: GoalArg) -> anyhow::Result<GoalSpec> {
    let last = demonstrate(config, &Disturbance::NONE)?.last;
    if goal == GoalArg::State {
        if config.tracked {
            let values = tracked_state(&last)?;
            return Ok(GoalSpec::State { values });
        }
        let tcp = last.tcp.context("the world gave no tool pose")?;
        let values = proprioception(&last.joints, &tcp)?;
        return Ok(GoalSpec::State { values });
    }
    // A HILP is shown all of its views, the other policies the first one.
    let shown = match spec.family.as_str() {
        "hilp" => spec.cameras.len(),
        _ => 1,
    };
    let views = spec.cameras.iter().take(shown).map(|camera| {
        let name = &camera.name;
        last.frame(name)
            .with_context(|| format!("the world has no camera `{name}`"))
    });
    let views = views.collect::<anyhow::Result<Vec<_>>>()?;
    let frame = side_by_side(&views).context("the policy has no camera to be shown with")?;
    Ok(GoalSpec::Image { frame })
}

/// The policy's concepts in the order of its demonstrations.
fn concepts(brain: &Brain) -> anyhow::Result<GoalSpec> {
    let (_, order) = brain
        .concepts()
        .context("the policy has no concepts: ask it by another --goal")?;
    Ok(GoalSpec::Concept {
        ids: order.to_vec(),
    })
}

/// Lets the policy do one episode towards what it is shown, or else the instruction.
fn play(
    stepper: &mut Stepper,
    request: &EpisodeRequest,
    config: &EpisodeConfig,
    shown: Option<GoalSpec>,
) -> anyhow::Result<(Task, bool, u64)> {
    let mut episode = Episode::new(config)?;
    let goal = Goal {
        id: request.episode,
        spec: shown.unwrap_or_else(|| GoalSpec::Language {
            text: episode.instruction().to_owned(),
        }),
    };
    stepper.set_goal(&goal, Some(episode.stamp()))?;
    let first = request.episode * STRIDE;
    while !episode.outcome().is_over() {
        let mut observation = episode.observe()?;
        observation.tick = Tick(first + episode.ticks());
        let stepped = stepper.tick(Arc::new(observation));
        if let Some(fault) = stepped.fault {
            return Err(fault.into());
        }
        let targets = stepped
            .record
            .command
            .map_or(*episode.commanded(), |command| command.positions);
        episode.step(&targets)?;
    }
    Ok((
        config.task,
        episode.outcome() == Outcome::Succeeded,
        episode.ticks(),
    ))
}

/// Runs `each` over all episodes in as many threads as there are CPUs, each with its own `make`.
/// Results come in the order of the episodes; what each gives does not depend on the others.
fn workers<S>(
    configs: &[(EpisodeRequest, EpisodeConfig)],
    stop: &AtomicBool,
    bar: &ProgressBar,
    make: impl Fn() -> anyhow::Result<S> + Sync,
    each: impl Fn(&mut S, &EpisodeRequest, &EpisodeConfig) -> anyhow::Result<(Task, bool, u64)> + Sync,
) -> Result<Results, Failure> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || -> anyhow::Result<()> {
        let mut state = make()?;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((request, config)) = configs.get(index) else {
                return Ok(());
            };
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let result = each(&mut state, request, config)?;
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((index, result));
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles.into_iter().try_for_each(|handle| {
            handle
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("an evaluation thread panicked")))
        })
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}
