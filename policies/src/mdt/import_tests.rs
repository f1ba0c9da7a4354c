//! The authors' checkpoints in and out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::Dtype;
use serde_json::json;

use super::config::{DenoiserConfig, MdtConfig, NoiseInput};
use super::fixtures::{in_authors_names, shrink};
use super::import;
use crate::checkpoint::PolicyPackage;
use crate::checkpoint::import::record::{IGNORED, ImportRecord, RECORD};
use crate::checkpoint::import::transfer::Fate;
use crate::checkpoint::import::{Entry, StateDict, WeightsChoice, export, open, open_weights};
use crate::error::CheckpointError;
use crate::nn::ResNetConfig;

/// The authors' network with other numbers.
fn small() -> MdtConfig {
    let mut config = MdtConfig::paper();
    for camera in [&mut config.static_camera, &mut config.gripper_camera] {
        camera.encoder = ResNetConfig {
            widths: vec![16, 32, 32, 48],
            blocks: vec![1, 2, 1, 1],
            ..ResNetConfig::resnet18()
        };
        camera.encoder.stem.channels = 16;
    }
    shrink(&mut config);
    config.denoiser.action_dim = 5;
    config
}

fn entry(shape: &[usize], values: &[f32]) -> Entry {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    Entry::memory(
        Path::new("made"),
        Dtype::F32,
        shape.to_vec(),
        bytes.collect(),
    )
}

/// What the authors' agent of a configuration would save.
fn authors(config: &MdtConfig) -> StateDict {
    let mut state = in_authors_names(config);
    for (key, shape) in [
        ("logit_scale", &[][..]),
        ("model.inner_model.proprio_emb.0.weight", &[2, 3]),
        ("language_goal.clip_rn50.text_projection", &[2, 2]),
        ("visual_goal.clip_model.visual.proj", &[2, 2]),
        ("gen_img.decoder_pe", &[1, 4, 8]),
    ] {
        let count = shape.iter().product::<usize>();
        state
            .insert(key.to_owned(), entry(shape, &vec![0.5; count]))
            .unwrap();
    }
    state
}

fn contents(state: &StateDict) -> Vec<(String, Dtype, Vec<usize>, Vec<u8>)> {
    state
        .iter()
        .map(|(key, entry)| {
            let bytes = entry.read().unwrap();
            (key.to_owned(), entry.dtype, entry.shape.clone(), bytes)
        })
        .collect()
}

fn config_of(package: &PolicyPackage) -> MdtConfig {
    let json = serde_json::to_value(&package.network).unwrap();
    serde_json::from_value(json["config"].clone()).unwrap()
}

/// Imports a state dict into `folder`.
fn imported(state: &StateDict, folder: &Path) -> Result<ImportRecord, CheckpointError> {
    let file = folder.join("theirs.safetensors");
    state.write_safetensors(&file, HashMap::new()).unwrap();
    let checkpoint = open_weights(&file, WeightsChoice::Best)?;
    let config = import::config(&checkpoint.state, &checkpoint.settings(), &file)?;
    let report = import::plan(&checkpoint.state, &config);
    let (package, record) = import::package(&checkpoint, config, report, &file)?;
    package.save(folder)?;
    record.save(folder)?;
    let ignored = record.ignored(&checkpoint.state, &file)?;
    ignored.write_safetensors(&folder.join(IGNORED), HashMap::new())?;
    Ok(record)
}

#[test]
fn every_published_key_of_full_size_is_mapped_or_ignored_for_a_reason() {
    let keys = include_str!("../../tests/checkpoints/mdt_keys.json");
    let keys = serde_json::from_str::<HashMap<String, Vec<usize>>>(keys).unwrap();
    assert_eq!(keys.len(), 1014);
    let config = MdtConfig::paper();
    import::with_transfer(&config, |transfer| {
        let all = keys.iter();
        let report = transfer.plan(all.map(|(key, shape)| (key.as_str(), Dtype::F32, &shape[..])));
        let [mapped, ignored, missing, unknown] = report.counts();
        assert_eq!((missing, unknown), (0, 0), "{report}");
        assert_eq!(mapped, transfer.specs.len());
        // Two CLIPs, the fixed table, the temperature, the unused layers.
        assert_eq!(ignored, 302 + 302 + 1 + 1 + 4);
        for line in &report.lines {
            let Fate::Mapped { ours, transposed } = &line.fate else {
                continue;
            };
            let spec = transfer
                .specs
                .iter()
                .find(|spec| spec.key == *ours)
                .unwrap();
            let mut shape = spec.shape.clone();
            if *transposed {
                shape.reverse();
            }
            assert_eq!(line.shape, shape, "{}", line.key);
        }
    });
}

#[test]
fn import_and_export_change_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let state = authors(&config);
    let record = imported(&state, folder.path()).unwrap();
    let [_, ignored, missing, unknown] = record.keys.counts();
    assert_eq!((ignored, missing, unknown), (5, 0, 0));
    let package = PolicyPackage::load(folder.path()).unwrap();
    assert_eq!(config_of(&package), config);

    let exported = export(folder.path()).unwrap();
    let mut theirs = contents(&state);
    let mut back = contents(&exported);
    theirs.sort();
    back.sort();
    assert_eq!(back, theirs);
    // And once more through the file that was written.
    let again = folder.path().join("again.safetensors");
    exported.write_safetensors(&again, HashMap::new()).unwrap();
    let again = open(&again).unwrap().state;
    let mut again = contents(&again);
    again.sort();
    assert_eq!(again, theirs);

    // Without a record the names follow from the map; ignored tensors are not known then.
    std::fs::remove_file(folder.path().join(RECORD)).unwrap();
    let derived = export(folder.path()).unwrap();
    assert_eq!(derived.len(), state.len() - 5);
    for (key, entry) in derived.iter() {
        assert_eq!(
            entry.read().unwrap(),
            state.get(key).unwrap().read().unwrap()
        );
    }
}

#[test]
fn half_precision_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = StateDict::default();
    for (key, entry) in authors(&small()).iter() {
        let floats = entry.floats().unwrap().unwrap().values;
        let halves = floats
            .iter()
            .flat_map(|&value| half::bf16::from_f32(value).to_le_bytes());
        let shape = entry.shape.clone();
        let entry = Entry::memory(Path::new("made"), Dtype::BF16, shape, halves.collect());
        state.insert(key.to_owned(), entry).unwrap();
    }
    imported(&state, folder.path()).unwrap();
    let mut back = contents(&export(folder.path()).unwrap());
    let mut theirs = contents(&state);
    back.sort();
    theirs.sort();
    assert_eq!(back, theirs);
}

#[test]
fn settings_tell_what_shapes_do_not() {
    let mut config = small();
    config.denoiser.heads = 4;
    config.denoiser.noise = NoiseInput::Added;
    config.diffusion.steps = 7;
    config.diffusion.sigma_min = 0.5;
    let state = authors(&config);
    let settings = json!({
        "num_sampling_steps": 7,
        "sigma_min": 0.5,
        "model": {"inner_model": {"n_heads": 4, "use_noise_encoder": true}},
    });
    let found = import::config(&state, &settings, Path::new("made")).unwrap();
    assert_eq!(found, config);
}

#[test]
fn variants_are_told_apart_by_their_tensors() {
    for change in [
        |d: &mut DenoiserConfig| d.bias = true,
        |d: &mut DenoiserConfig| d.linear_output = false,
        |d: &mut DenoiserConfig| d.mlp_goal = false,
        |d: &mut DenoiserConfig| d.noise = NoiseInput::EncoderToken,
    ] {
        let mut config = small();
        change(&mut config.denoiser);
        let folder = tempfile::tempdir().unwrap();
        imported(&authors(&config), folder.path()).unwrap();
        let package = PolicyPackage::load(folder.path()).unwrap();
        assert_eq!(config_of(&package), config);
    }
}

/// The same file with one tensor changed, added (`None` before) or removed (`None` after).
fn changed(key: &str, to: Option<Entry>) -> StateDict {
    let mut state = StateDict::default();
    for (name, entry) in authors(&small()).iter() {
        if name != key {
            state.insert(name.to_owned(), entry.clone()).unwrap();
        }
    }
    if let Some(entry) = to {
        state.insert(key.to_owned(), entry).unwrap();
    }
    state
}

#[test]
fn files_that_do_not_fit_are_refused_by_the_authors_name() {
    let refusal = |state: &StateDict| {
        let folder = tempfile::tempdir().unwrap();
        imported(state, folder.path()).unwrap_err()
    };
    let key = "model.inner_model.decoder.blocks.1.adaLN_zero.modulation.1.bias";
    match refusal(&changed(key, None)) {
        CheckpointError::MissingKey {
            key: found,
            expected,
            ..
        } => {
            assert_eq!(found, key);
            assert_eq!(expected, [96]);
        }
        other => panic!("{other}"),
    }
    match refusal(&changed(
        "model.inner_model.surprise",
        Some(entry(&[1], &[1.0])),
    )) {
        CheckpointError::UnknownKey { key, .. } => assert_eq!(key, "model.inner_model.surprise"),
        other => panic!("{other}"),
    }
    let key = "model.inner_model.sigma_emb.1.weight";
    match refusal(&changed(key, Some(entry(&[16, 32], &[0.0; 512])))) {
        CheckpointError::Shape {
            key: found,
            expected,
            found: shape,
            ..
        } => {
            assert_eq!(found, key);
            assert_eq!((expected, shape), (vec![32, 16], vec![16, 32]));
        }
        other => panic!("{other}"),
    }
    for value in [f32::NAN, f32::INFINITY] {
        let key = "model.inner_model.action_pred.bias";
        match refusal(&changed(
            key,
            Some(entry(&[5], &[0.0, value, 0.0, 0.0, 0.0])),
        )) {
            CheckpointError::NonFinite { key: found, .. } => assert_eq!(found, key),
            other => panic!("{other}"),
        }
    }
    let key = "model.inner_model.action_pred.bias";
    let integers = Entry::memory(Path::new("made"), Dtype::I64, vec![5], vec![0; 40]);
    let error = refusal(&changed(key, Some(integers))).to_string();
    assert!(error.contains(key) && error.contains("I64"), "{error}");
    // One tensor of MDT-V asks for all of them.
    let lone = changed("perceiver.latents", Some(entry(&[1, 4], &[0.0; 4])));
    let error = refusal(&lone).to_string();
    assert!(error.contains("img_encoder.vcond."), "{error}");
}
