//! Schedules, averages, augmentation and demonstrations.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use super::augment::Augmentation;
use super::average::AverageConfig;
use super::episode::Episode;
use super::schedule::{LearningRate, TriStage};
use super::tests::demonstrations;
use super::{DemoDataset, Trajectory};
use crate::error::CheckpointError;
use crate::golden::{Golden, path};

#[test]
fn schedule_and_average_follow_the_authors() {
    let text = fs::read(path("mdt/schedules_misc.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let rate = LearningRate::TriStage {
        peak: 1e-4,
        total: 50_000,
        shape: TriStage::default(),
    };
    let rates = golden["lr_used_at_optimizer_step"].as_object().unwrap();
    for (step, want) in rates {
        let got = f64::from(rate.at(step.parse().unwrap(), 40_000));
        let want = want.as_f64().unwrap();
        assert!(
            (got - want).abs() <= 1e-5 * want + 1e-12,
            "step {step}: {got} {want}"
        );
    }
    for (step, want) in golden["ema_decay"].as_object().unwrap() {
        let got = AverageConfig::default().decay(step.parse().unwrap());
        let want = want.as_f64().unwrap() as f32;
        assert!((got - want).abs() < 1e-6, "step {step}: {got} {want}");
    }
}

#[test]
fn cosine_begins_and_ends_where_it_should() {
    let rate = LearningRate::Cosine {
        peak: 1.0,
        last: 0.1,
        warm_up: 10,
    };
    let at = |step| rate.at(step, 110);
    assert!((at(0) - 0.1).abs() < 1e-6 && (at(9) - 1.0).abs() < 1e-6);
    assert!((at(10) - 1.0).abs() < 1e-6 && (at(60) - 0.55).abs() < 1e-6);
    assert!((at(110) - 0.1).abs() < 1e-6 && (at(10_000) - 0.1).abs() < 1e-6);
}

#[test]
fn warm_up_from_zero_changes_nothing_at_first() {
    let rate = LearningRate::WarmupCosine {
        peak: 1.0,
        warm_up: 2,
        total: 10,
    };
    // The length of the run plays no part.
    let at = |step| rate.at(step, 3);
    assert_eq!((at(0), at(1), at(2)), (0.0, 0.5, 1.0));
    assert!((at(6) - 0.5).abs() < 1e-6 && at(10).abs() < 1e-6 && at(99).abs() < 1e-6);
}

#[test]
fn shifts_are_those_of_the_authors() {
    let golden = Golden::open("mdt/image_transforms.safetensors");
    let byte = |value: f32| (value * 20.0 + 128.0).round().clamp(0.0, 255.0) as u8;
    for (case, pad) in [(0, 4), (1, 10)] {
        let input = golden.get(&format!("in/shift_img_{case}"));
        let want = golden.values(&format!("out/shift_{case}"));
        let offsets = golden.values(&format!("in/shift_xy_{case}"));
        let size = input.shape[2];
        let area = size * size;
        for (image, planes) in input.values.chunks_exact(3 * area).enumerate() {
            let interleaved = |planes: &[f32]| {
                (0..area)
                    .flat_map(|pixel| [0, 1, 2].map(|c| byte(planes[c * area + pixel])))
                    .collect::<Vec<u8>>()
            };
            let change = Augmentation {
                offset: [0, 1].map(|axis| offsets[2 * image + axis] as i32 - pad),
                ..Augmentation::NONE
            };
            let got = change.apply(&interleaved(planes), size);
            let want = interleaved(&want[image * 3 * area..][..3 * area]);
            assert!(
                got.iter().zip(&want).all(|(a, b)| a.abs_diff(*b) <= 1),
                "case {case}"
            );
        }
    }
}

fn stored(folder: &std::path::Path, trajectories: &[Trajectory]) {
    for (index, trajectory) in trajectories.iter().enumerate() {
        DemoDataset::store(folder, index, trajectory).unwrap();
    }
}

#[test]
fn demonstrations_read_the_same_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let trajectories = demonstrations(3, 16);
    stored(folder.path(), &trajectories);
    let disk = DemoDataset::load(folder.path()).unwrap();
    let memory = DemoDataset::new(trajectories);
    assert_eq!((disk.len(), disk.episodes().len()), (36, 3));
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for index in 0..disk.len() {
        let (a, b) = (disk.moment(index).unwrap(), memory.moment(index).unwrap());
        assert_eq!(
            (a.step, &a.episode.instruction),
            (b.step, &b.episode.instruction)
        );
        a.image("front", 3, &mut left).unwrap();
        b.image("front", 3, &mut right).unwrap();
        assert_eq!(left, right);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        a.actions(10, &mut left);
        b.actions(10, &mut right);
        assert_eq!(left, right);
    }
    assert!(disk.moment(36).is_none());
    let moment = disk.moment(0).unwrap();
    assert!(moment.image("side", 0, &mut Vec::new()).is_err());
}

#[test]
fn after_the_end_the_tool_rests() {
    let data = DemoDataset::new(demonstrations(1, 16));
    let mut actions = Vec::new();
    data.moment(11).unwrap().actions(3, &mut actions);
    assert_eq!(actions[..7], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(actions[7..14], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(actions[7..14], actions[14..]);
}

#[test]
fn damaged_demonstrations_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), &demonstrations(1, 16));
    let file = folder.path().join("demonstration-000000.safetensors");
    let bytes = fs::read(&file).unwrap();
    for length in [0, 7, 8, 50, bytes.len() - 1] {
        fs::write(&file, &bytes[..length]).unwrap();
        assert!(Episode::open(&file).is_err(), "{length} bytes");
    }
    let mut longest = bytes.clone();
    longest[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&file, &longest).unwrap();
    assert!(matches!(
        Episode::open(&file),
        Err(CheckpointError::Format { .. })
    ));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        DemoDataset::load(empty.path()),
        Err(CheckpointError::Format { .. })
    ));
    let mut uneven = demonstrations(1, 16);
    uneven[0].actions.pop();
    assert!(uneven[0].save(&file).is_err());
}
