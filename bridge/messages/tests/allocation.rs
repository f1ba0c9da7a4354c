//! Decoding allocates no more than the payload pays for; encoding into a kept buffer nothing.
//!
//! One test in a binary of its own, because it counts the allocations of the whole process.

#![allow(
    unsafe_code,
    reason = "counting needs an allocator, and the trait is unsafe"
)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cerebellum_messages::{Frame, Goal, JointState, LatentSample, Message, Text};

thread_local! {
    /// Bytes asked for by this thread.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: all calls go to the system's allocator unchanged; the counter is a plain number of the
// thread, is not itself allocated, and is not touched after the thread's locals are gone.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        _ = ASKED.try_with(|asked| asked.set(asked.get() + layout.size()));
        // SAFETY: the caller's duties are those of this call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's duties are those of this call.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that `work` asks for.
fn asked_by<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = ASKED.with(Cell::get);
    let result = work();
    (ASKED.with(Cell::get) - before, result)
}

/// A payload whose every 32-bit word after the header is `word`.
fn words(word: u32, count: usize) -> Vec<u8> {
    let mut payload = vec![0, 1, 0, 0];
    for _ in 0..count {
        payload.extend(word.to_le_bytes());
    }
    payload
}

/// In memory an element takes at most 24 bytes (a string) for four on the wire, and a pixel three
/// for one; the rest is room for the pieces of an error.
fn bound(payload: &[u8]) -> usize {
    payload.len() * 6 + 256
}

fn check_decode<M: Message>(_name: &str, message: &M) {
    let payload = message.encode();
    let (asked, decoded) = asked_by(|| M::decode(&payload));
    assert!(decoded.is_ok());
    assert!(
        asked <= bound(&payload),
        "{}: {asked} of {}",
        M::ROS_TYPE,
        payload.len()
    );

    // A large number in each place where a length may be.
    for at in (4..payload.len().saturating_sub(3)).step_by(4) {
        for number in [u32::MAX, 1 << 31, 1 << 26, 1 << 20, 1 << 16, 200] {
            let mut payload = payload.clone();
            payload[at..at + 4].copy_from_slice(&number.to_le_bytes());
            let (asked, _) = asked_by(|| M::decode(&payload));
            assert!(asked <= bound(&payload), "{} at {at}: {asked}", M::ROS_TYPE);
        }
    }
}

fn check_encode<M: Message>(_name: &str, message: &M) {
    let mut buffer = Vec::new();
    message.encode_into(&mut buffer);
    let (asked, ()) = asked_by(|| message.encode_into(&mut buffer));
    assert_eq!(asked, 0, "{}", M::ROS_TYPE);
}

fn check_words<M: Message>() {
    for word in [0, 1, 2, 4, 8, 16, 100, 1 << 16, 1 << 26, u32::MAX] {
        let payload = words(word, 64);
        let (asked, _) = asked_by(|| M::decode(&payload));
        assert!(
            asked <= bound(&payload),
            "{} of {word}: {asked}",
            M::ROS_TYPE
        );
    }
}

#[test]
fn memory_is_bounded_by_the_payload() {
    common::for_each_sample!(check_decode);
    common::for_each_sample!(check_encode);
    check_words::<JointState>();
    check_words::<LatentSample>();
    check_words::<Frame>();
    check_words::<Goal>();
    check_words::<Text>();

    // An image without padding is copied once, into the memory that the frame shares.
    let frame = Frame {
        width: 96,
        height: 96,
        data: vec![7; Frame::expected_len(96, 96)].into(),
        ..common::frame()
    };
    let payload = frame.encode();
    let (asked, decoded) = asked_by(|| Frame::decode(&payload));
    assert!(decoded.is_ok());
    assert!(asked < frame.data.len() + 64, "{asked}");

    // Checks on the way to a motor allocate nothing.
    let (asked, result) = asked_by(|| (common::STAMP, frame.validate()));
    assert_eq!((asked, result.1), (0, Ok(())));
    let (state, command) = (common::joint_state(), common::command());
    let (asked, results) = asked_by(|| (state.validate(), command.validate()));
    assert_eq!((asked, results), (0, (Ok(()), Ok(()))));
}
