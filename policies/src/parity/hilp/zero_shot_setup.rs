//! Networks and batches of the zero-shot variant's golden files.

use burn::tensor::{Device, Tensor};

use crate::hilp::zero_shot::config::{FeatureKind, ZeroShotConfig};
use crate::hilp::zero_shot::encoder::shifted;
use crate::hilp::zero_shot::networks::Sizes;
use crate::hilp::zero_shot::{Batch, Draws};
use crate::hilp::{ObservationShape, Observations};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;

/// A number of the configuration, or the authors' default where the file does not name it.
fn or(file: &GoldenFile, key: &str, default: f32) -> Result<f32, ParityError> {
    match file.config().get(key) {
        Some(_) => Ok(file.number(&format!("/{key}"))? as f32),
        None => Ok(default),
    }
}

fn flag_or(file: &GoldenFile, key: &str, default: bool) -> Result<bool, ParityError> {
    match file.config().get(key) {
        Some(_) => file.switch(&format!("/{key}")),
        None => Ok(default),
    }
}

/// Sizes and constants of a file's configuration.
///
/// # Errors
/// If something is missing or does not go together.
pub fn config(file: &GoldenFile) -> Result<ZeroShotConfig, ParityError> {
    let observation = match file.counts("/obs_shape")?[..] {
        [width] => ObservationShape::State { width },
        [channels, height, width] => ObservationShape::Image {
            height,
            width,
            channels,
        },
        ref other => {
            return Err(ParityError::Config(format!("observations of {other:?}")));
        }
    };
    let features = match file.config().get("feature_type") {
        None => FeatureKind::State,
        Some(_) => match file.text("/feature_type")?.as_str() {
            "state" => FeatureKind::State,
            "diff" => FeatureKind::Diff,
            "concat" => FeatureKind::Concat,
            other => return Err(ParityError::Config(format!("features of kind `{other}`"))),
        },
    };
    if !flag_or(file, "preprocess", true)? {
        let reason = "networks without separate inputs are not built here";
        return Err(ParityError::Config(reason.into()));
    }
    let base = ZeroShotConfig::default();
    let config = ZeroShotConfig {
        observation,
        action_dim: action_dim(file)?,
        z_dim: file.count("/z_dim")?,
        hidden_dim: file.count("/hidden_dim")?,
        feature_dim: file.count("/feature_dim")?,
        phi_hidden_dim: file.count("/phi_hidden_dim")?,
        add_trunk: flag_or(file, "add_trunk", base.add_trunk)?,
        features,
        q_loss: flag_or(file, "q_loss", base.q_loss)?,
        distance_discount: or(file, "hilp_discount", base.distance_discount)?,
        distance_expectile: or(file, "hilp_expectile", base.distance_expectile)?,
        learning_rate: or(file, "lr", base.learning_rate)?,
        feature_rate_factor: or(file, "lr_coef", base.feature_rate_factor)?,
        target_rate: or(file, "sf_target_tau", base.target_rate)?,
        mix_ratio: or(file, "mix_ratio", base.mix_ratio)?,
        noise_clip: or(file, "stddev_clip", base.noise_clip)?,
        ..base
    };
    match config.problem() {
        Some(problem) => Err(ParityError::Config(problem)),
        None => Ok(config),
    }
}

/// Numbers of an action.
///
/// # Errors
/// If the configuration has none.
pub fn action_dim(file: &GoldenFile) -> Result<usize, ParityError> {
    match file.counts("/action_shape")?[..] {
        [width] => Ok(width),
        ref other => Err(ParityError::Config(format!("actions of {other:?}"))),
    }
}

/// Sizes of an actor from states with skills (or goals) of a width.
///
/// # Errors
/// If something is missing.
pub fn sizes(file: &GoldenFile, skill: Option<usize>) -> Result<Sizes, ParityError> {
    let observation = match file.counts("/obs_shape")?[..] {
        [width] => width,
        ref other => return Err(ParityError::Config(format!("states of {other:?}"))),
    };
    Ok(Sizes {
        observation,
        action: action_dim(file)?,
        skill: skill.unwrap_or(observation),
        hidden: file.count("/hidden_dim")?,
        feature: file.count("/feature_dim")?,
        trunk: flag_or(file, "add_trunk", false)?,
    })
}

/// States, or images with their channels brought to the end.
///
/// # Errors
/// If the tensor is missing or neither.
pub fn observations(
    file: &GoldenFile,
    key: &str,
    device: &Device,
) -> Result<Observations, ParityError> {
    if file.get(key)?.shape.len() == 4 {
        let images = file.tensor::<4>(key, device)?;
        return Ok(Observations::Images(images.permute([0, 2, 3, 1])));
    }
    Ok(Observations::States(file.tensor(key, device)?))
}

/// The batch under `start`, its images moved by the offsets that were drawn.
///
/// # Errors
/// If a part is missing.
pub fn batch(file: &GoldenFile, start: &str, device: &Device) -> Result<Batch, ParityError> {
    let rows = |name: &str| {
        let rows = observations(file, &format!("{start}{name}"), device)?;
        let offsets = format!("{start}draw_shift_{name}");
        Ok::<_, ParityError>(match rows {
            Observations::Images(images) if file.has(&offsets) => {
                Observations::Images(shifted(images, &pixels(file, &offsets)?))
            }
            rows => rows,
        })
    };
    let discounts: Tensor<2> = file.rows(&format!("{start}discount"), device)?;
    Ok(Batch {
        observations: rows("obs")?,
        next_observations: rows("next_obs")?,
        goals: rows("future_obs")?,
        actions: file.tensor(&format!("{start}action"), device)?,
        discounts: discounts.squeeze_dim(1),
    })
}

/// Offsets of moved images, column and row of each.
///
/// # Errors
/// If they are missing.
pub fn pixels(file: &GoldenFile, key: &str) -> Result<Vec<[usize; 2]>, ParityError> {
    let offsets = file.values(key)?;
    let offsets = offsets.as_chunks::<2>().0.iter();
    Ok(offsets
        .map(|offset| offset.map(|pixels| pixels as usize))
        .collect())
}

/// The random numbers under `start`; skills are taken from `skills`.
///
/// # Errors
/// If a part is missing.
pub fn draws(
    file: &GoldenFile,
    start: &str,
    skills: &str,
    device: &Device,
) -> Result<Draws, ParityError> {
    let rows = |name: &str| file.tensor(&format!("{start}{name}"), device);
    Ok(Draws {
        skills: rows(skills)?,
        next_noise: rows("noise_next_action")?,
        actor_noise: rows("noise_actor")?,
    })
}
