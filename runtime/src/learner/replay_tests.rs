#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use cerebellum_messages::Tick;
use proptest::prelude::*;
use rand::SeedableRng as _;

use super::super::testing::record;
use super::*;

fn replay(max_bytes: usize, segment_ticks: u32, held_back_ticks: u32) -> Replay {
    Replay::new(ReplayConfig {
        max_bytes,
        segment_ticks,
        held_back_ticks,
        recent_ticks: 30,
        recent_share: 0.5,
        folder: None,
    })
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// What a record is told apart by; the action names the record's number.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Identity {
    tick: u64,
    episode: u64,
    goal: u64,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    None,
    Gap,
    Episode,
    Goal,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        20 => Just(Change::None),
        1 => Just(Change::Gap),
        1 => Just(Change::Episode),
        1 => Just(Change::Goal),
    ];
    prop::collection::vec(change, 1..250)
}

proptest! {
    /// Whatever comes: the byte bound holds, windows never cross a boundary, training windows
    /// never touch what is held back or was ever less than `held_back` records old, and every loss
    /// is counted.
    #[test]
    fn windows_and_bounds_hold(
        changes in changes(),
        kilobytes in 2usize..60,
        segment_ticks in 2u32..40,
        held_back in 0u32..60,
        length in 1u32..9,
        seed in any::<u64>(),
    ) {
        let mut replay = replay(kilobytes << 10, segment_ticks, held_back);
        let mut known = BTreeMap::new();
        let mut now = Identity { tick: 0, episode: 0, goal: 0 };
        for (number, change) in changes.into_iter().enumerate() {
            now.tick += 1;
            match change {
                Change::None => {}
                Change::Gap => now.tick += 3,
                Change::Episode => now.episode += 1,
                Change::Goal => now.goal += 1,
            }
            let mut record = record(now.tick, 1.0);
            record.episode = now.episode;
            record.goal = Arc::new(crate::inference::testing::goal(now.goal));
            record.action = vec![number as f32].into();
            prop_assert!(replay.push(record));
            known.insert(number as u64, now);

            let stats = replay.stats();
            prop_assert!(stats.bytes <= kilobytes as u64 * 1024);
            prop_assert_eq!(stats.recorded, stats.held + stats.dropped);
        }
        let recounted: usize = replay
            .segments
            .iter()
            .map(|segment| {
                let mut previous = None;
                let mut bytes = 0;
                for record in &segment.records {
                    bytes += record.bytes_after(previous);
                    previous = Some(record);
                }
                bytes
            })
            .sum();
        prop_assert_eq!(recounted as u64, replay.stats().bytes);

        let check = |window: &Window, part: &Range<u64>| -> Result<(), TestCaseError> {
            let end = window.first + u64::from(window.length);
            prop_assert!(part.start <= window.first && end <= part.end);
            let first = known[&window.first];
            for number in window.first..end {
                let here = known[&number];
                prop_assert_eq!(here.tick - first.tick, number - window.first);
                prop_assert_eq!((here.episode, here.goal), (first.episode, first.goal));
            }
            let moment = replay.experience(*window, length - 1).unwrap();
            prop_assert_eq!(moment.observation.tick, Tick(first.tick));
            prop_assert_eq!(moment.future.tick, Tick(first.tick + u64::from(length) - 1));
            prop_assert_eq!(moment.goal.id, first.goal);
            let numbers: Vec<_> = (window.first..end).map(|number| number as f32).collect();
            prop_assert_eq!(moment.actions, numbers);
            Ok(())
        };
        let training = replay.training();
        prop_assert!(training.end + u64::from(held_back) <= replay.next_number().max(u64::from(held_back)));
        for window in replay.sample(length, 32, &mut rng(seed)) {
            check(&window, &training)?;
        }
        let held = replay.held_back();
        let spread = replay.spread(&held, length, 10);
        prop_assert_eq!(spread.len() as u64, replay.count(&held, length).min(10));
        prop_assert!(spread.windows(2).all(|pair| pair[0].first < pair[1].first));
        for window in &spread {
            check(window, &held)?;
        }
    }
}

#[test]
fn sampling_is_a_function_of_the_seed() {
    let mut replay = replay(1 << 20, 50, 20);
    for tick in 0..200 {
        replay.push(record(tick, 1.0));
    }
    let draw = |seed| replay.sample(4, 16, &mut rng(seed));
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    assert_eq!(draw(1).len(), 16);
}

#[test]
fn half_of_a_batch_is_recent_and_all_is_reached() {
    let mut replay = replay(1 << 20, 50, 20);
    for tick in 0..300 {
        replay.push(record(tick, 1.0));
    }
    let mut starts = Vec::new();
    for seed in 0..200 {
        let batch = replay.sample(4, 16, &mut rng(seed));
        let recent = batch[..8].iter().map(|window| window.first).min().unwrap();
        assert!(recent >= 230, "{recent}");
        starts.extend(batch[8..].iter().map(|window| window.first));
    }
    starts.sort_unstable();
    starts.dedup();
    assert_eq!(starts.len() as u64, replay.count(&replay.training(), 4));
}

#[test]
fn shared_images_count_once() {
    let first = record(1, 1.0);
    let mut second = record(2, 1.0);
    let alone = second.bytes_after(Some(&first));
    let mut seen = (*second.observation).clone();
    seen.frames = first.observation.frames.clone();
    second.observation = Arc::new(seen);
    assert_eq!(alone - second.bytes_after(Some(&first)), 2 * 36);
}

#[test]
fn what_cannot_be_learned_from_is_refused() {
    let mut replay = replay(4096, 50, 0);
    let mut broken = record(1, 1.0);
    broken.action = vec![f32::NAN].into();
    assert!(!replay.push(broken));
    let mut empty = record(1, 1.0);
    empty.action = Vec::new().into();
    assert!(!replay.push(empty));
    let mut huge = record(1, 1.0);
    huge.action = vec![0.0; 2000].into();
    assert!(!replay.push(huge));
    assert_eq!((replay.stats().refused, replay.stats().held), (3, 0));
    assert!(replay.sample(1, 4, &mut rng(0)).is_empty());
    assert!(replay.spread(&replay.held_back(), 1, 4).is_empty());
}

#[test]
fn a_window_that_has_left_is_gone() {
    let mut replay = replay(8 << 10, 4, 0);
    for tick in 0..100 {
        replay.push(record(tick, 1.0));
    }
    assert!(replay.stats().dropped > 0);
    let gone = Window {
        first: 0,
        length: 2,
    };
    assert!(replay.experience(gone, 1).is_none());
}
