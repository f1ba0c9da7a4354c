//! Files that are whole or absent, whenever the power goes.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::LearnerError;

/// Beginning of the names of files that are being written. Any found at start are leftovers.
pub(super) const UNFINISHED: &str = ".unfinished-";

/// Where a file is written before it gets its name: in the same folder, so that the rename is one
/// step of the file system.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{UNFINISHED}{name}"))
}

/// Gives a written file its name, after its content and before the folder are on the disk.
pub(super) fn commit(written: &Path, path: &Path) -> Result<(), LearnerError> {
    File::open(written)
        .and_then(|file| file.sync_all())
        .map_err(|source| io(written, source))?;
    fs::rename(written, path).map_err(|source| io(path, source))?;
    sync_folder(path)
}

/// Writes a value as JSON.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), LearnerError> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| LearnerError::Damaged {
        path: path.to_owned(),
        reason: format!("cannot be written as JSON: {error}"),
    })?;
    write_bytes(path, &text)
}

/// Writes bytes.
pub(super) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), LearnerError> {
    let written = unfinished(path);
    File::create(&written)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|source| io(&written, source))?;
    commit(&written, path)
}

/// Removes a file; one that is not there is no error.
pub(super) fn remove(path: &Path) -> Result<(), LearnerError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(io(path, source)),
        _ => Ok(()),
    }
}

/// Size and BLAKE3 hash of a file.
pub(super) fn checksum(path: &Path) -> Result<(u64, String), LearnerError> {
    let mut hasher = blake3::Hasher::new();
    File::open(path)
        .and_then(|file| hasher.update_reader(file).map(|_| ()))
        .map_err(|source| io(path, source))?;
    Ok((hasher.count(), hasher.finalize().to_hex().to_string()))
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> Result<(), LearnerError> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| io(folder, source))
}

/// Elsewhere a folder cannot be opened as a file; renames are journalled by the file system.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), LearnerError> {
    Ok(())
}

pub(super) fn io(path: &Path, source: std::io::Error) -> LearnerError {
    LearnerError::Io {
        path: path.to_owned(),
        source,
    }
}
