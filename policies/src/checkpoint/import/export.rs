//! Back to the authors' names.

use std::path::Path;

use super::blob::Blob;
use super::error::FormatError;
use super::record::{IGNORED, ImportRecord};
use super::state::StateDict;
use crate::checkpoint::PolicyPackage;
use crate::checkpoint::package::Network;
use crate::error::CheckpointError;
use crate::mdt;

/// The tensors of a policy under the authors' names and in their layout. What was imported and not
/// trained since comes out bit by bit as it was, in its order, with the tensors that the policy does
/// not use if they were kept.
///
/// # Errors
/// If the folder is no policy, or its weights do not fit its record of the import.
pub fn export(folder: &Path) -> Result<StateDict, CheckpointError> {
    let package = PolicyPackage::load(folder)?;
    let record = match (ImportRecord::load(folder)?, &package.network) {
        (Some(record), _) => record,
        (None, Network::Mdt { config, .. }) => {
            mdt::import::record(config, &package.weights, folder)
        }
        (None, Network::Hilp { .. }) => {
            return Err(CheckpointError::Format {
                path: folder.to_owned(),
                reason: "a HILP that was not imported has no names of the authors' to go back to"
                    .into(),
            });
        }
        (None, Network::Grif { .. } | Network::InfoCon { .. }) => {
            return Err(CheckpointError::Format {
                path: folder.to_owned(),
                reason: format!(
                    "a policy of family {} that was not imported cannot be exported yet: its \
                     tensors are in weights.safetensors, under this project's names",
                    package.spec().family
                ),
            });
        }
    };
    let path = folder.join(IGNORED);
    let ignored = if path.exists() {
        let opened = Blob::open(&path)
            .map_err(FormatError::from)
            .and_then(|blob| StateDict::open_safetensors(&blob));
        opened.map_err(|error| error.at(&path))?.0
    } else {
        StateDict::default()
    };
    record.undo(&package.weights.tensors, &ignored, folder)
}
