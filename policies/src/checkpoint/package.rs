//! A trained policy as a folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::file::{read_tensors, write_atomically, write_tensors};
use crate::error::{CheckpointError, PolicyError};
use crate::grif::GrifPolicyConfig;
use crate::hilp::HilpConfig;
use crate::infocon::InfoConPolicyConfig;
use crate::mdt::{MdtConfig, Statistics};
use crate::policy::{PolicySpec, WeightTensor, Weights};

/// Name of the description inside the folder.
pub const DESCRIPTION: &str = "policy.json";
/// Name of the weights inside the folder.
pub const WEIGHTS: &str = "weights.safetensors";
/// Name of the states that may become midpoints (HILP) inside the folder.
pub const CANDIDATES: &str = "candidates.safetensors";
/// Key of the only tensor in [`CANDIDATES`].
const CANDIDATES_KEY: &str = "states";
/// Named in errors about weights that come from memory (the learner, a package read before) and not
/// from a file.
pub(crate) const IN_MEMORY: &str = "weights in memory";
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
    /// Hilbert representations.
    Hilp {
        /// Sizes and options.
        config: Box<HilpConfig>,
        /// Statistics of the training data.
        statistics: Statistics,
        /// States that may become midpoints, as the networks read them, row-major; in a file of
        /// their own.
        #[serde(skip)]
        candidates: Arc<Vec<f32>>,
    },
    /// Goals as changes.
    Grif {
        /// Sizes and options.
        config: Box<GrifPolicyConfig>,
        /// Statistics of proprioception.
        statistics: Statistics,
    },
    /// Discovered concepts.
    #[serde(rename = "infocon")]
    InfoCon {
        /// Sizes and options.
        config: Box<InfoConPolicyConfig>,
        /// Statistics of whole states: proprioception, then the world's.
        statistics: Statistics,
    },
}

impl Network {
    /// That this is not the network of another family.
    pub(crate) fn refuse(&self, expected: &str) -> PolicyError {
        let found = self.spec().family;
        PolicyError::Checkpoint(CheckpointError::Format {
            path: IN_MEMORY.into(),
            reason: format!("a policy of family {found}, expected {expected}"),
        })
    }

    /// What the policy needs and gives.
    fn spec(&self) -> PolicySpec {
        match self {
            Self::Mdt { config, .. } => config.spec(),
            Self::Hilp { config, .. } => config.spec(),
            Self::Grif { config, .. } => config.spec(),
            Self::InfoCon { config, .. } => config.spec(),
        }
    }

    /// What is wrong with the description, if anything.
    fn problem(&self) -> Option<String> {
        let (problem, statistics, width) = match self {
            Self::Mdt { config, statistics } => {
                (config.problem(), statistics, config.denoiser.proprioception)
            }
            Self::Hilp {
                config, statistics, ..
            } => (config.problem(), statistics, config.inputs.statistics()),
            Self::Grif { config, statistics } => {
                (config.problem(), statistics, config.network.proprioception)
            }
            Self::InfoCon { config, statistics } => {
                (config.problem(), statistics, config.state_dim())
            }
        };
        let found = [
            statistics.proprioception_mean.len(),
            statistics.proprioception_std.len(),
        ];
        let wrong = || {
            format!(
                "statistics must hold {width} numbers, one per proprioception input: it has {} \
                 means and {} deviations",
                found[0], found[1]
            )
        };
        problem.or_else(|| (found != [width; 2]).then(wrong))
    }
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
        self.network.spec()
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
        if let Network::Hilp {
            config, candidates, ..
        } = &self.network
            && config.midpoints.is_some()
        {
            let width = config.inputs.shape().len();
            let tensor = WeightTensor {
                shape: vec![candidates.len() / width.max(1), width],
                values: (**candidates).clone(),
            };
            let tensors = [(CANDIDATES_KEY.to_owned(), tensor)].into();
            write_tensors(&folder.join(CANDIDATES), &tensors)?;
        }
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
        if let Some(problem) = description.network.problem() {
            return Err(refuse(problem));
        }
        let mut network = description.network;
        if let Network::Hilp {
            config, candidates, ..
        } = &mut network
            && config.midpoints.is_some()
        {
            *candidates = read_candidates(&folder.join(CANDIDATES), config)?;
        }
        let tensors = read_tensors(&folder.join(WEIGHTS))?;
        Ok(Self {
            network,
            language: description.language,
            weights: Weights {
                tensors: Arc::new(tensors),
                generation: description.generation,
            },
            card: description.card,
        })
    }
}

/// States that may become midpoints.
fn read_candidates(path: &Path, config: &HilpConfig) -> Result<Arc<Vec<f32>>, CheckpointError> {
    let width = config.inputs.shape().len();
    let found = match read_tensors(path)?.remove(CANDIDATES_KEY) {
        None => "no such key".to_owned(),
        Some(tensor) if tensor.shape.len() != 2 || tensor.shape[1] != width => {
            format!("shape {:?}", tensor.shape)
        }
        Some(tensor) if tensor.values.iter().any(|value| !value.is_finite()) => {
            "NaN or infinity".to_owned()
        }
        Some(tensor) => return Ok(Arc::new(tensor.values)),
    };
    Err(CheckpointError::Format {
        path: path.to_owned(),
        reason: format!(
            "expected finite rows of {width} numbers under the key `{CANDIDATES_KEY}`, found \
             {found}: write the package anew, as `cerebellum train --family hilp` does"
        ),
    })
}
