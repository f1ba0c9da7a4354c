//! Proof that a tick of the control loop neither allocates nor frees.
//!
//! The test has an allocator of its own that counts, per thread, every call. Ten thousand turns of
//! the loop go through everything that can happen to it: chunks in and out of order, good and bad,
//! new goals, starvation, every failure, limits at work, full rings.

#![allow(unsafe_code)] // An allocator cannot be written without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cerebellum::clock::{MonotonicTime, Span};
use cerebellum::control::{
    ActionInterface, BlendRule, Capacities, ControlConfig, Controller, Counter, Cycle, FixedChunk,
    GripperRule, Measured, Response, Responses, Wake, links,
};
use cerebellum_kinematics::Robot;
use cerebellum_messages::{ActionChunk, ActionSpace, Stamp, Tick};

thread_local! {
    /// Calls of the allocator by this thread. Constant-initialised and without a destructor, so
    /// touching it never allocates.
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // A thread that is being torn down has no counter any more, and is none of ours.
    let _gone = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above; `pointer` came from the system's allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: as above; `pointer` came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocator calls of this thread during `body`.
fn calls(body: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    body();
    CALLS.get() - before
}

const TICKS: u64 = 10_000;

/// A small generator: the script must be the same at each run, not well distributed.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn chunk(tick: u64, goal: u64) -> FixedChunk {
    let dice = mix(tick);
    let observed = if dice.is_multiple_of(23) {
        tick.saturating_sub(90) // long over
    } else {
        tick.saturating_sub(dice % 9)
    };
    let mut action = [0.0_f32; 7];
    for (index, number) in action.iter_mut().enumerate() {
        *number = (mix(tick * 8 + index as u64) % 4001) as f32 / 1000.0 - 2.0;
    }
    if dice.is_multiple_of(29) {
        action[3] = f32::NAN;
    }
    FixedChunk::try_from(&ActionChunk {
        stamp: Stamp(tick as i64),
        observed: Tick(observed),
        goal_id: if dice.is_multiple_of(31) {
            goal + 1
        } else {
            goal
        },
        generation: dice % 3,
        denoise_steps: 10,
        space: if dice.is_multiple_of(37) {
            ActionSpace::JointPosition
        } else {
            ActionSpace::TcpDelta
        },
        action_dim: 7,
        actions: action.repeat(1 + (dice % 64) as usize),
    })
    .unwrap()
}

fn run(blend: BlendRule, gripper: GripperRule) {
    let robot = Robot::tabletop().unwrap();
    let mut joints = *robot.home();
    let actions = ActionInterface {
        space: ActionSpace::TcpDelta,
        dim: 7,
        translation_scale: 0.02,
        rotation_scale: 0.1,
    };
    let config = ControlConfig {
        blend,
        gripper,
        slots: 6,
        lag: 0.05,
        responses: Responses {
            starved: Response::Retreat,
            stale: Response::Finish,
            retreat_after: 3,
            ..Responses::default()
        },
        ..ControlConfig::default()
    };
    let period = config.period().unwrap().span();
    let controller = Controller::new(robot, actions, config).unwrap();
    let (end, mut others) = links(Capacities {
        chunks: 4,
        commands: 4,
        records: 16,
    });
    let mut cycle = Cycle::new(controller, end, Some(std::thread::current()));

    let mut counted = 0;
    for tick in 0..TICKS {
        let dice = mix(tick ^ 0x5555);
        let goal = 1 + tick / 97;
        let begin = MonotonicTime::now();
        // Preparing inputs may allocate; only the turn itself is watched.
        others
            .signals
            .set_goal(if dice.is_multiple_of(211) { 0 } else { goal });
        others.signals.withdraw((dice % 5 == 1).then_some(dice % 3));
        others.signals.set_peer_alive(!dice.is_multiple_of(41));
        others.signals.set_policy_fault(dice.is_multiple_of(43));
        let old = |often: u64| {
            if dice.is_multiple_of(often) {
                begin - Span::from_millis(900)
            } else {
                begin
            }
        };
        others.signals.observe(old(47));
        others.signals.beat();
        if dice.is_multiple_of(53) {
            others.signals.relocate(Stamp(tick as i64));
        }
        let starving = tick % 300 > 220;
        for extra in 0..if starving { 0 } else { dice % 3 } {
            let _maybe_full = others.chunks.send_fixed(chunk(tick * 3 + extra, goal));
            let _maybe_full = others.chunks.send_fixed(chunk(tick, goal));
        }
        let measured = Measured {
            stamp: Stamp(tick as i64),
            position: joints,
        };
        others.measured.send(measured, old(59));
        if dice.is_multiple_of(7) {
            while others.records.pop().is_some() {}
            while others.commands.pop().is_some() {}
        }
        let wake = Wake {
            tick: Tick(tick),
            deadline: begin
                - if dice.is_multiple_of(61) {
                    period + period
                } else {
                    Span::ZERO
                },
            woke: begin,
            missed: u64::from(dice.is_multiple_of(61)),
        };
        let mut record = None;
        counted += calls(|| cycle.rehearse(wake.tick, wake.deadline));
        counted += calls(|| record = Some(cycle.run(&wake)));
        if let Some(command) = record.and_then(|record| record.command) {
            joints = command.positions;
        }
    }
    assert_eq!(
        counted, 0,
        "allocator calls in {TICKS} turns under {blend:?}"
    );

    // The script must have gone everywhere, or the count proves little.
    let counters = others.stats.snapshot().counters;
    assert_eq!(counters.get(Counter::Ticks), TICKS);
    for (counter, value) in counters.iter() {
        // The servo keeps within joint ranges by itself; the rest would need broken inputs.
        let unreachable = matches!(
            counter,
            Counter::LimitedPosition
                | Counter::LimitedNonFinite
                | Counter::ChunksFuture
                | Counter::Watchdog
        ) || (blend == BlendRule::Latest && counter == Counter::Blended);
        assert!(
            value > 0 || unreachable,
            "nothing happened to `{}`",
            counter.name()
        );
    }
}

#[test]
fn ten_thousand_turns_without_the_allocator() {
    run(BlendRule::EnsembleNewest { decay: 0.2 }, GripperRule::Vote);
}

#[test]
fn nor_under_the_other_rules() {
    run(
        BlendRule::EnsembleOldest { decay: 0.01 },
        GripperRule::Newest,
    );
    run(BlendRule::CrossFade { ticks: 4 }, GripperRule::Newest);
    run(BlendRule::Latest, GripperRule::Newest);
}

#[test]
fn the_counter_counts() {
    assert!(calls(|| drop(std::hint::black_box(Box::new(1)))) >= 2);
}
