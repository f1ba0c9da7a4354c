//! `02*_spr_loss*`: the model's whole pass, its loss, gradients, and what the targets become.

use burn::tensor::{Device, Tensor};

use super::rollout::put_latents;
use super::setup::{config, images, numbers, put, sequence, whole, with_weights};
use crate::checkpoint::specs;
use crate::objectives::spr::Spr;
use crate::objectives::spr::loss::per_sample;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{flat, flat_gradients};
use crate::parity::outputs::Outputs;
use crate::training::gradients::GradientSet;

/// Weight of the prediction's loss in `weighted_total`.
const WEIGHT: f32 = 5.0;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let out = &mut outputs;
    let config = config(file)?;
    let model = Spr::new(&config, &device.clone().autodiff());
    let mut model = with_weights(model, file, &config, "")?;
    let images = images(file, "in/observation", device)?;
    let sequence = sequence(&config, &images, whole(file, "in/prev_action")?)?;

    let pass = model.train_forward(&sequence, &config);
    out.put("out/head_logprobs", pass.log_probabilities);
    let rewards = Tensor::stack::<3>(pass.log_rewards, 0);
    out.put("out/reward_logprobs", rewards);
    put_latents(out, "out/latents", &pass.latents, false);
    put_latents(out, "out/target_latents", &pass.target_latents, true);
    out.put("out/spr_loss", pass.distances.clone());
    let losses = per_sample(pass.distances, &ends(file, "in/done")?);
    out.put("out/t0_spr_per_sample", losses.first);
    out.put("out/model_spr_per_sample", losses.predicted.clone());
    let weights = file.tensor::<1>("in/is_weights", device)?;
    let total = (losses.predicted * weights).mean() * WEIGHT;
    out.put("out/weighted_total", total.clone());

    let specs = specs(&model);
    let tensors = flat(&model);
    put(out, file, "out/ema_after/", &config, (&specs, &tensors));
    let gradients = GradientSet::take(&model, total.backward(), |_| true);
    let gradients = flat_gradients(&gradients);
    put(out, file, "out/grad/", &config, (&specs, &gradients));
    Ok(outputs)
}

/// Whether each step ended an episode, per row.
///
/// # Errors
/// If the tensor is missing.
pub fn ends(file: &GoldenFile, key: &str) -> Result<Vec<Vec<bool>>, ParityError> {
    let rows = numbers(file, key)?.into_iter();
    Ok(rows
        .map(|row| row.into_iter().map(|value| value > 0.0).collect())
        .collect())
}
