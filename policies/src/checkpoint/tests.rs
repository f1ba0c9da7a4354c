//! Packages and tensors on disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use super::package::{DESCRIPTION, WEIGHTS};
use super::{PolicyPackage, read_tensors, write_tensors};
use crate::error::CheckpointError;
use crate::mdt::fixtures::package;

#[test]
fn a_package_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy");
    let package = package();
    package.save(&path).unwrap();
    assert_eq!(PolicyPackage::load(&path).unwrap(), package);
    // Saving over it works too, and leaves nothing else behind.
    package.save(&path).unwrap();
    let names = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names = names.collect::<Vec<_>>();
    names.sort();
    assert_eq!(names, [DESCRIPTION, WEIGHTS]);
}

#[test]
fn damaged_packages_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let load = || PolicyPackage::load(path);
    assert!(matches!(load(), Err(CheckpointError::Io { .. })));
    package().save(path).unwrap();
    let weights = fs::read(path.join(WEIGHTS)).unwrap();
    for length in [0, 4, 100, weights.len() / 2, weights.len() - 1] {
        fs::write(path.join(WEIGHTS), &weights[..length]).unwrap();
        assert!(
            matches!(load(), Err(CheckpointError::Format { .. })),
            "{length} bytes"
        );
    }
    fs::write(path.join(WEIGHTS), &weights).unwrap();
    let json = fs::read_to_string(path.join(DESCRIPTION)).unwrap();
    for (from, to) in [
        ("\"format\": 1", "\"format\": 2"),
        ("\"heads\": 2", "\"heads\": 3"),
        ("\"width\": 16", "\"width\": 0"),
        ("\"generation\"", "\"surprise\""),
        ("{", ""),
    ] {
        assert!(json.contains(from), "{from}");
        fs::write(path.join(DESCRIPTION), json.replacen(from, to, 1)).unwrap();
        assert!(
            matches!(load(), Err(CheckpointError::Format { .. })),
            "{from} -> {to}"
        );
    }
}

#[test]
fn half_precision_is_read() {
    use safetensors::tensor::{Dtype, TensorView};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    let bytes = [1.5f32, -2.0]
        .map(|value| half::f16::from_f32(value).to_le_bytes())
        .concat();
    let view = TensorView::new(Dtype::F16, vec![2], &bytes).unwrap();
    fs::write(&path, safetensors::serialize([("x", view)], None).unwrap()).unwrap();
    assert_eq!(read_tensors(&path).unwrap()["x"].values, [1.5, -2.0]);
    let bytes = 7i64.to_le_bytes();
    let view = TensorView::new(Dtype::I64, vec![1], &bytes).unwrap();
    fs::write(&path, safetensors::serialize([("x", view)], None).unwrap()).unwrap();
    assert!(matches!(
        read_tensors(&path),
        Err(CheckpointError::Format { .. })
    ));
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let tensors = (*package().weights.tensors).clone();
    write_tensors(&path, &tensors).unwrap();
    // The temporary file cannot be made where a folder has its name.
    fs::create_dir(folder.path().join("weights.safetensors.part")).unwrap();
    let refused = write_tensors(&path, &Default::default());
    assert!(matches!(refused, Err(CheckpointError::Io { .. })));
    assert_eq!(read_tensors(&path).unwrap(), tensors);
}
