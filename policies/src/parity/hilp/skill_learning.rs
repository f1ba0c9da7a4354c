//! `gcrl_*_losses*`, `gcrl_*_update3`: losses, gradients, targets and whole updates.

use burn::tensor::Device;

use super::skill_setup::{batch, config, networks};
use crate::checkpoint::specs;
use crate::hilp::goal_conditioned::agent::{SkillAgent, losses as all_losses};
use crate::hilp::goal_conditioned::import::KEYS;
use crate::hilp::statistics::Numbers;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{flat, flat_tensors, put_gradients, put_tensors};
use crate::parity::outputs::Outputs;
use crate::training::target::follow;

/// One evaluation of all losses.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn losses(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let out = &mut outputs;
    let config = config(file, "in/observations")?;
    let networks = networks(file, &config, &device.clone().autodiff())?;
    let batch = batch(file, "in/", device)?;
    let skills = file.tensor("in/skills", device)?;
    let losses = all_losses(&networks, &config, &batch, &skills)?;

    put_numbers(out, "out/info/", &losses.report());
    let skills = losses.skills.clone();
    for (name, rows) in [
        ("value_adv", losses.representation.advantage.clone()),
        ("intrinsic_reward", losses.rewards.clone()),
        ("skill_adv", skills.advantage),
        ("critic_target", skills.critic_target),
        ("exp_adv_weight", skills.weight),
    ] {
        out.put(format!("out/elem/{name}"), rows);
    }
    let total = losses.total();
    out.put("out/total_loss", total.clone());
    let gradients = total.backward();
    put_gradients(out, &networks, gradients, file, ("out/grad/", ""), &KEYS);

    let rate = config.target_rate;
    let targets = networks.clone();
    let targets = crate::hilp::goal_conditioned::Networks {
        target_value: follow(targets.target_value, &targets.value, rate),
        skill_target_critic: follow(targets.skill_target_critic, &targets.skill_critic, rate),
        ..networks
    };
    let tensors = flat(&targets);
    put_tensors(out, file, "out/ema/", &KEYS, &specs(&targets), &tensors);
    Ok(outputs)
}

/// Consecutive updates.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn updates(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let out = &mut outputs;
    let config = config(file, "in/step0/observations")?;
    let networks = networks(file, &config, &device.clone().autodiff())?;
    let mut agent = SkillAgent::new(config, networks);
    let mut step = 0;
    while file.has(&format!("in/step{step}/actions")) {
        let start = format!("in/step{step}/");
        let batch = batch(file, &start, device)?;
        let skills = file.tensor(&format!("{start}skills"), device)?;
        let report = agent.update_with(&batch, &skills)?;
        step += 1;
        put_numbers(out, &format!("out/step{step}/info/"), &report.numbers);
        let place = format!("out/step{step}/params/");
        let networks = agent.networks();
        let tensors = flat(networks);
        put_tensors(out, file, &place, &KEYS, &specs(networks), &tensors);
    }
    let state = agent.optimiser().state();
    let specs = specs(agent.networks());
    for (theirs, ours) in [("adam_mu", "first/"), ("adam_nu", "second/")] {
        let place = format!("out/final/{theirs}/");
        let moments = flat_tensors(&state, ours);
        put_tensors(out, file, &place, &KEYS, &specs, &moments);
    }
    let counts = flat_tensors(&state, "steps/");
    if let Some(count) = counts.values().next() {
        out.put_values("out/final/adam_count", &[], count);
    }
    Ok(outputs)
}

/// Puts numbers under a place.
pub fn put_numbers(outputs: &mut Outputs, place: &str, numbers: &Numbers) {
    for (name, value) in numbers.iter() {
        outputs.put_values(format!("{place}{name}"), &[], &[value]);
    }
}
