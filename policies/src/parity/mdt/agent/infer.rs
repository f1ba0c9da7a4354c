//! `mdt_agent_infer`, `mdtv_agent_infer`: images to embeddings, a chunk by the sampler, actions
//! executed across a new plan.

use burn::tensor::{Device, Tensor};

use super::{Agent, Parts, inputs};
use crate::host;
use crate::mdt::Mdt;
use crate::mdt::denoiser::{GoalHead, Views};
use crate::mdt::planning::{Context, Ladder, sample_from};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::mdt::samplers::kind;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let agent = Agent::open(file, Parts::default(), device)?;
    let denoiser = agent.model.denoiser();
    let unit = file.tensor::<4>("in/x_unit", device)?;
    let [chunks, batch, horizon, width] = unit.dims();
    let mut contexts = Vec::with_capacity(chunks);
    for chunk in 0..chunks {
        let start = format!("in/chunk{chunk}");
        let goal = ("in/text_goal_emb", GoalHead::Language);
        let inputs = inputs(file, &start, goal, device)?;
        let views = agent.model.views(&inputs);
        put_views(&mut outputs, chunk, &views);
        let tokens = Mdt::tokens(&inputs, views);
        contexts.push(if denoiser.context_has_noise() {
            Context::PerLevel(tokens)
        } else {
            Context::Fixed(denoiser.project(&denoiser.policy_context(tokens, None)))
        });
    }
    let mut diffusion = agent.config.diffusion.clone();
    diffusion.sigma_max = file.number("/sigma_max")?;
    diffusion.steps = file.count("/steps")?;
    diffusion.sampler = kind(&file.text("/sampler")?, file.config())?;
    diffusion.schedule = serde_json::from_value(file.config()["schedule"].clone())
        .map_err(|error| ParityError::Config(format!("`schedule`: {error}")))?;
    let multistep = file.count("/multistep")?.clamp(1, horizon);
    for (index, name) in ["actions_default_sigma", "actions_eval_sigma_min_1"]
        .into_iter()
        .enumerate()
    {
        let key = format!("out/{name}");
        let Ok(expected) = file.get(&key) else {
            continue;
        };
        let ticks = expected.shape.first().copied().unwrap_or_default();
        if ticks.div_ceil(multistep) > chunks || batch != 1 {
            let reason = format!("{chunks} chunks of {batch} do not make {ticks} actions");
            return Err(ParityError::Config(reason));
        }
        diffusion.sigma_min = file.number(&format!("/sigma_min/{index}"))?;
        let mut ladder = Ladder::new(denoiser, &diffusion, diffusion.steps, device);
        let mut executed = Vec::with_capacity(ticks * width);
        for (chunk, context) in contexts.iter().enumerate() {
            let noise = unit
                .clone()
                .narrow(0, chunk, 1)
                .reshape([1, horizon, width]);
            let zeros = noise.zeros_like();
            let mut none = || -> Tensor<3> { zeros.clone() };
            let sampled = sample_from(
                denoiser,
                &diffusion,
                &mut ladder,
                context,
                (noise * diffusion.sigma_max, &mut none),
                None,
            );
            let sampled = sampled.map_err(|error| ParityError::Config(error.to_string()))?;
            executed.extend(
                host::values(sampled.actions)
                    .into_iter()
                    .take(multistep * width),
            );
        }
        executed.truncate(ticks * width);
        outputs.put_values(key, &[ticks, width], &executed);
    }
    Ok(outputs)
}

fn put_views(outputs: &mut Outputs, chunk: usize, views: &Views) {
    match views {
        Views::Cameras {
            static_view,
            gripper_view,
        } => {
            for (name, view) in [("static", static_view), ("gripper", gripper_view)] {
                let view = view.clone().unsqueeze_dim::<3>(1);
                outputs.put(format!("out/chunk{chunk}/{name}"), view);
            }
        }
        Views::Latents(latents) => {
            outputs.put(format!("out/chunk{chunk}/state_images"), latents.clone());
        }
    }
}
