#![allow(clippy::unwrap_used)]

use cerebellum_messages::{ActionChunk, Stamp};
use proptest::prelude::*;

use super::*;

const GOAL: u64 = 7;

fn chunk(observed: u64, actions: &[[f32; 7]]) -> FixedChunk {
    FixedChunk::try_from(&ActionChunk {
        stamp: Stamp(observed as i64),
        observed: Tick(observed),
        goal_id: GOAL,
        generation: 1,
        denoise_steps: 4,
        space: ActionSpace::TcpDelta,
        action_dim: 7,
        actions: actions.concat(),
    })
    .unwrap()
}

fn flat(observed: u64, horizon: usize, value: f32) -> FixedChunk {
    chunk(observed, &vec![[value; 7]; horizon])
}

fn schedule(blend: BlendRule, gripper: GripperRule, slots: usize) -> Schedule {
    let mut schedule = Schedule::new(ScheduleConfig {
        blend,
        gripper,
        slots,
        space: ActionSpace::TcpDelta,
        dim: 7,
    });
    schedule.set_goal(GOAL, &mut Counters::default());
    schedule
}

#[test]
fn what_does_not_belong_is_dropped_and_counted() {
    let mut counters = Counters::default();
    let mut schedule = schedule(BlendRule::Latest, GripperRule::Newest, 4);
    let mut offer = |chunk: &FixedChunk| schedule.insert(chunk, Tick(20), &mut counters);

    let mut other_goal = flat(20, 10, 0.0);
    other_goal.source.goal_id = 8;
    let mut other_space = flat(20, 10, 0.0);
    other_space.space = ActionSpace::JointPosition;
    assert_eq!(offer(&other_goal), Arrival::OtherGoal);
    assert_eq!(offer(&other_space), Arrival::Mismatched);
    assert_eq!(offer(&flat(10, 10, 0.0)), Arrival::Expired);
    assert_eq!(offer(&flat(21, 10, 0.0)), Arrival::Future);
    assert_eq!(offer(&flat(20, 10, f32::NAN)), Arrival::NonFinite);
    assert_eq!(offer(&flat(11, 10, 0.0)), Arrival::Accepted);
    for counter in [
        Counter::ChunksOtherGoal,
        Counter::ChunksMismatched,
        Counter::ChunksExpired,
        Counter::ChunksFuture,
        Counter::ChunksNonFinite,
        Counter::ChunksAccepted,
    ] {
        assert_eq!(counters.get(counter), 1, "{}", counter.name());
    }
}

#[test]
fn without_a_goal_nothing_is_executed() {
    let mut counters = Counters::default();
    let mut schedule = schedule(BlendRule::Latest, GripperRule::Newest, 4);
    schedule.insert(&flat(0, 10, 0.0), Tick(0), &mut counters);
    assert!(schedule.set_goal(0, &mut counters));
    assert_eq!(schedule.next(Tick(0), &mut counters), None);
    let mut chunk = flat(0, 10, 0.0);
    chunk.source.goal_id = 0;
    assert_eq!(
        schedule.insert(&chunk, Tick(0), &mut counters),
        Arrival::OtherGoal
    );
}

#[test]
fn a_withdrawn_generation_is_silent_at_once_and_stays_so() {
    let mut counters = Counters::default();
    let mut schedule = schedule(BlendRule::Latest, GripperRule::Newest, 4);
    let old = flat(0, 10, 0.1);
    let mut new = flat(1, 10, 0.2);
    new.source.generation = 2;
    schedule.insert(&old, Tick(2), &mut counters);
    schedule.insert(&new, Tick(2), &mut counters);
    schedule.withdraw(Some(2), &mut counters);
    let next = schedule.next(Tick(2), &mut counters).unwrap();
    assert_eq!((next.source.generation, next.action[0]), (1, 0.1));
    assert_eq!(
        schedule.insert(&new, Tick(2), &mut counters),
        Arrival::Withdrawn
    );
    assert_eq!(counters.get(Counter::ChunksWithdrawn), 2);
}

#[test]
fn a_splice_is_measured() {
    let mut counters = Counters::default();
    let mut schedule = schedule(BlendRule::Latest, GripperRule::Newest, 4);
    schedule.insert(&flat(0, 10, 0.25), Tick(2), &mut counters);
    let first = schedule.next(Tick(2), &mut counters).unwrap();
    assert_eq!(
        first.splice,
        Some(Splice {
            index: 2,
            jump: None
        })
    );
    assert_eq!(schedule.next(Tick(3), &mut counters).unwrap().splice, None);
    // The gripper changes sides too, which is no jump.
    let mut action = [0.75; 7];
    action[6] = -1.0;
    schedule.insert(&chunk(1, &[action; 10]), Tick(4), &mut counters);
    let second = schedule.next(Tick(4), &mut counters).unwrap();
    assert_eq!(
        second.splice,
        Some(Splice {
            index: 3,
            jump: Some(0.5)
        })
    );
    assert_eq!(counters.get(Counter::Splices), 2);
    assert_eq!(schedule.remaining(Tick(4)), 7);
}

#[test]
fn a_cross_fade_starts_gently_and_ends_with_the_new_chunk() {
    let mut counters = Counters::default();
    let mut schedule = schedule(BlendRule::CrossFade { ticks: 3 }, GripperRule::Newest, 4);
    schedule.insert(&flat(0, 20, 0.0), Tick(0), &mut counters);
    assert_eq!(
        schedule.next(Tick(0), &mut counters).unwrap().action[0],
        0.0
    );
    schedule.insert(&flat(1, 20, 1.0), Tick(1), &mut counters);
    let mut seen = Vec::new();
    for tick in 1..6 {
        let next = schedule.next(Tick(tick), &mut counters).unwrap();
        seen.push((next.action[0], next.contributors));
    }
    assert_eq!(seen, [(0.25, 2), (0.5, 2), (0.75, 2), (1.0, 1), (1.0, 1)]);
}

#[test]
fn the_gripper_is_decided_not_averaged() {
    let run = |rule| {
        let mut counters = Counters::default();
        let blend = BlendRule::EnsembleOldest { decay: 0.0 };
        let mut schedule = schedule(blend, rule, 4);
        for (observed, gripper) in [(0, 0.2), (1, 0.9), (2, -0.4)] {
            let mut action = [0.0; 7];
            action[6] = gripper;
            schedule.insert(&chunk(observed, &[action; 10]), Tick(2), &mut counters);
        }
        schedule.next(Tick(2), &mut counters).unwrap().action[6]
    };
    assert_eq!(run(GripperRule::Newest), -0.4);
    assert!((run(GripperRule::Vote) - 1.0 / 3.0).abs() < 1e-6);
}

/// Arrivals: observation, delay until arrival, horizon.
fn arrivals() -> impl Strategy<Value = Vec<(u64, u64, usize)>> {
    prop::collection::vec((0u64..60, 0u64..20, 1usize..=64), 1..12)
}

proptest! {
    /// The definition, computed the long way from the list of chunks.
    #[test]
    fn ensembling_equals_its_definition(
        arrivals in arrivals(),
        decay in 0.0f64..2.0,
        oldest_first in any::<bool>(),
        values in prop::collection::vec(-1.0f32..1.0, 64 * 12),
    ) {
        let blend = if oldest_first {
            BlendRule::EnsembleOldest { decay }
        } else {
            BlendRule::EnsembleNewest { decay }
        };
        let mut counters = Counters::default();
        let mut schedule = schedule(blend, GripperRule::Vote, 16);
        let chunks: Vec<(u64, FixedChunk)> = arrivals
            .iter()
            .enumerate()
            .map(|(number, &(observed, delay, horizon))| {
                let actions: Vec<[f32; 7]> =
                    values[number * 64..][..horizon].iter().map(|&value| [value; 7]).collect();
                (observed + delay, chunk(observed, &actions))
            })
            .collect();
        for now in 0..130u64 {
            for (_, chunk) in chunks.iter().filter(|(arrival, _)| *arrival == now) {
                schedule.insert(chunk, Tick(now), &mut counters);
            }
            let covering: Vec<(u64, f32)> = chunks
                .iter()
                .filter(|(arrival, _)| *arrival <= now)
                .filter_map(|(_, chunk)| {
                    chunk.at(Tick(now)).map(|action| (chunk.source.observed.0, action[0]))
                })
                .collect();
            let found = schedule.next(Tick(now), &mut counters);
            prop_assert_eq!(found.is_some(), !covering.is_empty());
            let Some(found) = found else { continue };
            let oldest = covering.iter().map(|entry| entry.0).min().unwrap();
            let newest = covering.iter().map(|entry| entry.0).max().unwrap();
            let weight = |observed: u64| {
                let ticks = if oldest_first { observed - oldest } else { newest - observed };
                (-decay * ticks as f64).exp()
            };
            let total: f64 = covering.iter().map(|&(observed, _)| weight(observed)).sum();
            let sum: f64 = covering
                .iter()
                .map(|&(observed, value)| weight(observed) * f64::from(value))
                .sum();
            prop_assert!((f64::from(found.action[0]) - sum / total).abs() < 1e-6);
            prop_assert_eq!(found.contributors as usize, covering.len());
            let votes: f64 = covering
                .iter()
                .map(|&(observed, value)| weight(observed) * if value > 0.0 { 1.0 } else { -1.0 })
                .sum();
            if votes.abs() > 1e-6 {
                prop_assert_eq!(found.action[6] > 0.0, votes > 0.0);
            }
        }
    }

    /// Each action executed under `Latest` is the one that the newest chunk holds for that tick,
    /// whatever the order and delay of arrivals; the memory stays bounded.
    #[test]
    fn the_splice_index_is_counted(arrivals in arrivals(), slots in 1usize..6) {
        let mut counters = Counters::default();
        let mut schedule = schedule(BlendRule::Latest, GripperRule::Newest, slots);
        for now in 0..150u64 {
            for &(observed, delay, horizon) in &arrivals {
                if observed + delay == now {
                    // The value says which tick the action was planned for.
                    let actions: Vec<[f32; 7]> =
                        (0..horizon).map(|index| [(observed + index as u64) as f32; 7]).collect();
                    schedule.insert(&chunk(observed, &actions), Tick(now), &mut counters);
                }
            }
            prop_assert!(schedule.len() <= slots);
            let remaining = schedule.remaining(Tick(now));
            let next = schedule.next(Tick(now), &mut counters);
            prop_assert_eq!(next.is_some(), remaining > 0);
            if let Some(next) = next {
                prop_assert_eq!(next.action[0], now as f32);
                if let Some(splice) = next.splice {
                    prop_assert_eq!(splice.index, now - next.source.observed.0);
                }
            }
        }
        let dropped = counters.get(Counter::ChunksExpired) + counters.get(Counter::ChunksFuture);
        prop_assert_eq!(counters.get(Counter::ChunksAccepted) + dropped, arrivals.len() as u64);
    }
}
