//! The control thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle, Thread};

use super::config::ControlError;
use super::controller::Controller;
use super::cycle::Cycle;
use super::links::{ControlEnd, Signals};
use super::pacer::Pacer;
use super::stats::{ControlSnapshot, ControlStats};
use crate::clock::{Monotonic, MonotonicTime, Span, TickClock};
use crate::realtime::{RealtimeError, RealtimeOutcome};

/// The longest that coming to rest may take before the thread ends regardless.
const LONGEST_STOP: Span = Span::from_millis(3_000);

/// Stack of the control thread in bytes: a few times what it touches beforehand.
const STACK: usize = 1024 * 1024;

/// What the thread tells when it is ready, before its first tick.
type Ready = Result<(RealtimeOutcome, TickClock<Monotonic>), RealtimeError>;

/// How the control thread ended.
#[derive(Debug)]
pub struct ControlExit {
    /// The message of a panic, if it ended by one. The robot holds its last target then.
    pub fault: Option<String>,
    /// The last figures.
    pub snapshot: ControlSnapshot,
}

/// A running control thread. Dropping it stops the thread.
#[derive(Debug)]
pub struct ControlHandle {
    thread: Option<JoinHandle<Option<String>>>,
    realtime: RealtimeOutcome,
    clock: TickClock<Monotonic>,
    signals: Arc<Signals>,
    stats: Arc<ControlStats>,
}

impl ControlHandle {
    /// Starts the control thread as its controller's configuration says. `sender` is the thread
    /// that sends commands; it is unparked for each.
    ///
    /// # Errors
    /// If there is no thread to be had, or real-time demands were refused and are strict.
    pub fn start(
        controller: Controller,
        end: ControlEnd,
        sender: Option<Thread>,
    ) -> Result<Self, ControlError> {
        Self::run(Cycle::new(controller, end, sender), |_| {})
    }

    /// `before_tick` exists so that tests can make the thread fail.
    fn run(
        cycle: Cycle,
        before_tick: impl FnMut(u64) + Send + 'static,
    ) -> Result<Self, ControlError> {
        let signals = cycle.signals();
        let stats = cycle.stats();
        let (ready, started) = sync_channel::<Ready>(1);
        let thread = thread::Builder::new()
            .name("control".to_owned())
            .stack_size(STACK)
            .spawn(move || body(cycle, &ready, before_tick))?;
        match started.recv() {
            Ok(Ok((realtime, clock))) => Ok(Self {
                thread: Some(thread),
                realtime,
                clock,
                signals,
                stats,
            }),
            Ok(Err(refused)) => Err(refused.into()),
            Err(_gone) => Err(ControlError::Died(
                thread.join().ok().flatten().unwrap_or_default(),
            )),
        }
    }

    /// What the operating system granted.
    pub const fn realtime(&self) -> &RealtimeOutcome {
        &self.realtime
    }
    /// The grid of ticks: which moment belongs to which tick.
    pub const fn clock(&self) -> TickClock<Monotonic> {
        self.clock
    }
    /// The figures so far.
    pub fn snapshot(&self) -> ControlSnapshot {
        self.stats.snapshot()
    }
    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
    /// Brings the robot to rest, ends the thread and waits for that.
    pub fn stop(mut self) -> ControlExit {
        self.signals.stop();
        let fault = self.join();
        ControlExit {
            fault,
            snapshot: self.stats.snapshot(),
        }
    }

    fn join(&mut self) -> Option<String> {
        match self.thread.take()?.join() {
            Ok(fault) => fault,
            Err(panic) => Some(message(panic.as_ref())),
        }
    }
}

impl Drop for ControlHandle {
    fn drop(&mut self) {
        self.signals.stop();
        let _fault = self.join();
    }
}

/// The thread's body; the message of a panic, if there was one.
fn body(
    mut cycle: Cycle,
    ready: &SyncSender<Ready>,
    mut before_tick: impl FnMut(u64),
) -> Option<String> {
    let signals = cycle.signals();
    let config = cycle.controller().config();
    let (pacing, period) = (config.pacing, cycle.controller().period());
    let outcome = match config.realtime.apply() {
        Ok(outcome) => outcome,
        Err(error) => {
            // If nobody listens, nobody waits for the answer either.
            let _sent = ready.send(Err(error));
            return None;
        }
    };
    let mut pacer = Pacer::new(MonotonicTime::now() + period.span(), period, &pacing);
    let _sent = ready.send(Ok((outcome, pacer.clock())));
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut stopping_since = None;
        loop {
            let wake = pacer.wait_with(|tick, deadline| cycle.rehearse(tick, deadline));
            before_tick(wake.tick.0);
            let stopping = cycle.is_stopping();
            cycle.run(&wake);
            if stopping {
                let since = *stopping_since.get_or_insert(wake.woke);
                if cycle.controller().at_rest() || wake.woke - since > LONGEST_STOP {
                    return;
                }
            }
        }
    }));
    ended.err().map(|panic| {
        signals.set_faulted();
        message(panic.as_ref())
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}

#[cfg(test)]
mod tests;
