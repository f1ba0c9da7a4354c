//! `mdt_agent_train`, `mdtv_agent_train`: optimiser steps on a told and a shown batch, with all
//! losses, the learning rate and the moving average.

use burn::tensor::{Device, Tensor};

use super::{Agent, Parts, inputs};
use crate::checkpoint::specs;
use crate::mdt::Mdt;
use crate::mdt::config::ForesightConfig;
use crate::mdt::denoiser::GoalHead;
use crate::mdt::loss::{ActionNoise, action_loss};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{flat, flat_tensors, put_gradient_set, put_tensors, put_weights};
use crate::parity::outputs::Outputs;
use crate::training::adamw::{AdamW, AdamWConfig};
use crate::training::average::{Average, AverageConfig};
use crate::training::gradients::GradientSet;
use crate::training::schedule::{LearningRate, TriStage};

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let device = &device.clone().autodiff();
    let mut outputs = Outputs::default();
    let parts = Parts {
        foresight: Some(foresight(file)?),
        alignment: true,
    };
    let mut agent = Agent::open(file, parts, device)?;
    let begun = agent.model.clone();
    let mut average = Average::of(&agent.model);
    let mut optimiser = AdamW::new(optimiser(file)?);
    let rate = learning_rate(file)?;
    let steps = file.count("/steps")?;
    let (mut losses, mut rates, mut decays) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..steps {
        let loss = both(&agent, file, step, device)?;
        losses.push(Tensor::cat(
            vec![
                loss.total.clone(),
                loss.action,
                loss.alignment,
                loss.foresight,
            ],
            0,
        ));
        let set = GradientSet::take(&agent.model, loss.total.backward(), |_| true);
        let under = format!("out/step{step}/grad/");
        put_gradient_set(
            &mut outputs,
            &agent.model,
            &set,
            file,
            (&under, ""),
            agent.keys,
        );
        let now = rate.at(step as u64, u64::MAX);
        agent.model = optimiser.step(agent.model, set, now);
        let decay = AverageConfig::default().decay(step as u64 + 1);
        average.update(&agent.model, decay);
        rates.push(now);
        decays.push(decay);
    }
    let losses = losses.into_iter().map(Tensor::unsqueeze::<2>).collect();
    outputs.put("out/losses_total_action_cont_img", Tensor::cat(losses, 0));
    outputs.put_vector("out/lr_used", &rates);
    outputs.put_vector("out/ema_decay", &decays);
    let keys = agent.keys;
    put_weights(&mut outputs, &agent.model, file, "out/final/", keys);
    let (specs, before, mut moved) = (specs(&begun), flat(&begun), flat(&agent.model));
    for (key, values) in &mut moved {
        let before = before.get(key).into_iter().flatten();
        for (value, before) in values.iter_mut().zip(before) {
            *value -= before;
        }
    }
    put_tensors(&mut outputs, file, "out/delta/", keys, &specs, &moved);
    let averaged = flat_tensors(&average.weights(0).tensors, "");
    put_tensors(&mut outputs, file, "out/ema/", keys, &specs, &averaged);
    Ok(outputs)
}

fn foresight(file: &GoldenFile) -> Result<ForesightConfig, ParityError> {
    let count = |key: &str| file.count(&format!("/gen_img/{key}"));
    let config = ForesightConfig {
        resolution: count("resolution")?,
        patch: count("patch_size")?,
        width: count("decoder_embed_dim")?,
        heads: count("decoder_n_heads")?,
        layers: count("decoder_depth")?,
        mask_ratio: file.number("/gen_img/mask_ratio")?,
        lookahead: 3,
        hard_patches: None,
    };
    let fits = config.patch > 0 && config.heads > 0 && config.resolution >= config.patch;
    if !fits || count("mlp_ratio")? != 4 || count("num_images")? != 2 {
        let reason = "`gen_img` is not a decoder of two images that is built here";
        return Err(ParityError::Config(reason.into()));
    }
    Ok(config)
}

fn optimiser(file: &GoldenFile) -> Result<AdamWConfig, ParityError> {
    if !file.flag("/optimizer/adamw")? {
        let reason = "only AdamW is built here".to_owned();
        return Err(ParityError::Config(reason));
    }
    let number = |key: &str| file.number(&format!("/optimizer/{key}"));
    Ok(AdamWConfig {
        beta_1: number("betas/0")? as f32,
        beta_2: number("betas/1")? as f32,
        epsilon: number("eps")? as f32,
        weight_decay: number("wd")? as f32,
        ..AdamWConfig::default()
    })
}

fn learning_rate(file: &GoldenFile) -> Result<LearningRate, ParityError> {
    let number = |key: &str| file.number(&format!("/lr_schedule/{key}"));
    let phases = file.text("/lr_schedule/phase_ratio")?;
    let ratios = phases
        .trim_matches(['(', ')', '[', ']'])
        .split(',')
        .map(|ratio| ratio.trim().parse::<f64>())
        .collect::<Result<Vec<_>, _>>();
    let &[warm_up, hold, decay] = ratios.as_deref().unwrap_or_default() else {
        let reason = format!("`phase_ratio` is `{phases}`, expected three numbers");
        return Err(ParityError::Config(reason));
    };
    Ok(LearningRate::TriStage {
        peak: number("lr")? as f32,
        total: number("total_steps")? as u64,
        shape: TriStage {
            warm_up,
            hold,
            decay,
            first: number("init_lr_scale")? as f32,
            last: number("final_lr_scale")? as f32,
        },
    })
}

/// Losses of a step, `[1]` each: halves of the sums over the two datasets.
struct Losses {
    total: Tensor<1>,
    action: Tensor<1>,
    alignment: Tensor<1>,
    foresight: Tensor<1>,
}

fn both(
    agent: &Agent,
    file: &GoldenFile,
    step: usize,
    device: &Device,
) -> Result<Losses, ParityError> {
    let told = one(agent, file, &format!("in/step{step}/lang"), true, device)?;
    let shown = one(agent, file, &format!("in/step{step}/vis"), false, device)?;
    let alpha = file.number("/cont_alpha")?;
    let beta = file.number("/masked_beta")?;
    let half = |sum: Tensor<1>| sum / 2.0;
    let action = half(told.action + shown.action);
    let foresight = half(told.foresight + shown.foresight);
    let alignment = half(told.alignment);
    Ok(Losses {
        total: action.clone() + foresight.clone() * beta + alignment.clone() * alpha,
        action,
        alignment,
        foresight,
    })
}

/// Losses of one dataset; no sum.
fn one(
    agent: &Agent,
    file: &GoldenFile,
    start: &str,
    told: bool,
    device: &Device,
) -> Result<Losses, ParityError> {
    let Agent { config, model, .. } = agent;
    let shown = format!("{start}/img_goal_emb");
    let text = format!("{start}/text_goal_emb");
    let (goal, head) = if told {
        (&text, GoalHead::Language)
    } else {
        (&shown, GoalHead::Goal)
    };
    let inputs = inputs(file, start, (goal, head), device)?;
    let views = model.views(&inputs);
    let noise = ActionNoise {
        sigma: file.values(&format!("{start}/sigma"))?,
        noise: file.values(&format!("{start}/noise"))?,
        draws: 1,
    };
    let tokens = Mdt::tokens(&inputs, views);
    let actions = file.tensor(&format!("{start}/actions"), device)?;
    let action = action_loss(
        model.denoiser(),
        &config.diffusion,
        tokens.clone(),
        actions,
        &noise,
    );
    let missing = || ParityError::Config("a part of the agent is missing".into());
    let decoder = model.gen_img.as_ref().ok_or_else(missing)?;
    let targets = ["gen_static", "gen_gripper"].map(|name| {
        let images = file.tensor::<5>(&format!("{start}/{name}"), device)?;
        Ok::<_, ParityError>(images.permute([0, 1, 3, 4, 2]))
    });
    let [first, second] = targets;
    let targets = Tensor::cat(vec![first?, second?], 1);
    let mask = decoder.mask(&file.values(&format!("{start}/mask_noise"))?);
    let foresight = decoder
        .forward(action.context.clone(), targets, mask)
        .loss
        .mean();

    let alignment = if told {
        let mut tokens = tokens;
        tokens.goal = file.rows(&shown, device)?;
        let images = model
            .denoiser()
            .context(tokens, GoalHead::Language, Some(&action.noise));
        let settings = config.alignment.as_ref().ok_or_else(missing)?;
        let contrast = model.contrast(settings, images, action.context);
        contrast.ok_or_else(missing)?.symmetric().mean()
    } else {
        foresight.zeros_like()
    };
    Ok(Losses {
        total: foresight.zeros_like(),
        action: action.per_sample.mean(),
        alignment,
        foresight,
    })
}
