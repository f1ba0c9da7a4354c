#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use super::super::testing::gain_of;
use super::*;
use crate::inference::testing::weights;

fn judgement() -> Judgement {
    Judgement {
        reason: "gain 1 %".to_owned(),
        rejection: None,
        windows: 64,
        reference_loss: 1.0,
        candidate_loss: 0.9,
        gain: 0.1,
        p: 0.01,
        shift: Some(Shift::default()),
        drift: None,
    }
}

fn open_with(folder: Option<&Path>, keep: u32, history: u32) -> Generations {
    let config = GenerationsConfig {
        folder: folder.map(Path::to_owned),
        keep,
        history,
    };
    Generations::open(&config, weights(0, 1.0)).unwrap()
}

fn open(folder: &Path) -> Generations {
    open_with(Some(folder), 4, 200)
}

/// Accepts generations with gains 10, 20, … 10 n.
fn grow(generations: &mut Generations, count: u64) {
    for _ in 0..count {
        let next = generations.in_force().generation + 1;
        let (_, stored) = generations.accept(
            weights(0, next as f32 * 10.0),
            &judgement(),
            Stamp(next as i64),
            next,
        );
        stored.unwrap();
    }
}

fn in_force(generations: &Generations) -> (u64, f32) {
    let weights = generations.in_force();
    (weights.generation, gain_of(weights))
}

fn file(folder: &Path, name: &str) -> PathBuf {
    let policy = fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    policy.path().join(name)
}

#[test]
fn the_last_generation_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    grow(&mut open(folder.path()), 3);
    let again = open(folder.path());
    assert_eq!(in_force(&again), (3, 30.0));
    assert_eq!(again.findings(), [""; 0]);
    let record = again.record(3).unwrap();
    assert_eq!(
        (record.parent, record.stamp, record.loss),
        (2, Stamp(3), 0.9)
    );
}

#[test]
fn a_damaged_newest_file_gives_way_to_the_one_before_and_says_so() {
    type Damage = fn(&Path);
    let damages: [(Damage, &str); 4] = [
        (
            |path| fs::write(path, &fs::read(path).unwrap()[..40]).unwrap(),
            "40 bytes",
        ),
        (
            |path| {
                let mut bytes = fs::read(path).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                fs::write(path, bytes).unwrap();
            },
            "hash",
        ),
        (|path| fs::write(path, b"").unwrap(), "0 bytes"),
        (
            |path| fs::remove_file(path).unwrap(),
            "generation 3 cannot be used",
        ),
    ];
    for (damage, said) in damages {
        let folder = tempfile::tempdir().unwrap();
        grow(&mut open(folder.path()), 3);
        damage(&file(folder.path(), "generation-00000003.safetensors"));
        let mut again = open(folder.path());
        assert_eq!(in_force(&again), (2, 20.0));
        let findings = again.findings().join("\n");
        assert!(findings.contains(said), "{findings}");
        assert!(findings.contains("generation 2 is in force"), "{findings}");
        // The number is not used again, and the choice is remembered.
        let (next, _) = again.accept(weights(0, 5.0), &judgement(), Stamp(9), 9);
        assert_eq!(next.generation, 4);
        assert_eq!(again.record(4).unwrap().parent, 2);
        assert_eq!(in_force(&open(folder.path())), (4, 5.0));
    }
}

#[test]
fn with_every_file_damaged_the_offline_weights_are_used() {
    let folder = tempfile::tempdir().unwrap();
    grow(&mut open(folder.path()), 2);
    for generation in [1, 2] {
        let name = format!("generation-{generation:08}.safetensors");
        fs::write(file(folder.path(), &name), b"broken").unwrap();
    }
    let again = open(folder.path());
    assert_eq!(in_force(&again), (0, 1.0));
    assert_eq!(again.record(2).unwrap().standing, Standing::Damaged);
}

#[test]
fn a_damaged_record_or_state_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    grow(&mut open(folder.path()), 3);
    fs::write(file(folder.path(), "generation-00000003.json"), b"{").unwrap();
    fs::write(file(folder.path(), "state.json"), b"").unwrap();
    let again = open(folder.path());
    assert_eq!(in_force(&again), (2, 20.0));
    assert_eq!(again.findings().len(), 2, "{:?}", again.findings());
}

/// Power cuts at each step of accepting generation 3: what is left is always usable.
#[test]
fn a_power_cut_at_any_step_leaves_a_usable_generation() {
    let cuts: [(&[&str], u64); 3] = [
        // Weights written, but under the unfinished name.
        (
            &[
                "generation-00000003.safetensors",
                "generation-00000003.json",
            ],
            2,
        ),
        // Weights renamed, no record.
        (&["generation-00000003.json"], 2),
        // Record written, state not.
        (&[], 2),
    ];
    for (lost, expected) in cuts {
        let folder = tempfile::tempdir().unwrap();
        let mut generations = open(folder.path());
        grow(&mut generations, 2);
        let state = fs::read(file(folder.path(), "state.json")).unwrap();
        grow(&mut generations, 1);
        drop(generations);
        fs::write(file(folder.path(), "state.json"), state).unwrap();
        for name in lost {
            let path = file(folder.path(), name);
            fs::rename(&path, path.with_file_name(format!(".unfinished-{name}"))).unwrap();
        }
        let mut again = open(folder.path());
        assert_eq!(again.in_force().generation, expected);
        assert_eq!(
            again.findings().len(),
            lost.len() + usize::from(lost.len() == 1)
        );
        grow(&mut again, 1);
        assert_eq!(
            open(folder.path()).in_force().generation,
            again.in_force().generation
        );
        let policy = file(folder.path(), "");
        let leftovers = fs::read_dir(policy).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with(".unfinished")
        });
        assert_eq!(leftovers.count(), 0);
    }
}

#[test]
fn taking_back_goes_to_the_nearest_good_ancestor_and_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let mut generations = open(folder.path());
    grow(&mut generations, 3);
    let (weights_now, stored) = generations.take_back("jumps").unwrap();
    stored.unwrap();
    assert_eq!((weights_now.generation, gain_of(&weights_now)), (2, 20.0));
    let (next, _) = generations.accept(weights(0, 40.0), &judgement(), Stamp(4), 4);
    assert_eq!(next.generation, 4);
    generations.take_back("jumps").unwrap().1.unwrap();
    generations.take_back("jumps").unwrap().1.unwrap();
    assert_eq!(in_force(&generations), (1, 10.0));
    let mut again = open(folder.path());
    assert_eq!(in_force(&again), (1, 10.0));
    assert_eq!(again.record(3).unwrap().standing, Standing::TakenBack);
    again.take_back("all of it").unwrap().1.unwrap();
    assert!(again.take_back("the rest").is_none(), "generation 0 stays");
}

#[test]
fn only_the_newest_weights_are_kept() {
    for on_disk in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let mut generations = open_with(on_disk.then_some(folder.path()), 2, 5);
        grow(&mut generations, 9);
        assert_eq!(generations.kept(), [0, 8, 9]);
        assert_eq!(generations.records().count(), 5);
        assert!(matches!(
            generations.weights(6),
            Err(LearnerError::UnknownGeneration { generation: 6, .. })
        ));
        assert_eq!(gain_of(&generations.weights(8).unwrap()), 80.0);
        assert_eq!(gain_of(&generations.weights(0).unwrap()), 1.0);
    }
}

#[test]
fn a_pin_holds_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut generations = open(folder.path());
    grow(&mut generations, 3);
    assert_eq!(generations.pin(1).unwrap().generation, 1);
    let mut again = open(folder.path());
    assert_eq!((in_force(&again), again.pinned()), ((1, 10.0), Some(1)));
    again.unpin().unwrap();
    assert!(again.pin(7).is_err());
    assert_eq!(open(folder.path()).pinned(), None);
}

#[test]
fn another_policy_has_its_own_generations() {
    let folder = tempfile::tempdir().unwrap();
    grow(&mut open(folder.path()), 2);
    let config = GenerationsConfig {
        folder: Some(folder.path().to_owned()),
        ..GenerationsConfig::default()
    };
    let other = Generations::open(&config, weights(0, 1.5)).unwrap();
    assert_eq!(in_force(&other), (0, 1.5));
}

#[test]
fn a_disk_that_refuses_does_not_stop_learning() {
    let folder = tempfile::tempdir().unwrap();
    let mut generations = open(folder.path());
    fs::remove_dir_all(file(folder.path(), "")).unwrap();
    let (next, stored) = generations.accept(weights(0, 2.0), &judgement(), Stamp(1), 1);
    assert_eq!(next.generation, 1);
    assert!(matches!(
        stored,
        Err(LearnerError::Io { .. } | LearnerError::Checkpoint(_))
    ));
}
