//! `zsrl_forward`, `zsrl_pixel_forward`: every network, goal prompts, reward prompts.

use burn::tensor::{Device, Int, Tensor};

use super::zero_shot_setup::{batch, config};
use crate::hilp::representation::{members, value};
use crate::hilp::statistics::host;
use crate::hilp::zero_shot::agent::Networks;
use crate::hilp::zero_shot::config::FeatureKind;
use crate::hilp::zero_shot::import::KEYS;
use crate::hilp::zero_shot::networks::{dot, run_features};
use crate::hilp::zero_shot::prompt::{added, from_goal, from_rewards};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::with_weights;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let out = &mut outputs;
    let config = config(file)?;
    let networks = with_weights(Networks::new(&config, device), file, "", &KEYS)?;
    let batch = batch(file, "in/", device)?;
    let skills = file.tensor::<2>("in/z", device)?;
    let states = networks.encode(batch.observations);
    let goals = networks.encode(batch.goals);
    out.put("out/encoded", states.clone());

    let features = &networks.feature_learner;
    let phi = features.both(states.clone());
    for (name, member) in [("phi1", &features.phi1), ("phi2", &features.phi2)] {
        let phi = run_features(member, states.clone());
        out.put(format!("out/{name}"), phi);
    }
    out.put("out/feature", features.features(states.clone()));
    let values = value(phi, features.both(goals.clone()));
    let (slow, slow_goals) = (
        features.both_slow(states.clone()),
        features.both_slow(goals.clone()),
    );
    for (name, values) in [("v", values), ("target_v", value(slow, slow_goals))] {
        let [first, second] = members(values);
        out.put(format!("out/{name}1"), first);
        out.put(format!("out/{name}2"), second);
    }

    let (z, actions) = (skills.clone(), batch.actions);
    let estimates = networks.successor_net.forward(states.clone(), z, actions);
    for (index, estimate) in estimates.into_iter().enumerate() {
        let worth = dot(estimate.clone(), skills.clone());
        out.put(format!("out/F{}", index + 1), estimate);
        out.put(format!("out/Q{}", index + 1), worth);
    }
    let mean = networks.actor.forward(states.clone(), skills);
    let deviations = mean.clone().zeros_like() + config.noise;
    out.put("out/actor_std", deviations);
    acted(file, &mean, out);
    out.put("out/actor_mean", mean);

    goal_prompts(file, &networks, (states, goals), out)?;
    reward_prompts(file, &networks, device, out)?;
    Ok(outputs)
}

/// Acting without noise: the means of the first rows.
fn acted(file: &GoldenFile, mean: &Tensor<2>, outputs: &mut Outputs) {
    let rows = file.get("out/act_eval").map(|tensor| tensor.shape.clone());
    if let Ok(&[rows, _]) = rows.as_deref() {
        let [all, _] = mean.dims();
        let first = mean.clone().narrow(0, 0, rows.min(all));
        outputs.put("out/act_eval", first);
    }
}

/// From the states to the goals of the rows that `goal_rows` names.
fn goal_prompts(
    file: &GoldenFile,
    networks: &Networks,
    (states, goals): (Tensor<2>, Tensor<2>),
    outputs: &mut Outputs,
) -> Result<(), ParityError> {
    let device = states.device();
    let rows = file.values("in/goal_rows")?;
    let rows = rows.iter().map(|&row| row as i32).collect::<Vec<_>>();
    let rows = Tensor::<1, Int>::from_ints(rows.as_slice(), &device);
    let features = &networks.feature_learner;
    let here = features.features(states.select(0, rows.clone()));
    let there = features.features(goals.select(0, rows));
    outputs.put("out/goal_z", from_goal(here, there));
    Ok(())
}

fn reward_prompts(
    file: &GoldenFile,
    networks: &Networks,
    device: &Device,
    outputs: &mut Outputs,
) -> Result<(), ParityError> {
    if !file.has("in/prompt_reward") {
        return Ok(());
    }
    let rewards = file.values("in/prompt_reward")?;
    let features = |key: &str| {
        let states = file.tensor::<2>(key, device)?;
        Ok::<_, ParityError>(networks.feature_learner.features(states))
    };
    let (here, there) = (features("in/prompt_obs")?, features("in/prompt_next_obs")?);
    for (name, kind) in [
        ("state", FeatureKind::State),
        ("diff", FeatureKind::Diff),
        ("concat", FeatureKind::Concat),
    ] {
        let place = format!("out/prompt_{name}");
        // The states that the reward belongs to are given as they are.
        let features = match kind {
            FeatureKind::State => here.clone(),
            _ => added(kind, here.clone(), there.clone()),
        };
        let [_, width] = features.dims();
        let prompt = from_rewards(features.clone(), &rewards);
        outputs.put_values(
            format!("{place}/features"),
            &features.dims(),
            &host(features),
        );
        outputs.put_values(format!("{place}/z_raw"), &[width, 1], &prompt.weights);
        outputs.put_vector(format!("{place}/z"), &prompt.skill);
    }
    Ok(())
}
