#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::path::PathBuf;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

use super::*;

fn golden(family: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/golden").join(family)
}

fn run_on(folder: &Path) -> ParityReport {
    run(folder, &Device::flex(), &mut |_| ()).unwrap()
}

/// A file of vectors with a configuration.
fn write(path: &Path, tensors: &[(&str, &[f32])], metadata: &[(&str, serde_json::Value)]) {
    let raw = tensors.iter().map(|(key, values)| {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        (*key, values.len(), bytes.collect::<Vec<u8>>())
    });
    let raw = raw.collect::<Vec<_>>();
    let views = raw.iter().map(|(key, count, bytes)| {
        let view = TensorView::new(Dtype::F32, vec![*count], bytes).unwrap();
        (*key, view)
    });
    let metadata = metadata
        .iter()
        .map(|(key, json)| ((*key).to_owned(), json.to_string()));
    let metadata = metadata.collect::<HashMap<_, _>>();
    let bytes = safetensors::serialize(views, Some(metadata)).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn the_cases_of_mdt_agree_with_the_reference() {
    let report = run_on(&golden("mdt"));
    assert_eq!(report.failed, 0, "{report}");
    assert!(report.passed > 500, "{report}");
}

#[test]
fn the_cases_of_grif_agree_with_the_reference() {
    let report = run_on(&golden("grif"));
    assert_eq!((report.failed, report.unknown), (0, 0), "{report}");
    assert!(report.passed > 400, "{report}");
}

#[test]
fn the_authors_checkpoints_hold_what_they_list() {
    for family in ["hilp/ckpt", "grif/ckpt"] {
        let report = run_on(&golden(family));
        assert_eq!((report.failed, report.unknown), (0, 0), "{report}");
        assert!(report.passed > 200, "{report}");
    }
}

#[test]
fn the_cases_of_hilp_and_spr_agree_with_the_reference() {
    for (family, least) in [("hilp", 3000), ("spr", 200)] {
        let report = run_on(&golden(family));
        assert_eq!(report.failed, 0, "{report}");
        assert!(report.passed > least, "{report}");
    }
}

#[test]
fn damaged_and_strange_files_are_reported_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("deeper")).unwrap();
    std::fs::write(path("deeper/cut.safetensors"), b"\x10\0\0\0\0\0\0\0{\"a\":").unwrap();
    std::fs::write(path("notes.txt"), b"not compared").unwrap();
    write(
        &path("something_new.safetensors"),
        &[("out/a", &[1.0]), ("out/b", &[2.0]), ("in/x", &[0.0])],
        &[("config", json!({}))],
    );
    let report = run_on(folder.path());
    assert_eq!((report.passed, report.failed, report.unknown), (0, 1, 2));
    assert!(!report.is_success());
    assert_eq!(report.cases[0].file, "deeper/cut.safetensors");
    let text = report.to_string();
    assert!(text.contains("not a whole safetensors file"), "{text}");
}

#[test]
fn a_case_without_its_configuration_fails_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sigma_schedules.safetensors");
    write(
        &file,
        &[("out/a", &[1.0])],
        &[("config", json!({"sets": 3}))],
    );
    let report = run_on(folder.path());
    assert_eq!((report.passed, report.failed, report.unknown), (0, 1, 0));
    assert!(report.to_string().contains("`/sets`"), "{report}");
}

#[test]
fn other_sizes_and_values_work_and_errors_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sigma_schedules.safetensors");
    let config = json!({
        "sets": [{"tag": "mine", "n": 3, "sigma_min": 1.0, "sigma_max": 100.0}],
        "density": {"sigma_min": 0.1, "sigma_max": 9.0, "sigma_data": 0.5,
                    "lognormal": [0.0, 1.0], "split_lognormal": [0.0, 1.0, 1.0]},
    });
    let inputs: [(&str, &[f32]); 6] = [
        ("in/sigma", &[1.0]),
        ("in/u_f32", &[0.5]),
        ("in/u_f64", &[0.5]),
        ("in/z", &[0.0]),
        ("in/anc_from", &[2.0]),
        ("in/anc_to", &[1.0]),
    ];
    let outputs: [(&str, &[f32]); 3] = [
        ("out/mine/exponential", &[100.0, 10.0, 1.0, 0.0]),
        ("out/mine/linear", &[100.0, 50.5, 1.5, 0.0]),
        ("out/mine/unheard_of", &[1.0]),
    ];
    let all = [&inputs[..], &outputs[..]].concat();
    write(&file, &all, &[("config", config)]);
    let report = run_on(folder.path());
    assert_eq!(
        (report.passed, report.failed, report.unknown),
        (1, 1, 1),
        "{report}"
    );
    let wrong = report
        .cases
        .iter()
        .find(|r| r.tensor == "out/mine/linear")
        .unwrap();
    assert!((wrong.max_abs.unwrap() - 0.5).abs() < 1e-6);
}

#[test]
fn the_json_has_the_agreed_keys() {
    let folder = tempfile::tempdir().unwrap();
    write(
        &folder.path().join("x.safetensors"),
        &[("out/a", &[1.0])],
        &[],
    );
    let json = serde_json::to_value(run_on(folder.path())).unwrap();
    assert_eq!(
        json,
        json!({"passed": 0, "failed": 0, "unknown": 1, "cases": [{
            "file": "x.safetensors", "tensor": "out/a", "max_abs": null, "max_rel": null,
            "tolerance": null, "passed": false,
        }]})
    );
}

#[test]
fn noisy_parameters_are_left_out_but_their_gradients_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("steps.safetensors");
    let extra = json!({"noisy_after_optimizer": ["attn.key.bias"]});
    write(&file, &[("out/attn.key.bias", &[1.0])], &[("extra", extra)]);
    let file = GoldenFile::open(&file).unwrap();
    assert!(file.is_noisy("out/attn.key.bias"));
    assert!(file.is_noisy("out/step2/after/attn.key.bias"));
    assert!(!file.is_noisy("out/step0/grad/attn.key.bias"));
    assert!(!file.is_noisy("out/other.attn.key.bias"));
}

#[test]
fn an_empty_folder_and_none_at_all_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let result = run(folder.path(), &device, &mut |_| ());
    assert!(matches!(result, Err(ParityError::NoFiles(_))));
    let result = run(&folder.path().join("none"), &device, &mut |_| ());
    assert!(matches!(result, Err(ParityError::Io { .. })));
}
