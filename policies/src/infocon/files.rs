//! Models in the authors' files: PyTorch checkpoints in, their keys and layout out.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;

use super::config::InfoConConfig;
use super::cotpc::{Cotpc, CotpcConfig};
use super::error::InfoConError;
use super::model::InfoCon;
use crate::checkpoint::file::Tensors;
use crate::checkpoint::{KeyMap, apply, collect, import, specs, write_tensors};
use crate::error::CheckpointError;

/// Where the authors' training loops put the weights, beside settings.
const UNDER: [&str; 3] = ["module.", "model.", "state_dict."];

/// Reads a discovery model: a PyTorch checkpoint of the authors' code, or safetensors with its keys.
///
/// # Errors
/// If the file cannot be read or does not belong to the configuration.
pub fn read_infocon(
    path: &Path,
    config: &InfoConConfig,
    device: &Device,
) -> Result<InfoCon, InfoConError> {
    read(InfoCon::new(config, device)?, path)
}

/// Reads a policy, as [`read_infocon`].
///
/// # Errors
/// As there.
pub fn read_cotpc(
    path: &Path,
    config: &CotpcConfig,
    device: &Device,
) -> Result<Cotpc, InfoConError> {
    read(Cotpc::new(config, device)?, path)
}

/// Writes a model (an [`InfoCon`] or a [`Cotpc`]) as safetensors with the authors' keys and layout:
/// `load_state_dict(load_file(path), strict=False)` takes it, where only constants are missing.
///
/// # Errors
/// If the file cannot be written.
pub fn write<M: Module>(path: &Path, model: &M) -> Result<(), CheckpointError> {
    let tensors = KeyMap::INFOCON.export(&collect(model, 0), &specs(model), path)?;
    write_tensors(path, &tensors)
}

fn read<M: Module>(fresh: M, path: &Path) -> Result<M, InfoConError> {
    let tensors = tensors(path)?;
    let weights = KeyMap::INFOCON.import(&tensors, &specs(&fresh), path)?;
    Ok(apply(fresh, &weights, path)?)
}

fn tensors(path: &Path) -> Result<Tensors, CheckpointError> {
    let state = import::open(path)?.state;
    let state = UNDER
        .iter()
        .map(|prefix| state.below(prefix))
        .find(|below| !below.is_empty())
        .unwrap_or(state);
    let mut tensors = Tensors::new();
    for (key, entry) in state.iter() {
        if let Some(tensor) = entry.floats().map_err(|error| error.at(path))? {
            tensors.insert(key.to_owned(), tensor);
        }
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::golden::Golden;

    #[test]
    fn what_is_written_has_the_authors_keys_and_is_read_again() {
        let golden = Golden::open("infocon/07_train_goal.safetensors");
        let config = golden.config();
        let size = |key: &str| config[key].as_u64().unwrap() as usize;
        let config = InfoConConfig {
            width: size("n_embd"),
            heads: size("n_head"),
            context: size("context_length"),
            hidden: size("mlp_hidden"),
            key_layers: size("n_key_layer"),
            reconstruction_layers: size("n_rec_layer"),
            future_layers: size("n_future_layer"),
            concepts: size("n_e"),
            key_dim: size("key_dim"),
            parameter_dim: size("e_dim"),
            ..InfoConConfig::published(size("state_dim"), size("action_dim"), size("max_timestep"))
        };
        let device = Device::flex();
        let theirs = golden.params("");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("theirs.safetensors");
        write_tensors(&path, &theirs).unwrap();
        let model = read_infocon(&path, &config, &device).unwrap();
        let again = folder.path().join("ours.safetensors");
        write(&again, &model).unwrap();
        assert_eq!(tensors(&again).unwrap(), theirs);

        let other = InfoConConfig {
            concepts: config.concepts + 1,
            ..config
        };
        assert!(read_infocon(&path, &other, &device).is_err());
    }

    #[test]
    fn weights_may_lie_under_a_name() {
        let golden = Golden::open("infocon/23_cotpc_type_s_a.safetensors");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("theirs.safetensors");
        let named = golden.params("").into_iter();
        let named = named.map(|(key, tensor)| (format!("model.{key}"), tensor));
        write_tensors(&path, &named.collect()).unwrap();
        assert_eq!(tensors(&path).unwrap(), golden.params(""));
    }
}
