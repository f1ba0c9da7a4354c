//! What an import did, kept beside the weights so that it can be undone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use super::state::{Entry, StateDict};
use super::transfer::{Fate, KeyReport};
use crate::checkpoint::file::{Tensors, write_atomically};
use crate::checkpoint::layout::permuted;
use crate::error::CheckpointError;
use crate::policy::WeightTensor;

/// Name of the record inside a policy's folder.
pub const RECORD: &str = "import.json";
/// Name of the file with tensors that the policy does not use.
pub const IGNORED: &str = "ignored.safetensors";
/// Version of the record.
const FORMAT: u32 = 1;

/// Content of `import.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportRecord {
    format: u32,
    /// Family of the policy.
    pub family: String,
    /// Name of the file.
    pub source: String,
    /// Which of its weights were taken, in words.
    pub weights: String,
    /// Every key of the file.
    pub keys: KeyReport,
}

impl ImportRecord {
    /// Of an import.
    pub fn new(family: &str, source: &Path, weights: &str, keys: KeyReport) -> Self {
        let name = source.file_name().unwrap_or_default();
        Self {
            format: FORMAT,
            family: family.to_owned(),
            source: name.to_string_lossy().into_owned(),
            weights: weights.to_owned(),
            keys,
        }
    }

    /// Writes it into a policy's folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), CheckpointError> {
        let path = folder.join(RECORD);
        let json = serde_json::to_vec_pretty(self).map_err(|error| CheckpointError::Format {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        write_atomically(&path, &json)
    }

    /// Reads it from a policy's folder; `None` if the policy was not imported.
    ///
    /// # Errors
    /// If it is damaged or of a newer format.
    pub fn load(folder: &Path) -> Result<Option<Self>, CheckpointError> {
        let path = folder.join(RECORD);
        if !path.exists() {
            return Ok(None);
        }
        let refuse = |reason: String| CheckpointError::Format {
            path: path.clone(),
            reason,
        };
        let json = fs::read(&path).map_err(|source| CheckpointError::Io {
            path: path.clone(),
            source,
        })?;
        let record = serde_json::from_slice::<Self>(&json)
            .map_err(|error| refuse(format!("not a record of an import: {error}")))?;
        if record.format != FORMAT {
            return Err(refuse(format!(
                "format {} is not {FORMAT}: use the release that wrote it",
                record.format
            )));
        }
        Ok(Some(record))
    }

    /// Our tensors under the authors' names, in their layout, types and order. Ignored tensors come
    /// from `ignored` if they were kept.
    ///
    /// # Errors
    /// If a tensor is missing among ours or has another shape.
    pub fn undo(
        &self,
        ours: &Tensors,
        ignored: &StateDict,
        origin: &Path,
    ) -> Result<StateDict, CheckpointError> {
        let mut state = StateDict::default();
        for line in &self.keys.lines {
            let entry = match &line.fate {
                Fate::Mapped {
                    ours: name,
                    transposed,
                } => {
                    let tensor = ours.get(name).ok_or_else(|| CheckpointError::MissingKey {
                        path: origin.to_owned(),
                        key: name.clone(),
                        expected: line.shape.clone(),
                    })?;
                    foreign(tensor, *transposed, line.dtype, &line.shape, origin).ok_or_else(
                        || CheckpointError::Shape {
                            path: origin.to_owned(),
                            key: name.clone(),
                            expected: line.shape.clone(),
                            found: tensor.shape.clone(),
                        },
                    )?
                }
                // What it was computed from tells more, if it was kept.
                Fate::Computed { ours: name, .. } if ignored.is_empty() => {
                    let Some(tensor) = ours.get(name) else {
                        continue;
                    };
                    let entry = foreign(tensor, false, line.dtype, &tensor.shape, origin);
                    let Some(entry) = entry else {
                        continue;
                    };
                    entry
                }
                Fate::Ignored { .. } => match ignored.get(&line.key) {
                    Some(entry) => entry.clone(),
                    None => continue,
                },
                Fate::Computed { .. } | Fate::Missing | Fate::Unknown => continue,
            };
            state
                .insert(line.key.clone(), entry)
                .map_err(|error| error.at(origin))?;
        }
        Ok(state)
    }

    /// The tensors of a file that the policy does not use.
    ///
    /// # Errors
    /// Never, if the record is of this file.
    pub fn ignored(&self, state: &StateDict, origin: &Path) -> Result<StateDict, CheckpointError> {
        let unused = self
            .keys
            .lines
            .iter()
            .filter(|line| matches!(line.fate, Fate::Ignored { .. }))
            .map(|line| (line.key.as_str(), ()))
            .collect::<BTreeMap<_, _>>();
        let mut kept = StateDict::default();
        for (key, entry) in state.iter().filter(|(key, _)| unused.contains_key(key)) {
            kept.insert(key.to_owned(), entry.clone())
                .map_err(|error| error.at(origin))?;
        }
        Ok(kept)
    }
}

/// One of our tensors as the authors' file had it; `None` if it cannot have that shape.
fn foreign(
    tensor: &WeightTensor,
    turned: bool,
    dtype: Dtype,
    shape: &[usize],
    origin: &Path,
) -> Option<Entry> {
    let turned = if turned {
        let (shape, values) = (tensor.shape.len() == 2)
            .then(|| permuted(&tensor.shape, &tensor.values, &[1, 0]))
            .flatten()?;
        Some(WeightTensor { shape, values })
    } else {
        None
    };
    let tensor = turned.as_ref().unwrap_or(tensor);
    let count = shape.iter().product::<usize>();
    if tensor.values.len() != count || (tensor.shape != shape && count != 1) {
        return None;
    }
    let values = tensor.values.iter();
    let bytes = match dtype {
        Dtype::F64 => values.flat_map(|&v| f64::from(v).to_le_bytes()).collect(),
        Dtype::F16 => values
            .flat_map(|&v| half::f16::from_f32(v).to_le_bytes())
            .collect(),
        Dtype::BF16 => values
            .flat_map(|&v| half::bf16::from_f32(v).to_le_bytes())
            .collect(),
        _ => values.flat_map(|v| v.to_le_bytes()).collect(),
    };
    let dtype = match dtype {
        Dtype::F64 | Dtype::F16 | Dtype::BF16 => dtype,
        _ => Dtype::F32,
    };
    Some(Entry::memory(origin, dtype, shape.to_vec(), bytes))
}
