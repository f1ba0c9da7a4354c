//! One turn of the real-time loop: take what has arrived, run the tick, hand out the results.
//!
//! Everything from the wake-up to the record's push happens here, so this is what benchmarks time
//! and what the allocation test watches.

use std::sync::Arc;
use std::thread::Thread;

use cerebellum_messages::Tick;

use super::controller::Controller;
use super::counters::{Counter, Counters};
use super::links::{ControlEnd, Signals};
use super::pacer::Wake;
use super::record::{TickInput, TickRecord};
use super::stats::ControlStats;
use crate::clock::{MonotonicTime, Span};

/// Rehearsals of a tick: the first brings code and data near, the second teaches the processor
/// which way the branches go.
const REHEARSALS: usize = 2;

/// See the module.
#[derive(Debug)]
pub struct Cycle {
    controller: Controller,
    rehearsal: Controller,
    end: ControlEnd,
    sender: Option<Thread>,
    /// What the controller itself cannot count.
    counters: Counters,
}

impl Cycle {
    /// Joins a controller and its links. `sender` is the thread that sends commands: it is unparked
    /// whenever there is one.
    pub fn new(controller: Controller, end: ControlEnd, sender: Option<Thread>) -> Self {
        Self {
            rehearsal: controller.rehearsal(),
            controller,
            end,
            sender,
            counters: Counters::default(),
        }
    }

    /// The controller.
    pub const fn controller(&self) -> &Controller {
        &self.controller
    }
    /// What other threads set.
    pub fn signals(&self) -> Arc<Signals> {
        Arc::clone(&self.end.signals)
    }
    /// What other threads read.
    pub fn stats(&self) -> Arc<ControlStats> {
        Arc::clone(&self.end.stats)
    }
    /// Whether the loop was asked to end.
    pub fn is_stopping(&self) -> bool {
        self.end.signals.is_stopping()
    }

    /// Runs the tick of `wake`. Neither allocates, locks, logs nor blocks.
    pub fn run(&mut self, wake: &Wake) -> TickRecord {
        self.end.stats.begin(wake.tick);
        self.counters.add(Counter::Missed, wake.missed);
        self.take_chunks(wake);
        let mut input = self.input(wake.tick, wake.woke);
        input.relocated = self.end.signals.take_relocated();
        let mut record = self.controller.tick(&input);
        if let Some(command) = record.command {
            match self.end.commands.push(command) {
                Ok(()) => {
                    if let Some(sender) = &self.sender {
                        sender.unpark();
                    }
                }
                Err(_full) => self.counters.count(Counter::CommandsDropped),
            }
        }
        let done = MonotonicTime::now();
        record.lateness = wake.lateness();
        record.work = done - wake.woke;
        record.slack = wake.deadline + self.controller.period().span() - done;
        if record.slack < Span::ZERO {
            self.counters.count(Counter::Overrun);
        }
        if self.end.records.push(record).is_err() {
            self.counters.count(Counter::RecordsDropped);
        }
        self.publish(&record);
        record
    }

    fn take_chunks(&mut self, wake: &Wake) {
        // The goal is read after the number of chunks: whoever sent these chunks had set their
        // goal before, so none of them is taken for one of another goal.
        let arrived = self.end.chunks.slots();
        self.controller.set_goal(self.end.signals.goal());
        for _ in 0..arrived {
            if let Ok(chunk) = self.end.chunks.pop() {
                self.controller.offer(&chunk, wake.tick);
            }
        }
    }

    /// Runs the tick that is to begin at `deadline` once for the sake of the caches, without any
    /// effect, and wakes the sender, which finds nothing and sleeps on, for the sake of the
    /// processor it runs on. Neither allocates, locks, logs nor blocks.
    pub fn rehearse(&mut self, tick: Tick, deadline: MonotonicTime) {
        let input = self.input(tick, deadline);
        if let Some(sender) = &self.sender {
            sender.unpark();
        }
        let chunk = self.end.chunks.peek().ok();
        for _ in 0..REHEARSALS {
            let record = self.rehearsal.rehearse(&self.controller, chunk, &input);
            std::hint::black_box(&record);
        }
    }

    /// What is known to the tick, but for a relocation.
    fn input(&mut self, tick: Tick, at: MonotonicTime) -> TickInput {
        let arrived = *self.end.measured.read();
        let signals = &self.end.signals;
        TickInput {
            tick,
            measured: arrived.map(|arrived| arrived.measured),
            joints_age: arrived.map_or(Span::MAX, |arrived| (at - arrived.at).max(Span::ZERO)),
            observation_age: signals.observation_age(at),
            inference_age: signals.inference_age(at),
            goal_id: signals.goal(),
            withdrawn: signals.withdrawn(),
            peer_alive: signals.peer_alive(),
            policy_fault: signals.policy_fault(),
            relocated: None,
            stopping: signals.is_stopping(),
        }
    }

    fn publish(&self, record: &TickRecord) {
        let mut counters = *self.controller.counters();
        for counter in [
            Counter::Missed,
            Counter::Overrun,
            Counter::CommandsDropped,
            Counter::RecordsDropped,
        ] {
            counters.set(counter, self.counters.get(counter));
        }
        let remaining = self.controller.remaining(record.tick);
        self.end.stats.publish(record, &counters, remaining, true);
    }
}
