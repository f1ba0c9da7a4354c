//! Files of training steps of the discovery model, and of the weights that they leave.

use std::path::PathBuf;

use burn::tensor::{Device, Tensor};

use super::model::{KEYS, config, model, per_step, put_concepts, whole, windows};
use crate::infocon::learner::{DiscoveryLearner, LearnerConfig, LearnerStep, RateSchedule};
use crate::infocon::objective::GoalParts;
use crate::infocon::{DiscoveryBatch, InfoConConfig, Mode, ObjectiveConfig};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{put_gradient_set, put_weights};
use crate::parity::outputs::Outputs;
use crate::training::AdamWConfig;

/// Between the name of a file of steps and the number of the step after which a companion of it
/// holds the weights.
const AFTER: &str = "_params_after_step";

/// The file of steps that a companion belongs to, and how many steps to take; `None` for a file of
/// steps itself.
///
/// # Errors
/// If the name ends in no number, or the other file cannot be read.
pub fn origin(file: &GoldenFile) -> Result<Option<(GoldenFile, usize)>, ParityError> {
    let Some((stem, step)) = file.stem().rsplit_once(AFTER) else {
        return Ok(None);
    };
    let step = step.parse::<usize>().map_err(|_| {
        ParityError::Config(format!(
            "the name ends in `{step}`, not in the number of a step"
        ))
    })?;
    let path: PathBuf = file.path().with_file_name(format!("{stem}.safetensors"));
    Ok(Some((GoldenFile::open(&path)?, step + 1)))
}

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit, or the file of steps that it belongs
/// to is not beside it.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let device = &device.clone().autodiff();
    let mut outputs = Outputs::default();
    match origin(file)? {
        Some((steps, count)) => {
            let learner = run(&steps, device, Some(count), &mut Outputs::default())?;
            put_weights(&mut outputs, learner.model(), file, "out/", KEYS);
        }
        None => {
            run(file, device, None, &mut outputs)?;
        }
    }
    Ok(outputs)
}

fn run(
    file: &GoldenFile,
    device: &Device,
    count: Option<usize>,
    outputs: &mut Outputs,
) -> Result<DiscoveryLearner, ParityError> {
    let config = config(file)?;
    let settings = settings(file)?;
    let objective = settings.objective;
    let mut learner = DiscoveryLearner::new(model(file, device)?, settings);
    let mut step = 0;
    while file.has(&format!("in/step{step}/s")) && count.is_none_or(|count| step < count) {
        let batch = batch(file, step, &config, device)?;
        let shape = batch.windows.shape();
        let before = learner.model().clone();
        let done = learner.step(&batch)?;
        let start = format!("out/step{step}/");
        put_gradient_set(
            outputs,
            &before,
            &done.gradients,
            file,
            (&format!("{start}grad/"), ""),
            KEYS,
        );
        put_losses(outputs, &start, done, objective, shape);
        step += 1;
    }
    if let Some(missing) = count.filter(|&count| step < count) {
        let reason = format!("the file of steps has {step} steps, {missing} are needed");
        return Err(ParityError::Config(reason));
    }
    Ok(learner)
}

fn batch(
    file: &GoldenFile,
    step: usize,
    config: &InfoConConfig,
    device: &Device,
) -> Result<DiscoveryBatch, ParityError> {
    let key = |name: &str| format!("in/step{step}/{name}");
    Ok(DiscoveryBatch {
        windows: windows(file, [&key("s"), &key("a"), &key("t")], config, device)?,
        times: file.values(&key("unified_t"))?,
        lengths: whole(file, &key("lengths"))?,
        draws: None,
    })
}

fn put_losses(
    outputs: &mut Outputs,
    start: &str,
    done: LearnerStep,
    objective: ObjectiveConfig,
    shape: [usize; 2],
) {
    let found = done.discovery;
    let mut scalar =
        |key: &str, value: f64| outputs.put_values(format!("{start}{key}"), &[], &[value]);
    scalar("coe_cluster", objective.cluster_weight);
    scalar("coe_rec", objective.reconstruction_weight);
    let concepts = &found.assignment.concepts;
    put_concepts(outputs, format!("{start}indices"), concepts, &shape);
    outputs.put(format!("{start}total"), found.total);
    outputs.put(format!("{start}key_soft"), found.keys);
    outputs.put(format!("{start}key_hard"), found.quantised.keys);
    outputs.put(
        format!("{start}w_max"),
        found.quantised.log_own_weight.exp(),
    );
    outputs.put(format!("{start}w_cnt"), found.quantised.rarity);
    outputs.put(format!("{start}enough_mask"), found.unsure);
    outputs.put(format!("{start}state_rec"), found.reconstruction);
    outputs.put(format!("{start}l_rec"), found.reconstruction_loss);
    outputs.put(format!("{start}l_cluster"), found.cluster_loss);
    if let Some(goal) = found.goal {
        put_goals(outputs, start, goal, shape);
    }
}

fn put_goals(outputs: &mut Outputs, start: &str, goal: GoalParts, shape: [usize; 2]) {
    let mut scalar =
        |key: &str, value: f64| outputs.put_values(format!("{start}{key}"), &[], &[value]);
    scalar("coe_future", goal.future_weight);
    scalar("turn_concept", goal.turn as f64);
    if let Some((share, mask)) = goal.masked {
        scalar("cluster_mask_rate", share);
        outputs.put(format!("{start}cluster_mask"), mask);
    }
    outputs.put(format!("{start}key_state_target"), goal.key_states);
    outputs.put(format!("{start}not_last_segment"), goal.closed);
    if let Some(future) = goal.future {
        outputs.put(format!("{start}future_pred"), future);
    }
    let score = per_step(goal.discrimination.score.probability(), shape);
    outputs.put(format!("{start}score"), score);
    outputs.put(format!("{start}action_pred"), goal.discrimination.actions);
    outputs.put(format!("{start}reward_i"), goal.turn_score);
    let losses: [(&str, Option<Tensor<1>>); 5] = [
        ("l_future", Some(goal.future_loss)),
        ("l_action", Some(goal.action_loss)),
        ("l_score_own", Some(goal.own_loss)),
        ("l_score_turn", Some(goal.turn_loss)),
        ("l_trans_logged_only", goal.transition_loss),
    ];
    for (key, loss) in losses {
        if let Some(loss) = loss {
            outputs.put(format!("{start}{key}"), loss);
        }
    }
}

fn settings(file: &GoldenFile) -> Result<LearnerConfig, ParityError> {
    let mode = match file.text("/mode")?.as_str() {
        "goal" => Mode::Goal,
        "rec" => Mode::Reconstruction,
        other => {
            let reason = format!("`mode` is `{other}`, expected `goal` or `rec`");
            return Err(ParityError::Config(reason));
        }
    };
    let number = |key: &str| file.number(&format!("/train/{key}"));
    Ok(LearnerConfig {
        objective: ObjectiveConfig {
            mode,
            cluster_weight: number("coe_cluster")?,
            reconstruction_weight: number("coe_rec")?,
            mask_worst: file.flag("/train/use_decay_mask_rate")?,
        },
        learning_rate: number("init_lr")?,
        schedule: schedule(file)?,
        adam: AdamWConfig {
            beta_1: number("beta1")? as f32,
            beta_2: number("beta2")? as f32,
            epsilon: 1e-8,
            weight_decay: number("weight_decay")? as f32,
            decay_linear_only: true,
        },
        steps: file.count("/max_steps")? as u64,
        first_step: file.count("/global_step0")? as u64,
    })
}

fn schedule(file: &GoldenFile) -> Result<RateSchedule, ParityError> {
    let key = |name: &str| format!("/train/schedule/{name}");
    match file.text(&key("type"))?.as_str() {
        "multistep" => Ok(RateSchedule::MultiStep {
            milestones: file
                .counts(&key("milestones"))?
                .into_iter()
                .map(|milestone| milestone as u64)
                .collect(),
            gamma: file.number(&key("gamma"))?,
        }),
        "cos_decay_with_warmup" => Ok(RateSchedule::WarmCosine {
            warm_up: file.count(&key("t_warmup"))? as u64,
            total: file.count(&key("t_max"))? as u64,
        }),
        other => Err(ParityError::Config(format!(
            "`train/schedule/type` is `{other}`, expected `multistep` or `cos_decay_with_warmup`"
        ))),
    }
}
