//! What connects the control thread with the others: rings, a newest-value cell and flags. Nothing
//! here makes the control thread wait, whatever the other end does.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::time::Duration;

use cerebellum_messages::{ActionChunk, Stamp};

use super::chunk::{ChunkError, FixedChunk};
use super::record::{CommandRecord, Measured, TickRecord};
use super::stats::ControlStats;
use crate::clock::{MonotonicTime, Span};

/// "Not yet", where a time is kept in an atomic.
const NEVER: i64 = i64::MIN;
/// "No generation", where one is kept in an atomic. Generations count up from zero.
const NO_GENERATION: u64 = u64::MAX;

/// How long the thread that sends commands stays awake for the one that a wake-up announces. The
/// control thread rings once shortly before its tick, so that neither has to pay for a wake-up when
/// the command is there: a system call on one side, a scheduling delay on the other.
pub const STANDBY: Duration = Duration::from_millis(1);

/// How many entries each ring holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacities {
    /// Chunks on their way in.
    pub chunks: usize,
    /// Commands on their way out.
    pub commands: usize,
    /// Tick records on their way out.
    pub records: usize,
}

impl Default for Capacities {
    fn default() -> Self {
        Self {
            chunks: 8,
            commands: 64,
            records: 1024,
        }
    }
}

/// Flags and numbers that other threads set for the control thread.
#[derive(Debug)]
pub struct Signals {
    goal_id: AtomicU64,
    withdrawn: AtomicU64,
    observed: AtomicI64,
    heartbeat: AtomicI64,
    peer_alive: AtomicBool,
    policy_fault: AtomicBool,
    relocated: AtomicI64,
    stop: AtomicBool,
    faulted: AtomicBool,
    started: MonotonicTime,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            goal_id: AtomicU64::new(0),
            withdrawn: AtomicU64::new(NO_GENERATION),
            observed: AtomicI64::new(NEVER),
            heartbeat: AtomicI64::new(NEVER),
            peer_alive: AtomicBool::new(true),
            policy_fault: AtomicBool::new(false),
            relocated: AtomicI64::new(NEVER),
            stop: AtomicBool::new(false),
            faulted: AtomicBool::new(false),
            started: MonotonicTime::now(),
        }
    }
}

impl Signals {
    /// Takes a goal; 0 for none. To be called before a chunk of that goal is sent.
    pub fn set_goal(&self, goal_id: u64) {
        self.goal_id.store(goal_id, Release);
    }
    /// Goal in force; 0 for none.
    pub fn goal(&self) -> u64 {
        self.goal_id.load(Acquire)
    }
    /// Forbids the chunks of a generation of weights (it was rolled back); none to forbid nothing.
    pub fn withdraw(&self, generation: Option<u64>) {
        self.withdrawn
            .store(generation.unwrap_or(NO_GENERATION), Release);
    }
    /// See [`Signals::withdraw`].
    pub fn withdrawn(&self) -> Option<u64> {
        let generation = self.withdrawn.load(Acquire);
        (generation != NO_GENERATION).then_some(generation)
    }
    /// Notes that a complete observation exists whose oldest part arrived at `oldest`.
    pub fn observe(&self, oldest: MonotonicTime) {
        self.observed.store(oldest.nanos(), Relaxed);
    }
    /// Notes that the inference thread is alive.
    pub fn beat(&self) {
        self.heartbeat.store(MonotonicTime::now().nanos(), Relaxed);
    }
    /// Notes whether the robot can be heard.
    pub fn set_peer_alive(&self, alive: bool) {
        self.peer_alive.store(alive, Relaxed);
    }
    /// Notes that the policy has failed, or (false) has given a plan again.
    pub fn set_policy_fault(&self, fault: bool) {
        self.policy_fault.store(fault, Relaxed);
    }
    /// Notes that the robot was put elsewhere, as by the reset of a world: see
    /// [`TickInput::relocated`](super::TickInput::relocated).
    pub fn relocate(&self, stamp: Stamp) {
        self.relocated.store(stamp.0, Release);
    }
    /// Asks the control thread to come to rest and end.
    pub fn stop(&self) {
        self.stop.store(true, Release);
    }
    /// Whether the control thread was asked to end.
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Acquire)
    }
    /// Whether the control thread ended by a fault of its own. The robot holds its last target.
    pub fn is_faulted(&self) -> bool {
        self.faulted.load(Acquire)
    }

    pub(super) fn set_faulted(&self) {
        self.faulted.store(true, Release);
    }
    pub(super) fn peer_alive(&self) -> bool {
        self.peer_alive.load(Relaxed)
    }
    pub(super) fn policy_fault(&self) -> bool {
        self.policy_fault.load(Relaxed)
    }
    pub(super) fn take_relocated(&self) -> Option<Stamp> {
        let stamp = self.relocated.swap(NEVER, Acquire);
        (stamp != NEVER).then_some(Stamp(stamp))
    }
    pub(super) fn observation_age(&self, now: MonotonicTime) -> Span {
        self.age(&self.observed, now)
    }
    pub(super) fn inference_age(&self, now: MonotonicTime) -> Span {
        self.age(&self.heartbeat, now)
    }
    /// What never happened is as old as this.
    fn age(&self, slot: &AtomicI64, now: MonotonicTime) -> Span {
        let since = match slot.load(Relaxed) {
            NEVER => self.started,
            nanos => MonotonicTime::from_nanos(nanos),
        };
        (now - since).max(Span::ZERO)
    }
}

/// Joints with the time of their arrival.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrived {
    pub measured: Measured,
    pub at: MonotonicTime,
}

/// Where measured joints go in; the newest wins.
#[derive(Debug)]
pub struct MeasuredSender {
    cell: triple_buffer::Input<Option<Arrived>>,
}

impl MeasuredSender {
    /// Hands over joints that arrived at `at`.
    pub fn send(&mut self, measured: Measured, at: MonotonicTime) {
        self.cell.write(Some(Arrived { measured, at }));
    }
}

/// Where chunks go in.
#[derive(Debug)]
pub struct ChunkSender {
    ring: rtrb::Producer<FixedChunk>,
}

/// Why a chunk was not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The chunk cannot be executed.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// The control thread takes no chunks: it is stopped or far behind.
    #[error("the control loop does not take chunks: is it running?")]
    Full,
}

impl ChunkSender {
    /// Hands over a chunk.
    ///
    /// # Errors
    /// If it cannot be executed, or the ring is full.
    pub fn send(&mut self, chunk: &ActionChunk) -> Result<(), SendError> {
        self.send_fixed(FixedChunk::try_from(chunk)?)
    }
    /// As [`ChunkSender::send`], for a chunk that is fixed already.
    ///
    /// # Errors
    /// If the ring is full.
    pub fn send_fixed(&mut self, chunk: FixedChunk) -> Result<(), SendError> {
        self.ring.push(chunk).map_err(|_full| SendError::Full)
    }
}

/// Where commands come out, in order.
#[derive(Debug)]
pub struct CommandReceiver {
    ring: rtrb::Consumer<CommandRecord>,
}

impl CommandReceiver {
    /// The next command; none if there is none now.
    pub fn pop(&mut self) -> Option<CommandRecord> {
        self.ring.pop().ok()
    }
    /// The newest command and how many older ones were passed over: after a stall of the sender,
    /// old targets would only be followed late.
    pub fn newest(&mut self) -> Option<(CommandRecord, u64)> {
        let mut newest = self.pop()?;
        let mut passed = 0;
        while let Some(command) = self.pop() {
            newest = command;
            passed += 1;
        }
        Some((newest, passed))
    }
    /// Whether the control thread is gone and its last command taken.
    pub fn is_closed(&self) -> bool {
        self.ring.is_abandoned() && self.ring.is_empty()
    }
}

/// Where the explanations of ticks come out, in order.
#[derive(Debug)]
pub struct RecordReceiver {
    ring: rtrb::Consumer<TickRecord>,
}

impl RecordReceiver {
    /// The next record; none if there is none now.
    pub fn pop(&mut self) -> Option<TickRecord> {
        self.ring.pop().ok()
    }
    /// Whether the control thread is gone and its last record taken.
    pub fn is_closed(&self) -> bool {
        self.ring.is_abandoned() && self.ring.is_empty()
    }
}

/// The control thread's ends.
#[derive(Debug)]
pub struct ControlEnd {
    pub(super) chunks: rtrb::Consumer<FixedChunk>,
    pub(super) measured: triple_buffer::Output<Option<Arrived>>,
    pub(super) commands: rtrb::Producer<CommandRecord>,
    pub(super) records: rtrb::Producer<TickRecord>,
    pub(super) signals: Arc<Signals>,
    pub(super) stats: Arc<ControlStats>,
}

/// The other threads' ends.
#[derive(Debug)]
pub struct Ends {
    /// For the inference thread.
    pub chunks: ChunkSender,
    /// For whoever receives joint states.
    pub measured: MeasuredSender,
    /// For the thread that sends commands.
    pub commands: CommandReceiver,
    /// For the recorder, viewer and replay buffer.
    pub records: RecordReceiver,
    /// For everyone.
    pub signals: Arc<Signals>,
    /// For everyone.
    pub stats: Arc<ControlStats>,
}

/// Makes both ends. All memory of the links is taken here.
pub fn links(capacities: Capacities) -> (ControlEnd, Ends) {
    let (chunks_in, chunks) = rtrb::RingBuffer::new(capacities.chunks.max(1));
    let (commands, commands_out) = rtrb::RingBuffer::new(capacities.commands.max(1));
    let (records, records_out) = rtrb::RingBuffer::new(capacities.records.max(1));
    let (measured_in, measured) = triple_buffer::triple_buffer(&None);
    let signals = Arc::new(Signals::default());
    let stats = Arc::new(ControlStats::default());
    let control = ControlEnd {
        chunks,
        measured,
        commands,
        records,
        signals: Arc::clone(&signals),
        stats: Arc::clone(&stats),
    };
    let others = Ends {
        chunks: ChunkSender { ring: chunks_in },
        measured: MeasuredSender { cell: measured_in },
        commands: CommandReceiver { ring: commands_out },
        records: RecordReceiver { ring: records_out },
        signals,
        stats,
    };
    (control, others)
}

#[cfg(test)]
mod tests {
    use cerebellum_messages::Tick;

    use super::*;

    #[test]
    fn what_never_happened_ages_from_the_start() {
        let signals = Signals::default();
        let later = signals.started + Span::from_millis(30);
        assert_eq!(signals.observation_age(later), Span::from_millis(30));
        signals.observe(signals.started + Span::from_millis(20));
        assert_eq!(signals.observation_age(later), Span::from_millis(10));
        signals.beat();
        assert!(signals.inference_age(MonotonicTime::now()) < Span::from_millis(1000));
    }

    #[test]
    fn a_sender_that_stalled_can_skip_to_the_newest() {
        let (mut control, mut others) = links(Capacities {
            commands: 2,
            ..Capacities::default()
        });
        let command = |tick| CommandRecord {
            tick: Tick(tick),
            ..CommandRecord::default()
        };
        assert!(control.commands.push(command(1)).is_ok());
        assert!(control.commands.push(command(2)).is_ok());
        assert!(control.commands.push(command(3)).is_err(), "bounded");
        assert_eq!(others.commands.newest(), Some((command(2), 1)));
        assert_eq!(others.commands.newest(), None);
        assert!(!others.commands.is_closed());
        drop(control);
        assert!(others.commands.is_closed() && others.records.is_closed());
    }

    #[test]
    fn generations_are_withdrawn_and_given_back() {
        let signals = Signals::default();
        assert_eq!(signals.withdrawn(), None);
        signals.withdraw(Some(0));
        assert_eq!(signals.withdrawn(), Some(0));
        signals.withdraw(None);
        assert_eq!(signals.withdrawn(), None);
    }

    #[test]
    fn a_relocation_is_told_once() {
        let signals = Signals::default();
        assert_eq!(signals.take_relocated(), None);
        signals.relocate(Stamp(0));
        assert_eq!(signals.take_relocated(), Some(Stamp(0)));
        assert_eq!(signals.take_relocated(), None);
    }
}
