//! A trained policy as a folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::file::{read_tensors, write_atomically, write_tensors};
use crate::error::CheckpointError;
use crate::mdt::{MdtConfig, Statistics};
use crate::policy::{PolicySpec, Weights};

/// Name of the description inside the folder.
pub const DESCRIPTION: &str = "policy.json";
/// Name of the weights inside the folder.
pub const WEIGHTS: &str = "weights.safetensors";
/// Version of the folder's format.
pub const FORMAT: u32 = 1;

/// Where a policy comes from and what it can do: for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Card {
    /// What it was trained on.
    pub data: String,
    /// How: steps, hardware, time.
    pub training: String,
    /// Measured results, with the command that measures them.
    pub results: String,
    /// What it is known not to do.
    pub limits: String,
    /// Licence of the weights.
    pub licence: String,
}

/// The network of a package, by family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Network {
    /// Multimodal Diffusion Transformer.
    Mdt {
        /// Sizes and options.
        config: Box<MdtConfig>,
        /// Statistics of the training data.
        statistics: Statistics,
    },
}

/// Content of `policy.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    format: u32,
    generation: u64,
    /// Which sentence encoder made the goal vectors; empty if none.
    language: String,
    network: Network,
    card: Card,
}

/// A policy ready to run: network, weights and description.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyPackage {
    /// The network.
    pub network: Network,
    /// Identifier of the sentence encoder that made the goal vectors of training; empty if none.
    pub language: String,
    /// Its weights.
    pub weights: Weights,
    /// For people.
    pub card: Card,
}

impl PolicyPackage {
    /// What the policy needs and gives, without building it.
    pub fn spec(&self) -> PolicySpec {
        match &self.network {
            Network::Mdt { config, .. } => config.spec(),
        }
    }

    /// Writes the folder, each file atomically, weights first.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), CheckpointError> {
        fs::create_dir_all(folder).map_err(|source| CheckpointError::Io {
            path: folder.to_owned(),
            source,
        })?;
        write_tensors(&folder.join(WEIGHTS), &self.weights.tensors)?;
        let path = folder.join(DESCRIPTION);
        let description = Description {
            format: FORMAT,
            generation: self.weights.generation,
            language: self.language.clone(),
            network: self.network.clone(),
            card: self.card.clone(),
        };
        let json =
            serde_json::to_vec_pretty(&description).map_err(|error| CheckpointError::Format {
                path: path.clone(),
                reason: error.to_string(),
            })?;
        write_atomically(&path, &json)
    }

    /// Reads the folder. Whether the weights fit the network is checked when the policy is built.
    ///
    /// # Errors
    /// If a file is missing, damaged, of a newer format, or its configuration is inconsistent.
    pub fn load(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join(DESCRIPTION);
        let json = fs::read(&path).map_err(|source| CheckpointError::Io {
            path: path.clone(),
            source,
        })?;
        let refuse = |reason: String| CheckpointError::Format {
            path: path.clone(),
            reason,
        };
        let description: Description = serde_json::from_slice(&json)
            .map_err(|error| refuse(format!("not a policy description: {error}")))?;
        if description.format != FORMAT {
            return Err(refuse(format!(
                "format {} is not {FORMAT}: use the release that wrote it",
                description.format
            )));
        }
        let Network::Mdt { config, statistics } = &description.network;
        if let Some(problem) = config.problem() {
            return Err(refuse(problem));
        }
        let width = config.denoiser.proprioception;
        if statistics.proprioception_mean.len() != width
            || statistics.proprioception_std.len() != width
        {
            return Err(refuse(format!(
                "statistics must hold {width} numbers, as denoiser.proprioception says"
            )));
        }
        let tensors = read_tensors(&folder.join(WEIGHTS))?;
        Ok(Self {
            network: description.network,
            language: description.language,
            weights: Weights {
                tensors: Arc::new(tensors),
                generation: description.generation,
            },
            card: description.card,
        })
    }
}
