//! From a package to a network on a device: what planning and learning begin with.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use super::config::MdtConfig;
use super::goals::GoalVectors;
use super::model::Mdt;
use super::statistics::Statistics;
use crate::checkpoint::package::{IN_MEMORY, Network};
use crate::checkpoint::{PolicyPackage, apply};
use crate::error::PolicyError;
use crate::language::SentenceEncoder;

/// An MDT of a package.
pub(super) struct Loaded {
    /// Sizes and options.
    pub(super) config: MdtConfig,
    /// Statistics of the training data.
    pub(super) statistics: Statistics,
    /// The network with the package's weights.
    pub(super) model: Mdt,
    /// Encodes goals.
    pub(super) goals: GoalVectors,
}

/// Builds the network of a package on `device` (plain or for gradients).
///
/// # Errors
/// If the weights do not fit the configuration or the sentence encoder is another one.
pub(super) fn load(
    package: &PolicyPackage,
    language: Arc<dyn SentenceEncoder>,
    device: &Device,
) -> Result<Loaded, PolicyError> {
    let Network::Mdt { config, statistics } = &package.network else {
        return Err(package.network.refuse("mdt"));
    };
    let goals = GoalVectors::new(language, config, &package.language)?;
    let model = apply(
        Mdt::new(config, device),
        &package.weights,
        Path::new(IN_MEMORY),
    )?;
    Ok(Loaded {
        config: (**config).clone(),
        statistics: statistics.clone(),
        model,
        goals,
    })
}
