//! `alignment_loss`: every metric with all labels, some labels, and blocked pairs.

use std::collections::BTreeSet;

use burn::tensor::Device;
use serde_json::Value;

use crate::grif::alignment::{AlignmentConfig, Metric, Usable};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let device = &device.clone().autodiff();
    let runs = file.keys_under("out/").filter_map(|key| {
        let (metric, rest) = key.split_once('/')?;
        let (mask, _) = rest.split_once('/')?;
        Some((metric.to_owned(), mask.to_owned()))
    });
    for (metric, mask) in runs.collect::<BTreeSet<_>>() {
        run(file, (&metric, &mask), device, &mut outputs)?;
    }
    Ok(outputs)
}

fn run(
    file: &GoldenFile,
    (metric, mask): (&str, &str),
    device: &Device,
    outputs: &mut Outputs,
) -> Result<(), ParityError> {
    let config = AlignmentConfig {
        metric: self::metric(metric)?,
        weight: file.number("/alignment")?,
        other_weight: file.number("/other_alignment")?,
    };
    let images = file.tensor::<2>("in/rep1", device)?.require_grad();
    let sentences = file.tensor::<2>("in/rep2", device)?.require_grad();
    let temperature = file.get(&format!("in/{metric}/{mask}/temp"))?.values[0];
    let temperature = burn::tensor::Tensor::<1>::from_floats([temperature as f32], device);
    let temperature = temperature.require_grad();
    let image_mask = flags(file, "in/mask1")?;
    let sentence_mask = match mask {
        "all" => vec![true; image_mask.len()],
        _ => flags(file, "in/mask2_partial")?,
    };
    let blocked = match mask {
        "blocked" => Some(file.tensor::<2>("in/blocked", device)?),
        _ => None,
    };
    let usable = Usable {
        images: &image_mask,
        sentences: &sentence_mask,
    };
    let found = config.loss(
        images.clone(),
        sentences.clone(),
        temperature.clone(),
        &usable,
        blocked,
    );
    let Some(found) = found else {
        return Err(ParityError::Config("no pair is usable".into()));
    };
    let start = format!("out/{metric}/{mask}");
    outputs.put(format!("{start}/loss"), found.loss.clone());
    outputs.put(format!("{start}/alignment_loss"), found.loss.clone());
    let unscaled = found.loss.clone() / config.weight;
    outputs.put(format!("{start}/alignment_loss_unscaled"), unscaled);
    outputs.put(format!("{start}/temp"), temperature.clone());
    if let Some(contrast) = found.contrast {
        for (name, value) in [
            ("class1_logits", contrast.image_log_probability),
            ("class2_logits", contrast.sentence_log_probability),
            ("class1_accuracy", contrast.image_accuracy),
            ("class2_accuracy", contrast.sentence_accuracy),
        ] {
            outputs.put_vector(format!("{start}/{name}"), &[value]);
        }
    }
    let mut gradients = found.loss.backward();
    for (name, tensor) in [("grad_rep1", images), ("grad_rep2", sentences)] {
        if let Some(gradient) = tensor.grad_remove(&mut gradients) {
            outputs.put(format!("{start}/{name}"), gradient);
        }
    }
    if let Some(gradient) = temperature.grad_remove(&mut gradients) {
        outputs.put(format!("{start}/grad_temp"), gradient);
    }
    Ok(())
}

/// The metric of a name.
///
/// # Errors
/// If there is none.
pub fn metric(name: &str) -> Result<Metric, ParityError> {
    serde_json::from_value(Value::from(name))
        .map_err(|_| ParityError::Config(format!("metric `{name}` is not built here")))
}

/// Zeros and ones as switches.
///
/// # Errors
/// If the tensor is missing.
pub fn flags(file: &GoldenFile, key: &str) -> Result<Vec<bool>, ParityError> {
    Ok(file.get(key)?.values.iter().map(|&v| v != 0.0).collect())
}

/// Tolerance: the gradients lie beside the losses.
pub fn tolerance(key: &str) -> f64 {
    let name = key.rsplit('/').next().unwrap_or_default();
    if name.starts_with("grad_") {
        super::TOLERANCES.gradient
    } else {
        super::TOLERANCES.forward
    }
}
