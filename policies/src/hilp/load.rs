//! From a package to networks on a device: what planning and learning begin with.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use super::config::HilpConfig;
use super::variant::Acting;
use crate::checkpoint::package::{IN_MEMORY, Network};
use crate::checkpoint::{PolicyPackage, apply};
use crate::error::PolicyError;
use crate::mdt::Statistics;

/// A HILP of a package.
pub(super) struct Loaded {
    pub(super) config: HilpConfig,
    pub(super) statistics: Statistics,
    /// The networks with the package's weights.
    pub(super) acting: Acting,
    /// States that may become midpoints, as the networks read them, row-major.
    pub(super) candidates: Arc<Vec<f32>>,
}

/// Builds the networks of a package on `device` (plain or for gradients).
///
/// # Errors
/// If the package is of another family or the weights do not fit the configuration.
pub(super) fn load(package: &PolicyPackage, device: &Device) -> Result<Loaded, PolicyError> {
    let Network::Hilp {
        config,
        statistics,
        candidates,
    } = &package.network
    else {
        return Err(package.network.refuse("hilp"));
    };
    let fresh = Acting::new(&config.network, device);
    Ok(Loaded {
        config: (**config).clone(),
        statistics: statistics.clone(),
        acting: apply(fresh, &package.weights, Path::new(IN_MEMORY))?,
        candidates: candidates.clone(),
    })
}
