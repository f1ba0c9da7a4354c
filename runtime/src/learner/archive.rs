//! Generations on disk.
//!
//! ```text
//! <folder>/<first 16 digits of the fingerprint of generation 0>/
//!     generation-00000007.safetensors    weights
//!     generation-00000007.json           record: parent, judgement, size and BLAKE3 of the weights
//!     state.json                         which generation is in force, which is pinned
//! ```
//!
//! Each file is written under another name, brought to the disk and renamed. Weights come first,
//! then the record, then the state: whenever the power goes, what a file names is there. A weights
//! file without a record is a leftover and is removed; a record whose weights do not have the
//! stated hash is damaged and is never used.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cerebellum_policies::checkpoint::{read_tensors, write_tensors};
use cerebellum_policies::policy::Weights;
use serde::{Deserialize, Serialize};

use super::error::LearnerError;
use super::files::{UNFINISHED, checksum, commit, io, remove, unfinished, write_json};
use super::generations::{GenerationRecord, State};
use super::weights::{fingerprint, first_non_finite, misfit};

const STATE: &str = "state.json";
const WEIGHTS: &str = "safetensors";
const RECORD: &str = "json";
const PREFIX: &str = "generation-";

/// A folder with the generations of one policy.
pub(super) struct Archive {
    folder: PathBuf,
}

/// A record as it is on disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filed {
    record: GenerationRecord,
    bytes: u64,
    blake3: String,
}

/// What an archive holds at start.
pub(super) struct Inventory {
    /// Readable records, oldest first.
    pub(super) records: Vec<GenerationRecord>,
    /// The state, if there is a readable one.
    pub(super) state: Option<State>,
    /// What was found wrong, for a person.
    pub(super) findings: Vec<String>,
}

impl Archive {
    /// Opens, and creates where needed, the folder for the policy whose generation 0 is `base`.
    pub(super) fn open(parent: &Path, base: &Weights) -> Result<(Self, Inventory), LearnerError> {
        let folder = parent.join(&fingerprint(base)[..16]);
        fs::create_dir_all(&folder).map_err(|source| io(&folder, source))?;
        let archive = Self { folder };
        let inventory = archive.take_stock()?;
        Ok((archive, inventory))
    }

    fn take_stock(&self) -> Result<Inventory, LearnerError> {
        let mut findings = Vec::new();
        let mut names: Vec<String> = fs::read_dir(&self.folder)
            .map_err(|source| io(&self.folder, source))?
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect();
        names.sort_unstable();
        let mut records = Vec::new();
        for name in &names {
            let path = self.folder.join(name);
            if name.starts_with(UNFINISHED) {
                findings.push(format!(
                    "{}: writing was cut short; removed",
                    path.display()
                ));
                remove(&path)?;
            } else if let Some(generation) = number(name, RECORD) {
                match self.read_record(generation) {
                    Ok(filed) => records.push(filed.record),
                    Err(error) => findings.push(format!("{error}; the record is not used")),
                }
            } else if let Some(generation) = number(name, WEIGHTS)
                && !names.contains(&file_name(generation, RECORD))
            {
                findings.push(format!(
                    "{}: weights without a record; removed",
                    path.display()
                ));
                remove(&path)?;
            }
        }
        records.sort_by_key(|record| record.generation);
        let state_path = self.folder.join(STATE);
        let state = match fs::read(&state_path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .inspect_err(|error| {
                    findings.push(format!(
                        "{}: {error}; the newest good generation is used",
                        state_path.display()
                    ));
                })
                .ok(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => return Err(io(&state_path, source)),
        };
        Ok(Inventory {
            records,
            state,
            findings,
        })
    }

    /// Writes weights and record.
    pub(super) fn save(
        &self,
        record: &GenerationRecord,
        weights: &Weights,
    ) -> Result<(), LearnerError> {
        let path = self.path(record.generation, WEIGHTS);
        let written = unfinished(&path);
        write_tensors(&written, &weights.tensors)?;
        let (bytes, blake3) = checksum(&written)?;
        commit(&written, &path)?;
        self.write_record(&Filed {
            record: record.clone(),
            bytes,
            blake3,
        })
    }

    /// Writes the record anew; its weights stay.
    pub(super) fn update(&self, record: &GenerationRecord) -> Result<(), LearnerError> {
        let filed = self.read_record(record.generation)?;
        self.write_record(&Filed {
            record: record.clone(),
            ..filed
        })
    }

    /// Reads weights, if they are what was written and fit `base`.
    pub(super) fn load(&self, generation: u64, base: &Weights) -> Result<Weights, LearnerError> {
        let filed = self.read_record(generation)?;
        let path = self.path(generation, WEIGHTS);
        let damaged = |reason: String| LearnerError::Damaged {
            path: path.clone(),
            reason,
        };
        let (bytes, blake3) = checksum(&path)?;
        if bytes != filed.bytes {
            return Err(damaged(format!(
                "has {bytes} bytes, {} were written",
                filed.bytes
            )));
        }
        if blake3 != filed.blake3 {
            return Err(damaged(
                "its hash is not that of what was written".to_owned(),
            ));
        }
        let weights = Weights {
            tensors: Arc::new(read_tensors(&path)?),
            generation,
        };
        if let Some(reason) = misfit(base, &weights) {
            return Err(damaged(reason));
        }
        match first_non_finite(&weights) {
            Some(key) => Err(damaged(format!("tensor `{key}` is not finite"))),
            None => Ok(weights),
        }
    }

    /// Whether the weights of a generation are there.
    pub(super) fn has_weights(&self, generation: u64) -> bool {
        self.path(generation, WEIGHTS).is_file()
    }

    pub(super) fn remove_weights(&self, generation: u64) -> Result<(), LearnerError> {
        remove(&self.path(generation, WEIGHTS))
    }

    pub(super) fn remove_record(&self, generation: u64) -> Result<(), LearnerError> {
        // Weights first: a record without weights is a known state, the reverse is a leftover.
        self.remove_weights(generation)?;
        remove(&self.path(generation, RECORD))
    }

    pub(super) fn write_state(&self, state: &State) -> Result<(), LearnerError> {
        write_json(&self.folder.join(STATE), state)
    }

    fn read_record(&self, generation: u64) -> Result<Filed, LearnerError> {
        let path = self.path(generation, RECORD);
        let bytes = fs::read(&path).map_err(|source| io(&path, source))?;
        let filed: Filed =
            serde_json::from_slice(&bytes).map_err(|error| LearnerError::Damaged {
                path: path.clone(),
                reason: error.to_string(),
            })?;
        if filed.record.generation != generation {
            return Err(LearnerError::Damaged {
                path,
                reason: format!("is the record of generation {}", filed.record.generation),
            });
        }
        Ok(filed)
    }

    fn write_record(&self, filed: &Filed) -> Result<(), LearnerError> {
        write_json(&self.path(filed.record.generation, RECORD), filed)
    }

    fn path(&self, generation: u64, extension: &str) -> PathBuf {
        self.folder.join(file_name(generation, extension))
    }
}

fn file_name(generation: u64, extension: &str) -> String {
    format!("{PREFIX}{generation:08}.{extension}")
}

/// The generation that a file of this ending belongs to.
fn number(name: &str, extension: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?
        .strip_suffix(extension)?
        .strip_suffix('.')?
        .parse()
        .ok()
}
