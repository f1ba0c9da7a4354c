//! Networks and batches of the goal-conditioned variant's golden files.

use burn::module::Module;
use burn::tensor::Device;

use crate::checkpoint::{apply, specs};
use crate::hilp::goal_conditioned::import::import;
use crate::hilp::goal_conditioned::{Batch, Networks, SkillConfig};
use crate::hilp::observations::{ObservationShape, Observations};
use crate::nn::ImpalaConfig;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;

/// Sizes and constants of a file's configuration. The observations' shape is that of `sample`.
///
/// # Errors
/// If something is missing or does not go together.
pub fn config(file: &GoldenFile, sample: &str) -> Result<SkillConfig, ParityError> {
    let number = |key: &str| Ok::<_, ParityError>(file.number(key)? as f32);
    let encoder = match file.config().get("encoder") {
        Some(name) if !name.is_null() => Some(encoder(&file.text("/encoder")?)?),
        _ => None,
    };
    let observation = match *file.get(sample)?.shape {
        [width] | [_, width] => ObservationShape::State { width },
        [_, height, width, channels] => ObservationShape::Image {
            height,
            width,
            channels,
        },
        ref other => {
            return Err(ParityError::Tensor {
                key: sample.to_owned(),
                reason: format!("has shape {other:?}, expected states or images"),
            });
        }
    };
    let config = SkillConfig {
        observation,
        action_dim: file.count("/action_dim")?,
        skill_dim: file.count("/skill_dim")?,
        value_hidden: file.counts("/value_hidden_dims")?,
        actor_hidden: file.counts("/actor_hidden_dims")?,
        layer_norm: file.switch("/use_layer_norm")?,
        encoder,
        learning_rate: number("/lr")?,
        discount: number("/discount")?,
        target_rate: number("/tau")?,
        expectile: number("/expectile")?,
        skill_discount: number("/skill_discount")?,
        skill_expectile: number("/skill_expectile")?,
        skill_temperature: number("/skill_temperature")?,
    };
    match config.problem() {
        Some(problem) => Err(ParityError::Config(problem)),
        None => Ok(config),
    }
}

/// An image encoder by the authors' name.
///
/// # Errors
/// If there is none of this name.
pub fn encoder(name: &str) -> Result<ImpalaConfig, ParityError> {
    ImpalaConfig::named(name)
        .ok_or_else(|| ParityError::Config(format!("no image encoder is called `{name}`")))
}

/// `module` with the file's weights.
///
/// # Errors
/// If one is missing, unknown, or of another shape.
pub fn with_weights<M: Module>(module: M, file: &GoldenFile) -> Result<M, ParityError> {
    let weights = import(&file.params(""), &specs(&module), file.path())?;
    Ok(apply(module, &weights, file.path())?)
}

/// All networks with the file's weights.
///
/// # Errors
/// As [`with_weights`].
pub fn networks(
    file: &GoldenFile,
    config: &SkillConfig,
    device: &Device,
) -> Result<Networks, ParityError> {
    with_weights(Networks::new(config, device), file)
}

/// States or images.
///
/// # Errors
/// If the tensor is missing or neither.
pub fn observations(
    file: &GoldenFile,
    key: &str,
    device: &Device,
) -> Result<Observations, ParityError> {
    if file.get(key)?.shape.len() == 4 {
        return Ok(Observations::Images(file.tensor(key, device)?));
    }
    Ok(Observations::States(file.tensor(key, device)?))
}

/// The batch under `start`.
///
/// # Errors
/// If a part is missing.
pub fn batch(file: &GoldenFile, start: &str, device: &Device) -> Result<Batch, ParityError> {
    let rows = |name: &str| observations(file, &format!("{start}{name}"), device);
    Ok(Batch {
        observations: rows("observations")?,
        next_observations: rows("next_observations")?,
        goals: rows("goals")?,
        actions: file.tensor(&format!("{start}actions"), device)?,
        reached: file.tensor(&format!("{start}rewards"), device)?,
    })
}
