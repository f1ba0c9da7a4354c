//! Finding golden files.

use std::fs;
use std::path::{Path, PathBuf};

use super::case;
use super::error::ParityError;

/// Folders deeper than this are not entered: a loop of links must end.
const MAX_DEPTH: usize = 16;

/// All `.safetensors` files under `folder`, and those `.json` files that a case knows: their names
/// relative to it (with `/`) and their paths, sorted by name.
pub(super) fn golden_files(folder: &Path) -> Result<Vec<(String, PathBuf)>, ParityError> {
    let mut found = Vec::new();
    visit(folder, "", 0, &mut found)?;
    found.sort();
    if found.is_empty() {
        return Err(ParityError::NoFiles(folder.to_owned()));
    }
    Ok(found)
}

fn visit(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<(String, PathBuf)>,
) -> Result<(), ParityError> {
    let io = |source| ParityError::Io {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let Some(base) = path.file_name().map(|name| name.to_string_lossy()) else {
            continue;
        };
        let name = format!("{prefix}{base}");
        if path.is_dir() {
            if depth < MAX_DEPTH {
                visit(&path, &format!("{name}/"), depth + 1, found)?;
            }
        } else if is_golden(&path) {
            found.push((name, path));
        }
    }
    Ok(())
}

/// Other JSON files may lie beside golden files, such as lists of keys.
fn is_golden(path: &Path) -> bool {
    match path.extension().and_then(|end| end.to_str()) {
        Some("safetensors") => true,
        Some("json") => path
            .file_stem()
            .is_some_and(|stem| case::find(&stem.to_string_lossy()).is_some()),
        _ => false,
    }
}
