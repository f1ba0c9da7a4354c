//! The state of a run in one file, so that a run killed at any moment goes on exactly where its last
//! checkpoint was.

use std::collections::HashMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use crate::checkpoint::file::{Tensors, read_with_metadata, write_with_metadata};
use crate::error::CheckpointError;
use crate::mdt::MdtConfig;

/// Key of the description in the file's metadata.
const STATE: &str = "training";

/// What a run needs to go on; `A` describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunState<A = About> {
    /// Description.
    pub about: A,
    /// Weights.
    pub weights: Tensors,
    /// Their moving average; empty if none is kept.
    pub average: Tensors,
    /// State of the optimiser.
    pub optimiser: Tensors,
}

/// Description of a run of [`super::Trainer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Steps done. All random numbers follow from the seed and the step.
    pub step: u64,
    /// Steps skipped so far.
    pub skipped: u64,
    /// Settings of the run.
    pub train: TrainConfig,
    /// Settings of the network.
    pub network: MdtConfig,
}

const PARTS: [&str; 3] = ["weights/", "average/", "optimiser/"];

impl<A: Serialize + DeserializeOwned> RunState<A> {
    /// Writes the state (temporary name, synced, renamed).
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        let parts = [&self.weights, &self.average, &self.optimiser];
        let all = PARTS
            .iter()
            .zip(parts)
            .flat_map(|(part, tensors)| {
                tensors
                    .iter()
                    .map(move |(key, tensor)| (format!("{part}{key}"), tensor.clone()))
            })
            .collect();
        let about =
            serde_json::to_string(&self.about).map_err(|error| CheckpointError::Format {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
        write_with_metadata(path, &all, HashMap::from([(STATE.to_owned(), about)]))
    }

    /// Reads a state.
    ///
    /// # Errors
    /// If the file cannot be read or is not the state of a run.
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let (tensors, metadata) = read_with_metadata(path)?;
        let refuse = |reason: String| CheckpointError::Format {
            path: path.to_owned(),
            reason,
        };
        let about = metadata
            .get(STATE)
            .ok_or_else(|| refuse("not the state of a training run".into()))?;
        let about = serde_json::from_str(about).map_err(|error| refuse(error.to_string()))?;
        let mut parts = [Tensors::new(), Tensors::new(), Tensors::new()];
        for (key, tensor) in tensors {
            for (prefix, part) in PARTS.iter().zip(&mut parts) {
                if let Some(key) = key.strip_prefix(prefix) {
                    part.insert(key.to_owned(), tensor.clone());
                }
            }
        }
        let [weights, average, optimiser] = parts;
        Ok(Self {
            about,
            weights,
            average,
            optimiser,
        })
    }
}
