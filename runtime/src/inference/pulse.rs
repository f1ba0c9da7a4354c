//! The inference thread's signs of life, readable without waiting.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use serde::Serialize;

/// What the inference thread is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum InferenceState {
    /// Not running yet.
    #[default]
    Starting = 0,
    /// Planning with synthetic observations.
    WarmingUp = 1,
    /// Waiting for a goal or an observation, or no plan is due.
    Waiting = 2,
    /// Inside a plan.
    Planning = 3,
    /// The last plan failed.
    Faulted = 4,
    /// The thread has ended as it was told to.
    Stopped = 5,
    /// The thread has ended by a panic outside of the policy.
    Dead = 6,
}

impl InferenceState {
    const fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Starting,
            1 => Self::WarmingUp,
            2 => Self::Waiting,
            3 => Self::Planning,
            4 => Self::Faulted,
            5 => Self::Stopped,
            _ => Self::Dead,
        }
    }
}

/// Atomics shared with the control thread's watchdog: reading them takes no lock.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: AtomicU64,
    state: AtomicU8,
    generation: AtomicU64,
    plans: AtomicU64,
    faults: AtomicU64,
    stop: AtomicBool,
}

impl Pulse {
    /// Grows at least once per turn of the thread's loop: before and after each plan and at each
    /// poll. A watchdog that sees no growth for longer than the longest tolerable plan should take
    /// the thread for stuck.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Acquire)
    }
    /// What the thread is doing.
    pub fn state(&self) -> InferenceState {
        InferenceState::from_u8(self.state.load(Ordering::Acquire))
    }
    /// Generation of the weights in force.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
    /// Plans delivered.
    pub fn plans(&self) -> u64 {
        self.plans.load(Ordering::Relaxed)
    }
    /// Plans that failed.
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
    /// Asks the thread to end after the plan it is in.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }
    /// Whether the thread was asked to end.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(super) fn beat(&self, state: InferenceState) {
        self.state.store(state as u8, Ordering::Release);
        self.beats.fetch_add(1, Ordering::AcqRel);
    }
    pub(super) fn set_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Release);
    }
    pub(super) fn count_plan(&self) {
        self.plans.fetch_add(1, Ordering::Relaxed);
    }
    pub(super) fn count_fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }
}
