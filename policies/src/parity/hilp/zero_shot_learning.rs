//! `zsrl_update_*`, `zsrl_pixel_update`, `zsrl_fb_update*`, `zsrl_gctd3_update`: whole updates.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Device;

use super::skill_learning::put_numbers;
use super::zero_shot_setup::{batch, config, draws, sizes};
use crate::checkpoint::file::Tensors;
use crate::checkpoint::{TensorSpec, specs};
use crate::hilp::Observations;
use crate::hilp::zero_shot::agent::{Networks, SuccessorAgent, UpdateReport};
use crate::hilp::zero_shot::forward_backward::{
    ForwardBackward, ForwardBackwardAgent, ForwardBackwardConfig, StateBatch,
};
use crate::hilp::zero_shot::goal_td3::{GoalTd3, GoalTd3Agent, GoalTd3Config};
use crate::hilp::zero_shot::import::KEYS;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{flat, flat_gradients, put_tensor, put_tensors, with_weights};
use crate::parity::outputs::Outputs;
use crate::training::AdamW;

/// Optimisers of the authors' agents and the networks that each of them steps.
const OPTIMISERS: [(&str, &str); 5] = [
    ("actor_opt", "actor"),
    ("sf_opt", "successor_net"),
    ("phi_opt", "feature_learner"),
    ("encoder_opt", "encoder"),
    ("critic_opt", "critic"),
];
/// Weight of the critics' loss of the forward-backward agent where it is on.
const Q_LOSS: f32 = 0.01;

/// Updates of successor features.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn successor(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let config = config(file)?;
    let networks = Networks::new(&config, &device.clone().autodiff());
    let networks = with_weights(networks, file, "", &KEYS)?;
    let mut agent = SuccessorAgent::new(config, networks);
    for step in steps(file) {
        let start = format!("in/step{step}/");
        let batch = batch(file, &start, device)?;
        let draws = draws(file, &start, "z", device)?;
        let report = agent.update_with(&batch, &draws)?;
        put_step(&mut outputs, file, step + 1, &report, agent.networks());
    }
    put_state(&mut outputs, file, agent.networks(), agent.optimiser());
    Ok(outputs)
}

/// Updates of forward-backward representations.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn forward_backward(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let sizes = sizes(file, Some(file.count("/z_dim")?))?;
    let hidden = file.count("/backward_hidden_dim")?;
    let networks = ForwardBackward::new(&sizes, hidden, &device.clone().autodiff());
    let networks = with_weights(networks, file, "", &KEYS)?;
    let q_loss = file.switch("/q_loss")?.then_some(Q_LOSS);
    let config = ForwardBackwardConfig {
        q_loss,
        ..ForwardBackwardConfig::default()
    };
    let mut agent = ForwardBackwardAgent::new(config, networks);
    for step in steps(file) {
        let start = format!("in/step{step}/");
        let batch = states(file, &start, device)?;
        let draws = draws(file, &start, "z", device)?;
        let report = agent.update_with(&batch, &draws)?;
        put_step(&mut outputs, file, step + 1, &report, agent.networks());
    }
    put_state(&mut outputs, file, agent.networks(), agent.optimiser());
    Ok(outputs)
}

/// Updates of goal-conditioned TD3.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn goal_td3(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let networks = GoalTd3::new(&sizes(file, None)?, &device.clone().autodiff());
    let networks = with_weights(networks, file, "", &KEYS)?;
    let mut agent = GoalTd3Agent::new(GoalTd3Config::default(), networks);
    for step in steps(file) {
        let start = format!("in/step{step}/");
        let batch = states(file, &start, device)?;
        let noise = draws(file, &start, "future_obs", device)?;
        let report = agent.update_with(&batch, noise.next_noise, noise.actor_noise)?;
        put_step(&mut outputs, file, step + 1, &report, agent.networks());
    }
    put_state(&mut outputs, file, agent.networks(), agent.optimiser());
    Ok(outputs)
}

fn steps(file: &GoldenFile) -> impl Iterator<Item = usize> {
    (0..).take_while(|step| file.has(&format!("in/step{step}/action")))
}

fn states(file: &GoldenFile, start: &str, device: &Device) -> Result<StateBatch, ParityError> {
    let batch = batch(file, start, device)?;
    let rows = |observations| match observations {
        Observations::States(states) => Ok(states),
        Observations::Images(_) => Err(ParityError::Config("states are expected".into())),
    };
    Ok(StateBatch {
        states: rows(batch.observations)?,
        next: rows(batch.next_observations)?,
        goals: rows(batch.goals)?,
        actions: batch.actions,
        discounts: batch.discounts,
    })
}

/// Numbers, gradients and weights of the step that has just been taken.
fn put_step<M: Module>(
    outputs: &mut Outputs,
    file: &GoldenFile,
    step: usize,
    report: &UpdateReport,
    networks: &M,
) {
    put_numbers(outputs, &format!("out/step{step}/info/"), &report.numbers);
    let specs = specs(networks);
    for (part, tensors) in [
        ("grad", flat_gradients(&report.gradients)),
        ("params", flat(networks)),
    ] {
        let place = format!("out/step{step}/{part}/");
        put_tensors(outputs, file, &place, &KEYS, &specs, &tensors);
    }
}

/// The optimisers' moments.
fn put_state<M: Module>(outputs: &mut Outputs, file: &GoldenFile, networks: &M, optimiser: &AdamW) {
    let state = optimiser.state();
    let specs = specs(networks);
    for (name, network) in OPTIMISERS {
        let place = format!("out/final/opt/{name}/");
        for theirs in file.keys_under(&place) {
            let key = format!("{place}{theirs}");
            put_moment(outputs, file, &key, (network, theirs), &specs, &state);
        }
    }
}

fn put_moment(
    outputs: &mut Outputs,
    file: &GoldenFile,
    key: &str,
    (network, theirs): (&str, &str),
    specs: &[TensorSpec],
    state: &Tensors,
) {
    let moments = [("/exp_avg", "first"), ("/exp_avg_sq", "second")];
    for (end, moment) in moments {
        let Some(tensor) = theirs.strip_suffix(end) else {
            continue;
        };
        let ours = KEYS.rename(&format!("{network}/{tensor}"));
        let moment = state.get(&format!("{moment}/{ours}"));
        let values = moment.map(|moment| moment.values.clone());
        let tensors = values.map(|values| (ours.clone(), values));
        let tensors = tensors.into_iter().collect::<BTreeMap<_, _>>();
        put_tensor(outputs, file, key, &ours, specs, &tensors);
    }
}
