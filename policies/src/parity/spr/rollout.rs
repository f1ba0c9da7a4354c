//! `01*_transition_rollout*`: latents and rewards along given actions, and the targets' latents.

use burn::tensor::{Device, Tensor};

use super::setup::{channels_first, config, images, put, sequence, whole, with_weights};
use crate::checkpoint::specs;
use crate::objectives::spr::config::SprConfig;
use crate::objectives::spr::model::{Encoder, encode};
use crate::objectives::spr::transition::Transition;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::flat;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let out = &mut outputs;
    let config = config(file)?;
    let encoder = |prefix: &str| {
        let encoder = Encoder::new(&config, device);
        with_weights(encoder, file, &config, prefix)
    };
    let (conv, target) = (encoder("conv.")?, encoder("target_encoder.")?);
    let model = Transition::new(&config, device);
    let mut model = with_weights(model, file, &config, "dynamics_model.")?;

    let images = images(file, "in/observation", device)?;
    let sequence = sequence(&config, &images, whole(file, "in/prev_action")?)?;
    let raw = conv.forward(sequence.first.clone());
    out.put("out/conv_out", channels_first(raw));
    let first = encode(&conv, sequence.first, &config);
    out.put("out/latent0", channels_first(first.clone()));
    let (latents, rewards) = model.rollout(first, &sequence.actions);
    put_latents(out, "out/latents", &latents, false);
    out.put("out/reward_logprobs", Tensor::stack::<3>(rewards, 0));

    let targets = sequence.targets.into_iter();
    let targets = targets.map(|images| encode(&target, images, &config));
    put_latents(
        out,
        "out/target_latents",
        &targets.collect::<Vec<_>>(),
        true,
    );
    put_statistics(out, file, &config, &model);
    Ok(outputs)
}

/// Latents of every step, steps first, or all rows of a sample side by side.
pub fn put_latents(outputs: &mut Outputs, key: &str, latents: &[Tensor<4>], by_sample: bool) {
    let latents = latents.iter().cloned().map(channels_first);
    let all = Tensor::stack::<5>(latents.collect(), usize::from(by_sample));
    if by_sample {
        let rows: Tensor<4> = all.flatten(0, 1);
        outputs.put(key, rows);
    } else {
        outputs.put(key, all);
    }
}

fn put_statistics(
    outputs: &mut Outputs,
    file: &GoldenFile,
    config: &SprConfig,
    model: &Transition,
) {
    let prefix = "dynamics_model.";
    let mut specs = specs(model);
    for spec in &mut specs {
        spec.key = format!("{prefix}{}", spec.key);
    }
    let tensors = flat(model).into_iter();
    let tensors = tensors.map(|(key, values)| (format!("{prefix}{key}"), values));
    put(
        outputs,
        file,
        "out/after/",
        config,
        (&specs, &tensors.collect()),
    );
}
