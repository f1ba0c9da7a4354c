//! Cases of checkpoints: what our readers find in the authors' files, which lie beside the list of
//! what they hold.

use std::path::PathBuf;

use burn::tensor::Device;
use safetensors::tensor::TensorView;

use super::case::Case;
use super::error::ParityError;
use super::golden::{GoldenFile, decode};
use super::outputs::Outputs;
use crate::checkpoint::import::open;

/// Numbers are copied; the list may hold a Python float in single precision.
fn tolerance(_: &str) -> f64 {
    1e-7
}

/// The cases, by the names that training loops give their files.
pub const CASES: &[Case] = &[
    Case {
        pattern: "params_*",
        compute,
        tolerance,
    },
    Case {
        pattern: "latest_*",
        compute,
        tolerance,
    },
    Case {
        pattern: "snapshot_*",
        compute,
        tolerance,
    },
    Case {
        pattern: "checkpoint_*",
        compute,
        tolerance,
    },
];

/// The checkpoints that a list belongs to: a pickle, a file of `torch.save`, or both forms of Flax.
fn checkpoints(file: &GoldenFile) -> Vec<PathBuf> {
    let name = file.stem().trim_end_matches(".expected");
    let folder = file.path().parent().unwrap_or(file.path());
    let forms = [
        format!("{name}.pkl"),
        format!("{name}.pt"),
        format!("{name}.msgpack"),
        format!("flax_legacy/{name}"),
        format!("orbax_dir/{name}"),
    ];
    let paths = forms.iter().map(|form| folder.join(form));
    paths.filter(|path| path.exists()).collect()
}

fn compute(file: &GoldenFile, _: &Device) -> Result<Outputs, ParityError> {
    let paths = checkpoints(file);
    if paths.is_empty() {
        let reason = format!("no checkpoint of the name `{}` lies beside it", file.stem());
        return Err(ParityError::Config(reason));
    }
    let mut outputs = Outputs::default();
    for path in paths {
        let checkpoint = open(&path)?;
        for (key, entry) in checkpoint.state.iter() {
            // The list joins names by slashes, PyTorch by dots.
            let key = key.replace('.', "/");
            if !file.has(&key) {
                continue;
            }
            let bytes = entry.read().map_err(|error| error.at(&path))?;
            let view = TensorView::new(entry.dtype, entry.shape.clone(), &bytes)
                .map_err(|error| ParityError::Damaged(error.to_string()))?;
            let found = decode(&key, &view)?;
            // Several forms of one checkpoint hold the same numbers.
            let data = outputs.get(&key).map(|data| data.iter::<f64>().collect());
            if data.is_some_and(|other: Vec<f64>| other != found.values) {
                let reason = format!(
                    "{} holds other numbers than the form before",
                    path.display()
                );
                return Err(ParityError::Tensor { key, reason });
            }
            outputs.put_values(key, &found.shape, &found.values);
        }
        // Every form must hold all of it.
        let missing = file.expected().find(|(key, _)| outputs.get(key).is_none());
        if let Some((key, _)) = missing {
            return Err(ParityError::MissingTensor(format!(
                "{key} in {}",
                path.display()
            )));
        }
    }
    Ok(outputs)
}
