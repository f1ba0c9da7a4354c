//! Files of every kind against what the programs that wrote them hold; damaged and hostile files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::Dtype;

use super::state::StateDict;
use super::{Checkpoint, Kind, WeightsChoice, open, open_weights};
use crate::error::CheckpointError;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn file(name: &str) -> PathBuf {
    folder().join("checkpoints").join(name)
}

type Contents = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn contents(state: &StateDict) -> Contents {
    state
        .iter()
        .map(|(key, entry)| {
            let content = (entry.dtype, entry.shape.clone(), entry.read().unwrap());
            (key.to_owned(), content)
        })
        .collect()
}

fn expected(name: &str) -> Contents {
    let checkpoint = open(&file(name)).unwrap();
    assert_eq!(checkpoint.kind, Kind::Safetensors);
    contents(&checkpoint.state)
}

fn same(found: &Contents, wanted: &Contents) {
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        wanted.keys().collect::<Vec<_>>()
    );
    for (key, wanted) in wanted {
        assert_eq!(&found[key], wanted, "{key}");
    }
}

#[test]
fn every_type_and_stride_of_pytorch_is_read() {
    for (name, kind) in [("types.pt", Kind::Torch), ("legacy.pt", Kind::TorchLegacy)] {
        let checkpoint = open(&file(name)).unwrap();
        assert_eq!(checkpoint.kind, kind);
        let wanted = expected(&format!("{name}.expected.safetensors"));
        same(&contents(&checkpoint.state), &wanted);
        let keys = checkpoint.state.iter().map(|(key, _)| key);
        assert_eq!(keys.take(3).collect::<Vec<_>>(), ["f32", "f64", "f16"]);
    }
}

#[test]
fn modules_inside_whole_objects_are_state_dicts() {
    let checkpoint = open(&file("agent.pt")).unwrap();
    let wanted = expected("agent.pt.expected.safetensors");
    let mut found = contents(&checkpoint.state);
    // The optimizer's view of the same parameters comes with it.
    found.retain(|key, _| !key.starts_with("agent.optimizer."));
    same(&found, &wanted);
}

#[test]
fn arrays_of_every_pickle_protocol_are_read() {
    let wanted = expected("numpy.expected.safetensors");
    for protocol in 0..6 {
        let checkpoint = open(&file(&format!("numpy_{protocol}.pkl"))).unwrap();
        assert_eq!(checkpoint.kind, Kind::Pickle, "{protocol}");
        same(&contents(&checkpoint.state), &wanted);
        // An array of texts is no tensor.
        assert_eq!(checkpoint.skipped.len(), 1, "{protocol}");
        assert_eq!(checkpoint.skipped[0].0, "words");
    }
}

#[test]
fn flax_arrays_scalars_and_pieces_are_read() {
    let checkpoint = open(&file("flax.msgpack")).unwrap();
    assert_eq!(checkpoint.kind, Kind::Flax);
    let wanted = expected("flax.msgpack.expected.safetensors");
    same(&contents(&checkpoint.state), &wanted);
}

#[test]
fn lightning_gives_the_state_dict_averaged_or_raw() {
    let path = file("lightning.ckpt");
    let raw = expected("lightning.ckpt.expected.safetensors");
    let averaged = expected("lightning.ckpt.averaged.safetensors");
    for (choice, wanted, says) in [
        (WeightsChoice::Raw, &raw, "last step"),
        (WeightsChoice::Averaged, &averaged, "averaged"),
        (WeightsChoice::Best, &averaged, "averaged"),
    ] {
        let checkpoint = open_weights(&path, choice).unwrap();
        same(&contents(&checkpoint.state), wanted);
        assert!(checkpoint.chosen.contains(says), "{}", checkpoint.chosen);
    }
    // The whole file has everything under full names.
    let all = open(&path).unwrap();
    assert!(all.state.get("state_dict.model.weight").is_some());
    assert!(all.state.get("callbacks.EMA.ema_weights.1").is_some());
    // A file without averages says so.
    let error = open_weights(&file("types.pt"), WeightsChoice::Averaged).unwrap_err();
    assert!(error.to_string().contains("no averaged weights"), "{error}");
}

/// The authors' own files. Expected names join everything with `/`, and list only networks of an
/// object; numbers may be of another type there.
fn authors(path: &str, expected: &str) {
    let checkpoint = open(&folder().join("golden").join(path)).unwrap();
    let wanted = open(&folder().join("golden").join(expected)).unwrap();
    let found = checkpoint
        .state
        .iter()
        .map(|(key, entry)| (key.replace('.', "/"), entry))
        .collect::<BTreeMap<_, _>>();
    for (key, wanted) in wanted.state.iter() {
        let found = found.get(key).unwrap_or_else(|| panic!("no `{key}`"));
        assert_eq!(found.shape, wanted.shape, "{key}");
        if found.dtype == wanted.dtype {
            assert_eq!(found.read().unwrap(), wanted.read().unwrap(), "{key}");
        } else {
            assert!(found.shape.is_empty(), "{key}");
        }
    }
    if checkpoint.kind != Kind::Torch {
        assert_eq!(found.len(), wanted.state.len());
    }
}

#[test]
fn the_authors_own_files_are_read() {
    authors(
        "hilp/ckpt/params_3.pkl",
        "hilp/ckpt/params_3.expected.safetensors",
    );
    authors(
        "hilp/ckpt/latest_3.pt",
        "hilp/ckpt/latest_3.expected.safetensors",
    );
    let flax = "grif/ckpt/checkpoint_3.expected.safetensors";
    authors("grif/ckpt/flax_legacy/checkpoint_3", flax);
    authors("grif/ckpt/orbax_dir/checkpoint_3/checkpoint", flax);
    // The folder that Orbax makes works too.
    authors("grif/ckpt/orbax_dir/checkpoint_3", flax);
}

#[test]
fn everything_goes_to_safetensors_and_back_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["types.pt", "legacy.pt", "numpy_5.pkl", "flax.msgpack"] {
        let state = open(&file(name)).unwrap().state;
        let path = folder.path().join(name);
        let metadata = HashMap::from([("from".to_owned(), name.to_owned())]);
        state.write_safetensors(&path, metadata).unwrap();
        let again = open(&path).unwrap();
        assert_eq!(again.kind, Kind::Safetensors);
        same(&contents(&again.state), &contents(&state));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::remove_file(path).unwrap();
    }
}

fn refusal(bytes: &[u8]) -> CheckpointError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    read_all(&path).unwrap_err()
}

fn read_all(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let checkpoint = open(path)?;
    for (_, entry) in checkpoint.state.iter() {
        entry.read().map_err(|error| error.at(path))?;
    }
    Ok(checkpoint)
}

#[test]
fn files_that_end_early_are_refused_wherever_they_end() {
    for name in [
        "types.pt",
        "legacy.pt",
        "numpy_2.pkl",
        "numpy_4.pkl",
        "flax.msgpack",
    ] {
        let bytes = fs::read(file(name)).unwrap();
        for length in (0..bytes.len()).step_by(13) {
            let error = refusal(&bytes[..length]);
            assert!(
                matches!(error, CheckpointError::Format { .. }),
                "{name} of {length} bytes: {error}"
            );
        }
    }
}

/// Changed bytes give an error or other numbers, never a panic or a long wait.
#[test]
fn files_with_changed_bytes_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut state = 1u64;
    for name in [
        "types.pt",
        "legacy.pt",
        "agent.pt",
        "numpy_0.pkl",
        "numpy_5.pkl",
        "flax.msgpack",
    ] {
        let bytes = fs::read(file(name)).unwrap();
        for _ in 0..150 {
            let mut changed = bytes.clone();
            for _ in 0..3 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let at = (state >> 33) as usize % changed.len();
                changed[at] = (state >> 20) as u8;
            }
            fs::write(&path, &changed).unwrap();
            drop(read_all(&path));
        }
    }
}

#[test]
fn compressed_and_doubled_archive_entries_are_refused() {
    let zip = |method, twice: bool| {
        let mut bytes = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
        let names = ["a/data.pkl", if twice { "a/data.pkl" } else { "a/version" }];
        for name in names {
            let builder = archive.new_file(name).compression_method(method);
            let (mut entry, config) = builder.start().unwrap();
            let mut writer = config.wrap(&mut entry);
            std::io::Write::write_all(&mut writer, b"}.").unwrap();
            let (_, descriptor) = writer.finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
        archive.finish().unwrap();
        bytes
    };
    let error = refusal(&zip(rawzip::CompressionMethod::DEFLATE, false));
    assert!(error.to_string().contains("is compressed"), "{error}");
    let error = refusal(&zip(rawzip::CompressionMethod::STORE, true));
    assert!(error.to_string().contains("two files"), "{error}");
    let error = refusal(&zip(rawzip::CompressionMethod::STORE, false));
    assert!(error.to_string().contains("no tensors"), "{error}");
    let mut bomb = zip(rawzip::CompressionMethod::STORE, false);
    bomb.truncate(bomb.len() - 30);
    let error = refusal(&bomb);
    assert!(error.to_string().contains("cut short"), "{error}");
}

#[test]
fn other_files_are_named_as_such() {
    for bytes in [&b""[..], b"hello, world", &[0; 100], b"\x89PNG\r\n\x1a\n"] {
        let error = refusal(bytes);
        assert!(matches!(error, CheckpointError::Format { .. }), "{error}");
    }
    let missing = open(Path::new("/nowhere/at/all.pt")).unwrap_err();
    assert!(matches!(missing, CheckpointError::Io { .. }));
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("Orbax"), "{error}");
}
