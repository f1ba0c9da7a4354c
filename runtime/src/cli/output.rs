//! Reports to files.

use std::path::Path;

use anyhow::anyhow;
use serde::Serialize;

use super::exit::Failure;
use crate::report::write_json;

/// Writes a report as JSON, if a file was named.
///
/// # Errors
/// If it cannot be written.
pub fn save(path: Option<&Path>, report: &impl Serialize) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    write_json(path, report).map_err(|error| {
        Failure::environment(anyhow!("{} cannot be written: {error}", path.display()))
    })
}
