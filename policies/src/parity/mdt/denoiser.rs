//! `mdt_core`, `mdt_variant_*`: forward passes, loss and gradients of the denoiser.

use burn::tensor::{Device, Tensor};

use super::network::{PREFIX, config, diffusion, keys, network, tokens};
use super::trace;
use crate::host;
use crate::mdt::denoiser::{Denoiser, GoalHead, Tokens, Views};
use crate::mdt::loss::{ActionNoise, action_loss};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::put_gradients;
use crate::parity::outputs::Outputs;

/// Kinds of goals in the files.
const SCOPES: [&str; 2] = ["lang", "vis"];

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    forward(file, device, &mut outputs)?;
    let device = device.clone().autodiff();
    for scope in SCOPES {
        gradients(file, scope, &device, &mut outputs)?;
    }
    Ok(outputs)
}

fn forward(file: &GoldenFile, device: &Device, outputs: &mut Outputs) -> Result<(), ParityError> {
    let network = network(file, device)?;
    let sigma = file.tensor::<1>("in/sigma", device)?;
    let noise = network.embed_sigma(sigma.clone());
    outputs.put("out/sigma_emb", noise.clone());

    let rows = sigma.dims()[0];
    let rule = diffusion(file)?.preconditioning();
    let scalings = rule.scalings(&sigma.clone().reshape([rows, 1, 1]));
    let levels = rule.scalings(&sigma);
    outputs.put("out/c_skip", levels.c_skip);
    outputs.put("out/c_out", levels.c_out);
    outputs.put("out/c_in", levels.c_in);

    let noisy = file.tensor::<3>("in/noised", device)?;
    let inner = file.tensor::<3>("in/inner_actions", device)?;
    for scope in SCOPES {
        let tokens = tokens(file, scope, device)?;
        let start = format!("out/inner/{scope}");
        let context = network.policy_context(tokens.clone(), Some(&noise));
        trace::encoder(outputs, &start, &network, tokens.clone(), &noise);
        trace::decoder(outputs, &start, &network, inner.clone(), &noise, &context);
        outputs.put(format!("{start}/context"), context);
        let predict = |tokens: Tokens| network.forward(tokens, inner.clone(), sigma.clone());
        outputs.put(format!("{start}/pred"), predict(tokens.clone()));
        let aimless = Tokens {
            goal: tokens.goal.zeros_like(),
            ..tokens.clone()
        };
        outputs.put(format!("{start}/pred_uncond"), predict(aimless));

        let output = network.forward(tokens, noisy.clone() * scalings.c_in.clone(), sigma.clone());
        outputs.put(format!("out/model_output/{scope}"), output.clone());
        let clean = output * scalings.c_out.clone() + noisy.clone() * scalings.c_skip.clone();
        outputs.put(format!("out/denoised/{scope}"), clean);
    }
    contexts(file, &network, &noise, device, outputs)
}

/// The encoder alone, where the dataset's scope and not the goal's kind picks the goal's head.
fn contexts(
    file: &GoldenFile,
    network: &Denoiser,
    noise: &Tensor<3>,
    device: &Device,
    outputs: &mut Outputs,
) -> Result<(), ParityError> {
    for (name, head, kind) in [
        ("lang_scope_text_goal", GoalHead::Language, "lang"),
        ("lang_scope_img_goal", GoalHead::Language, "vis"),
        ("vis_scope_img_goal", GoalHead::Goal, "vis"),
    ] {
        let context = network.context(tokens(file, kind, device)?, head, Some(noise));
        outputs.put(format!("out/ctx_only/{name}"), context);
    }
    Ok(())
}

fn gradients(
    file: &GoldenFile,
    scope: &str,
    device: &Device,
    outputs: &mut Outputs,
) -> Result<(), ParityError> {
    let keys = keys(&config(file)?);
    let network = network(file, device)?;
    let plain = tokens(file, scope, device)?;
    let views = match plain.views {
        Views::Cameras {
            static_view,
            gripper_view,
        } => Views::Cameras {
            static_view: static_view.require_grad(),
            gripper_view: gripper_view.require_grad(),
        },
        Views::Latents(latents) => Views::Latents(latents.require_grad()),
    };
    let tokens = Tokens {
        goal: plain.goal.require_grad(),
        views,
        ..plain
    };
    let noise = ActionNoise {
        sigma: file.values("in/sigma")?,
        noise: file.values("in/noise")?,
        draws: 1,
    };
    let actions = file.tensor("in/actions", device)?;
    let loss = action_loss(&network, &diffusion(file)?, tokens.clone(), actions, &noise);
    let loss = loss.per_sample.mean();
    outputs.put(format!("out/loss/{scope}"), loss.clone());
    let mut grads = loss.backward();
    let start = format!("out/grad/{scope}/");
    if let Some(grad) = tokens.goal.grad_remove(&mut grads) {
        put_shaped(file, outputs, &format!("{start}in/goal"), grad);
    }
    match &tokens.views {
        Views::Cameras {
            static_view,
            gripper_view,
        } => {
            for (name, input) in [("static", static_view), ("gripper", gripper_view)] {
                if let Some(grad) = input.grad_remove(&mut grads) {
                    put_shaped(file, outputs, &format!("{start}in/{name}"), grad);
                }
            }
        }
        Views::Latents(latents) => {
            if let Some(grad) = latents.grad_remove(&mut grads) {
                outputs.put(format!("{start}in/state_images"), grad);
            }
        }
    }
    put_gradients(outputs, &network, grads, file, (&start, PREFIX), keys);
    Ok(())
}

/// Our inputs lack the axes of length one that theirs have.
fn put_shaped(file: &GoldenFile, outputs: &mut Outputs, key: &str, grad: Tensor<2>) {
    let own = grad.dims().to_vec();
    let values = host::values(grad);
    let shape = match file.get(key) {
        Ok(tensor) if tensor.values.len() == values.len() => tensor.shape.clone(),
        _ => own,
    };
    outputs.put_values(key, &shape, &values);
}
