//! The discovery model of a golden file.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::checkpoint::KeyMap;
use crate::infocon::{InfoCon, InfoConConfig, InfoConError, Windows};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::with_weights;
use crate::parity::outputs::Outputs;

/// Keys of the family's files.
pub const KEYS: &KeyMap = &KeyMap::INFOCON;

impl From<InfoConError> for ParityError {
    fn from(error: InfoConError) -> Self {
        Self::Config(error.to_string())
    }
}

/// Sizes and options of a file's configuration.
///
/// # Errors
/// If one is missing or they do not go together.
pub fn config(file: &GoldenFile) -> Result<InfoConConfig, ParityError> {
    let count = |key: &str| file.count(&format!("/{key}"));
    let flag = |key: &str| file.flag(&format!("/{key}"));
    let number = |key: &str| file.number(&format!("/{key}"));
    if file
        .number("/embed_dropout")
        .is_ok_and(|dropout| dropout > 0.0)
    {
        let reason = "`embed_dropout` is not 0: what is drawn cannot be compared".to_owned();
        return Err(ParityError::Config(reason));
    }
    let config = InfoConConfig {
        state_dim: count("state_dim")?,
        action_dim: count("action_dim")?,
        width: count("n_embd")?,
        heads: count("n_head")?,
        context: count("context_length")?,
        max_timestep: count("max_timestep")?,
        hidden: count("mlp_hidden")?,
        key_layers: count("n_key_layer")?,
        reconstruction_layers: count("n_rec_layer")?,
        future_layers: count("n_future_layer")?,
        action_layers: count("n_action_layer")?,
        score_layers: count("n_state_layer")?,
        skip: flag("use_skip")?,
        key_state_input: flag("use_future_state")?,
        concepts: count("n_e")?,
        key_dim: count("key_dim")?,
        parameter_dim: count("e_dim")?,
        temperature: number("KT")?,
        time_rate: number("st_emb_rate")?,
        radius: flag("use_r")?,
        ema_decay: number("coe_ema")?,
        ema_averaged: flag("ema_ave")?,
    };
    config.check()?;
    Ok(config)
}

/// The whole model with the file's weights.
///
/// # Errors
/// If the configuration or the weights do not fit.
pub fn model(file: &GoldenFile, device: &Device) -> Result<InfoCon, ParityError> {
    with_weights(InfoCon::new(&config(file)?, device)?, file, "", KEYS)
}

/// One network with the file's weights under `prefix`.
///
/// # Errors
/// If the weights do not fit.
pub fn part<M: Module>(module: M, file: &GoldenFile, prefix: &str) -> Result<M, ParityError> {
    with_weights(module, file, prefix, KEYS)
}

/// Values of a tensor as whole numbers.
///
/// # Errors
/// If it is missing, or a value is none.
pub fn whole(file: &GoldenFile, key: &str) -> Result<Vec<usize>, ParityError> {
    let values = file.get(key)?.values.iter();
    values
        .map(|&value| match value {
            value if value >= 0.0 && value.fract() == 0.0 && value < 1e9 => Ok(value as usize),
            value => Err(ParityError::Tensor {
                key: key.to_owned(),
                reason: format!("holds {value}, expected whole numbers from 0"),
            }),
        })
        .collect()
}

/// Windows of a file.
///
/// # Errors
/// If a tensor is missing or does not fit.
pub fn windows(
    file: &GoldenFile,
    keys: [&str; 3],
    config: &InfoConConfig,
    device: &Device,
) -> Result<Windows, ParityError> {
    let [states, actions, starts] = keys;
    let states = file.tensor(states, device)?;
    let actions = Some(file.tensor(actions, device)?);
    Ok(Windows::new(states, actions, whole(file, starts)?, config)?)
}

/// Puts concepts, `[rows, steps]`.
pub fn put_concepts(outputs: &mut Outputs, key: String, concepts: &[usize], shape: &[usize]) {
    let values = concepts.iter().map(|&concept| concept as f64);
    outputs.put_values(key, shape, &values.collect::<Vec<_>>());
}

/// `[rows * steps, 1]` as `[rows, steps]`.
pub fn per_step(values: Tensor<2>, [rows, steps]: [usize; 2]) -> Tensor<2> {
    values.reshape([rows, steps])
}
