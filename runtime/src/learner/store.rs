//! Weights as files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use cerebellum_policies::error::CheckpointError;
use cerebellum_policies::policy::{WeightTensor, Weights};
use safetensors::tensor::{Dtype, SafeTensors, View};

/// How weights are written to and read from a file.
pub trait WeightStore: Send {
    /// Ending of the files, without the dot.
    fn extension(&self) -> &'static str;

    /// Writes `weights` to `path`, completely or with an error. The caller renames.
    ///
    /// # Errors
    /// If the file cannot be written.
    fn save(&self, path: &Path, weights: &Weights) -> Result<(), CheckpointError>;

    /// Reads weights. The generation is the caller's to set.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or holds a value that is not finite.
    fn load(&self, path: &Path) -> Result<Weights, CheckpointError>;
}

/// Little-endian f32 tensors in the safetensors format.
#[derive(Clone, Copy, Debug, Default)]
pub struct Safetensors;

impl WeightStore for Safetensors {
    fn extension(&self) -> &'static str {
        "safetensors"
    }

    fn save(&self, path: &Path, weights: &Weights) -> Result<(), CheckpointError> {
        let views = weights
            .tensors
            .iter()
            .map(|(key, tensor)| (key, Values(tensor)));
        let bytes = safetensors::serialize(views, None).map_err(|error| format(path, &error))?;
        fs::write(path, bytes).map_err(|source| io(path, source))
    }

    fn load(&self, path: &Path) -> Result<Weights, CheckpointError> {
        let bytes = fs::read(path).map_err(|source| io(path, source))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| format(path, &error))?;
        let mut tensors = BTreeMap::new();
        for (key, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(CheckpointError::Format {
                    path: path.to_owned(),
                    reason: format!("tensor `{key}` is {:?}, generations are f32", view.dtype()),
                });
            }
            let values: Vec<f32> = view
                .data()
                .as_chunks::<4>()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect();
            if values.iter().any(|value| !value.is_finite()) {
                return Err(CheckpointError::NonFinite {
                    path: path.to_owned(),
                    key,
                });
            }
            let shape = view.shape().to_vec();
            tensors.insert(key, WeightTensor { shape, values });
        }
        Ok(Weights {
            tensors: Arc::new(tensors),
            generation: 0,
        })
    }
}

struct Values<'a>(&'a WeightTensor);

impl View for Values<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.0.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = self.0.values.iter().flat_map(|value| value.to_le_bytes());
        Cow::Owned(bytes.collect())
    }
    fn data_len(&self) -> usize {
        size_of_val(self.0.values.as_slice())
    }
}

fn format(path: &Path, error: &safetensors::SafeTensorError) -> CheckpointError {
    CheckpointError::Format {
        path: path.to_owned(),
        reason: format!("{error}: the file is damaged or not of this format"),
    }
}

fn io(path: &Path, source: std::io::Error) -> CheckpointError {
    CheckpointError::Io {
        path: path.to_owned(),
        source,
    }
}

/// What tells the weights of one model from those of another: a hash over keys, shapes and values.
pub fn fingerprint(weights: &Weights) -> String {
    let mut hasher = blake3::Hasher::new();
    for (key, tensor) in weights.tensors.iter() {
        hasher.update(&(key.len() as u64).to_le_bytes());
        hasher.update(key.as_bytes());
        hasher.update(&(tensor.shape.len() as u64).to_le_bytes());
        for extent in &tensor.shape {
            hasher.update(&(*extent as u64).to_le_bytes());
        }
        for value in &tensor.values {
            hasher.update(&value.to_le_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// The first key of `weights` that holds a value that is not finite.
pub fn first_non_finite(weights: &Weights) -> Option<&str> {
    weights
        .tensors
        .iter()
        .find(|(_, tensor)| tensor.values.iter().any(|value| !value.is_finite()))
        .map(|(key, _)| key.as_str())
}

/// Why `weights` are not of the same model as `base`, if they are not.
pub fn misfit(base: &Weights, weights: &Weights) -> Option<String> {
    for (key, tensor) in base.tensors.iter() {
        match weights.tensors.get(key) {
            None => return Some(format!("tensor `{key}` is missing")),
            Some(found) if found.shape != tensor.shape => {
                return Some(format!(
                    "tensor `{key}` has shape {:?}, expected {:?}",
                    found.shape, tensor.shape
                ));
            }
            Some(_) => {}
        }
    }
    weights
        .tensors
        .keys()
        .find(|key| !base.tensors.contains_key(*key))
        .map(|key| format!("tensor `{key}` is unknown"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn weights(values: &[f32]) -> Weights {
        let tensor = WeightTensor {
            shape: vec![values.len()],
            values: values.to_vec(),
        };
        Weights {
            tensors: Arc::new(BTreeMap::from([("a.weight".to_owned(), tensor)])),
            generation: 0,
        }
    }

    #[test]
    fn weights_survive_a_file_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let saved = weights(&[1.0, -0.0, f32::MIN_POSITIVE / 2.0, 3.4e38]);
        Safetensors.save(&path, &saved).unwrap();
        let loaded = Safetensors.load(&path).unwrap();
        let bits = |w: &Weights| -> Vec<u32> {
            w.tensors["a.weight"]
                .values
                .iter()
                .map(|v| v.to_bits())
                .collect()
        };
        assert_eq!(bits(&loaded), bits(&saved));
        assert_eq!(fingerprint(&loaded), fingerprint(&saved));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        Safetensors.save(&path, &weights(&[1.0, f32::NAN])).unwrap();
        assert!(matches!(
            Safetensors.load(&path),
            Err(CheckpointError::NonFinite { .. })
        ));
        Safetensors.save(&path, &weights(&[1.0; 64])).unwrap();
        let bytes = fs::read(&path).unwrap();
        for end in [0, 4, 20, bytes.len() - 1] {
            fs::write(&path, &bytes[..end]).unwrap();
            assert!(Safetensors.load(&path).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn another_model_does_not_fit() {
        let base = weights(&[1.0, 2.0]);
        assert_eq!(misfit(&base, &weights(&[5.0, 6.0])), None);
        assert!(
            misfit(&base, &weights(&[1.0]))
                .unwrap()
                .contains("shape [1]")
        );
        assert!(
            misfit(&base, &Weights::default())
                .unwrap()
                .contains("missing")
        );
        assert!(
            misfit(&Weights::default(), &base)
                .unwrap()
                .contains("unknown")
        );
    }
}
