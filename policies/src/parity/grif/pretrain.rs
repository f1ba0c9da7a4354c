//! `contrastive_pretrain`: stage one, with three updates on the same batch.

use burn::tensor::Device;
use serde_json::Value;

use super::alignment::flags;
use super::towers::{text, tokens, vision};
use crate::grif::keys::KEYS;
use crate::grif::optimizer::{Optimizer, OptimizerConfig};
use crate::grif::pretrain::{ContrastiveClip, ContrastiveLoss, contrastive_loss};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{put_gradient_set, put_weights, with_weights};
use crate::parity::outputs::Outputs;
use crate::training::gradients::GradientSet;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let device = &device.clone().autodiff();
    let (clip, agent) = (&file.config()["clip"], &file.config()["agent_kwargs"]);
    if agent["mlp_kwargs"].is_object() || agent["dropout_rate"].as_f64() > Some(0.0) {
        let reason = "layers and dropout after the towers are not built here".to_owned();
        return Err(ParityError::Config(reason));
    }
    let towers = ContrastiveClip::new(&vision(clip)?, &text(clip)?, device);
    let mut towers = with_weights(towers, file, "", &KEYS)?;
    let pairs = file.tensor::<4>("in/image_batch", device)?;
    let ids = tokens(file, "in/text_batch/input_ids")?;
    let same = flags(file, "in/lang_dupe_matrix")?;

    let mut optimizer = Optimizer::new(options(agent));
    let steps = file.keys_under("out/step").filter_map(|key| {
        let (step, _) = key.split_once('/')?;
        step.parse::<u64>().ok()
    });
    let last = steps.max().unwrap_or(0);
    for step in 0..=last.max(1) {
        if step > 0 {
            let under = format!("out/step{step}/params/");
            put_weights(&mut outputs, &towers, file, &under, &KEYS);
        }
        let embeddings = towers.embed(pairs.clone(), &ids)?;
        let loss = contrastive_loss(embeddings.logits.clone(), &same);
        let gradients = GradientSet::take(&towers, loss.loss.clone().backward(), |_| true);
        if step == 0 {
            outputs.put("out/image_embeddings", embeddings.images);
            outputs.put("out/text_embeddings", embeddings.texts);
            outputs.put("out/logits", embeddings.logits);
            outputs.put("out/loss", loss.loss.clone());
            put_info(&mut outputs, &loss);
            outputs.put("out/info/temperature", towers.bounded_temperature());
            let unique = distinct(&same, ids.len());
            outputs.put_vector("out/info/num_unique_langs", &[unique as f64]);
            let under = ("out/grad/", "");
            put_gradient_set(&mut outputs, &towers, &gradients, file, under, &KEYS);
        }
        towers = optimizer.step(towers, gradients, |_| false);
    }
    Ok(outputs)
}

/// Instructions that are not the same as one before them.
fn distinct(same: &[bool], count: usize) -> usize {
    let fresh = |at: &usize| !(0..*at).any(|before| same[at * count + before]);
    (0..count).filter(fresh).count()
}

fn put_info(outputs: &mut Outputs, loss: &ContrastiveLoss) {
    outputs.put("out/info/loss", loss.loss.clone());
    for (name, way) in [
        ("img2text", loss.image_to_text),
        ("text2img", loss.text_to_image),
    ] {
        for (key, value) in [
            ("loss", way.loss),
            ("correct_pr", way.correct_probability),
            ("accuracy", way.accuracy),
            ("top5_accuracy", way.top5_accuracy),
        ] {
            outputs.put_vector(format!("out/info/{name}_{key}"), &[value]);
        }
    }
}

fn options(agent: &Value) -> OptimizerConfig {
    let number = |key: &str, default: f64| agent[key].as_f64().unwrap_or(default);
    OptimizerConfig {
        learning_rate: number("learning_rate", 3e-5) as f32,
        warm_up: number("warmup_steps", 2e3) as u64,
        decay: number("decay_steps", 2e6) as u64,
        ..OptimizerConfig::contrastive()
    }
}
