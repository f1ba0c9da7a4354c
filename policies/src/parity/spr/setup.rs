//! Models and sequences of SPR's golden files.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde_json::Value;

use crate::checkpoint::{TensorSpec, apply, specs};
use crate::objectives::spr::config::{
    HeadHidden, NormKind, PredictionKind, ProjectionKind, SprConfig,
};
use crate::objectives::spr::import::{import, our_key};
use crate::objectives::spr::model::Sequence;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::put_tensor;
use crate::parity::outputs::Outputs;

/// Sizes and options of a file's configuration.
///
/// # Errors
/// If something is missing, unknown or does not go together.
pub fn config(file: &GoldenFile) -> Result<SprConfig, ParityError> {
    let count = |key: &str| file.count(&format!("/{key}"));
    let flag = |key: &str| file.switch(&format!("/{key}"));
    for (key, theirs) in [
        ("time_offset", 0),
        ("shared_encoder", 0),
        ("momentum_encoder", 1),
    ] {
        if count(key)? != theirs {
            let reason = format!("`{key}` is {}, only {theirs} is built here", count(key)?);
            return Err(ParityError::Config(reason));
        }
    }
    let encoder = file.counts("/conv_channels")?;
    let encoder = encoder.as_slice().try_into();
    let encoder = encoder.map_err(|_| ParityError::Config("three convolutions".into()))?;
    let word = |key: &str| file.text(&format!("/{key}"));
    let unknown =
        |kind: &str, name: &str| Err(ParityError::Config(format!("no {kind} is called `{name}`")));
    let kinds = file.list("/q_l1_type")?;
    let takes = |name: &str| {
        kinds
            .iter()
            .filter_map(Value::as_str)
            .any(|kind| kind == name)
    };
    let config = SprConfig {
        image: count("image")?,
        channels: count("frames")?,
        actions: count("n_actions")?,
        atoms: count("n_atoms")?,
        encoder,
        hidden: count("dqn_hidden")?,
        jumps: count("jumps")?,
        norm: match word("norm_type")?.as_str() {
            "bn" => NormKind::Batch,
            "ln" => NormKind::Layer,
            "in" => NormKind::Instance,
            "none" => NormKind::None,
            other => return unknown("norm", other),
        },
        blocks: count("dynamics_blocks")?,
        residual: flag("residual_tm")?,
        renormalize: flag("renormalize")?,
        dueling: flag("dueling")?,
        noisy: flag("noisy_nets")?,
        projection: match word("classifier")?.as_str() {
            "q_l1" => ProjectionKind::HeadHidden,
            "q_l2" => ProjectionKind::HeadOutput,
            "bilinear" => ProjectionKind::Bilinear,
            "mlp" => ProjectionKind::Mlp,
            "none" => ProjectionKind::Identity,
            other => return unknown("projection", other),
        },
        head_hidden: HeadHidden {
            value: takes("value"),
            advantage: takes("advantage"),
            noisy: takes("noisy"),
            relu: takes("relu"),
        },
        prediction: match word("final_classifier")?.as_str() {
            "linear" => PredictionKind::Linear,
            "mlp" => PredictionKind::Mlp,
            "none" => PredictionKind::Identity,
            other => return unknown("prediction", other),
        },
        global: flag("global_spr")?,
        local: flag("local_spr")?,
        target_rate: file.number("/momentum_tau")? as f32,
    };
    match config.problem() {
        Some(problem) => Err(ParityError::Config(problem)),
        None => Ok(config),
    }
}

/// A module with the file's tensors of the part of the model that `prefix` names.
///
/// # Errors
/// If one is missing, unknown or of another shape.
pub fn with_weights<M: Module>(
    module: M,
    file: &GoldenFile,
    config: &SprConfig,
    prefix: &str,
) -> Result<M, ParityError> {
    let specs = specs(&module);
    let weights = import(&file.params(""), config, prefix, &specs, file.path())?;
    Ok(apply(module, &weights, file.path())?)
}

/// Images of every step, `[batch, height, width, channels]` in 0 … 1.
///
/// # Errors
/// If the tensor is missing or has other axes.
pub fn images(
    file: &GoldenFile,
    key: &str,
    device: &Device,
) -> Result<Vec<Tensor<4>>, ParityError> {
    let all = file.tensor::<6>(key, device)? / 255.0;
    let [steps, batch, frames, channels, height, width] = all.dims();
    let step = |step| {
        let images = all.clone().narrow(0, step, 1);
        let images = images.reshape([batch, frames * channels, height, width]);
        images.permute([0, 2, 3, 1])
    };
    Ok((0..steps).map(step).collect())
}

/// Rows of a tensor of two axes as whole numbers.
///
/// # Errors
/// If it is missing or has other axes.
pub fn whole(file: &GoldenFile, key: &str) -> Result<Vec<Vec<usize>>, ParityError> {
    let rows = numbers(file, key)?.into_iter();
    let whole = |row: Vec<f64>| row.into_iter().map(|value| value as usize).collect();
    Ok(rows.map(whole).collect())
}

/// Rows of a tensor of two axes as numbers.
///
/// # Errors
/// If it is missing or has other axes.
pub fn numbers(file: &GoldenFile, key: &str) -> Result<Vec<Vec<f64>>, ParityError> {
    let tensor = file.get(key)?;
    let &[_, width] = tensor.shape.as_slice() else {
        return Err(ParityError::Tensor {
            key: key.to_owned(),
            reason: format!("has shape {:?}, expected steps and rows", tensor.shape),
        });
    };
    let rows = tensor.values.chunks_exact(width.max(1));
    Ok(rows.map(<[f64]>::to_vec).collect())
}

/// The sequence of observations and actions, without augmentation.
///
/// # Errors
/// If the observations are too few.
pub fn sequence(
    config: &SprConfig,
    images: &[Tensor<4>],
    mut actions: Vec<Vec<usize>>,
) -> Result<Sequence, ParityError> {
    let steps = config.jumps + 1;
    let targets = images.get(..steps).map(<[_]>::to_vec);
    let (Some(targets), Some(first)) = (targets, images.first()) else {
        return Err(ParityError::Config(format!(
            "{steps} observations are needed"
        )));
    };
    actions.truncate(steps);
    Ok(Sequence {
        first: first.clone(),
        targets,
        actions,
    })
}

/// Puts tensors of the model, flat and by our keys, where the file expects them under `place`.
pub fn put(
    outputs: &mut Outputs,
    file: &GoldenFile,
    place: &str,
    config: &SprConfig,
    (specs, tensors): (&[TensorSpec], &BTreeMap<String, Vec<f32>>),
) {
    for theirs in file.keys_under(place) {
        let mut ours = our_key(theirs, config);
        if !tensors.contains_key(&ours)
            && let Some((module, rest)) = ours.split_once('.')
        {
            ours = format!("{module}.first.{rest}");
        }
        let key = format!("{place}{theirs}");
        put_tensor(outputs, file, &key, &ours, specs, tensors);
    }
}

/// A latent with its channels first.
pub fn channels_first(latents: Tensor<4>) -> Tensor<4> {
    latents.permute([0, 3, 1, 2])
}
