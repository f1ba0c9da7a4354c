//! The way of a command from the control thread to the network.
//!
//! The control thread may neither allocate nor lock, and publishing does both. So it writes
//! fixed-size records into a ring and unparks a thread of its own, which does the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use cerebellum_messages::{Command, Stamp, TrajectoryPoint};
use rtrb::Consumer;

use crate::{BridgeError, Counter, Counters};

/// Most joints in a [`CommandRecord`].
pub const MAX_DOF: usize = 8;

/// How long the thread sleeps at most, so that a stop is noticed even if a wake-up was lost.
const NAP: Duration = Duration::from_millis(50);

/// One command as the control thread writes it: no heap, so that it can cross a lock-free ring.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CommandRecord {
    /// Stamp of the newest observation behind the command [ns].
    pub stamp_nanos: i64,
    /// Control tick; for the log, it does not travel.
    pub tick: u64,
    /// How many of the joints are used, at most [`MAX_DOF`].
    pub dof: u8,
    /// Target positions [rad or m].
    pub positions: [f64; MAX_DOF],
    /// Target velocities [rad/s or m/s].
    pub velocities: [f64; MAX_DOF],
}

impl CommandRecord {
    /// Writes the record into a message with as many joint names as joints, reusing its memory.
    ///
    /// Returns whether the record is valid: as many joints as names, all numbers finite.
    fn write(&self, command: &mut Command) -> bool {
        let dof = usize::from(self.dof);
        let (Some(positions), Some(velocities)) =
            (self.positions.get(..dof), self.velocities.get(..dof))
        else {
            return false;
        };
        let finite = positions.iter().chain(velocities).all(|x| x.is_finite());
        if dof != command.joint_names.len() || !finite {
            return false;
        }
        command.stamp = Stamp::from_nanos(self.stamp_nanos);
        command.points.resize_with(1, TrajectoryPoint::default);
        for point in &mut command.points {
            point.positions.clear();
            point.positions.extend_from_slice(positions);
            point.velocities.clear();
            point.velocities.extend_from_slice(velocities);
        }
        true
    }
}

/// The thread that publishes commands. Dropping it publishes what is left and ends the thread.
#[derive(Debug)]
pub struct CommandSender {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl CommandSender {
    /// Starts the thread.
    ///
    /// It takes records from `ring` whenever its [`CommandSender::thread`] is unparked and hands
    /// each to `publish` as a message. If several wait, only the newest is published: the older
    /// ones would be overridden at once (they are counted in `dropped.joint_trajectory.superseded`).
    /// Records with numbers that are not finite or a wrong joint count are refused
    /// (`dropped.joint_trajectory.invalid`). `on_start` runs first, on the thread, for example to
    /// raise its priority.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn spawn(
        ring: Consumer<CommandRecord>,
        joint_names: Vec<String>,
        counters: &Counters,
        on_start: impl FnOnce() + Send + 'static,
        publish: impl FnMut(&Command) + Send + 'static,
    ) -> Result<Self, BridgeError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut worker = Worker {
            ring,
            command: Command {
                joint_names,
                ..Command::default()
            },
            publish,
            superseded: counters.dropped(TOPIC, "superseded"),
            invalid: counters.dropped(TOPIC, "invalid"),
        };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("commands".to_owned())
            .spawn(move || {
                on_start();
                loop {
                    // Read before the drain, so that what was written before the stop is sent.
                    let last = stopped.load(Ordering::Acquire) || worker.ring.is_abandoned();
                    worker.drain();
                    if last {
                        break;
                    }
                    std::thread::park_timeout(NAP);
                }
            })
            .map_err(|source| BridgeError::Thread {
                name: "commands",
                source,
            })?;
        Ok(Self {
            thread: Some(thread),
            stop,
        })
    }

    /// What the control thread unparks after writing a record (a futex call: no lock, no memory).
    pub fn thread(&self) -> Option<&Thread> {
        self.thread.as_ref().map(JoinHandle::thread)
    }

    /// Publishes what is left and ends the thread.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the command thread panicked: commands were not sent any more");
            }
        }
    }
}

impl Drop for CommandSender {
    fn drop(&mut self) {
        self.stop();
    }
}

const TOPIC: &str = "joint_trajectory";

struct Worker<F> {
    ring: Consumer<CommandRecord>,
    command: Command,
    publish: F,
    superseded: Counter,
    invalid: Counter,
}

impl<F: FnMut(&Command)> Worker<F> {
    fn drain(&mut self) {
        let mut newest = None;
        while let Ok(record) = self.ring.pop() {
            if newest.replace(record).is_some() {
                self.superseded.increment();
            }
        }
        if let Some(record) = newest {
            if record.write(&mut self.command) {
                (self.publish)(&self.command);
            } else {
                self.invalid.increment();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::sync::mpsc;

    use super::*;

    fn record(stamp_nanos: i64) -> CommandRecord {
        CommandRecord {
            stamp_nanos,
            dof: 2,
            positions: [0.5; MAX_DOF],
            ..CommandRecord::default()
        }
    }

    fn start(
        counters: &Counters,
    ) -> (
        CommandSender,
        rtrb::Producer<CommandRecord>,
        mpsc::Receiver<Command>,
    ) {
        let (producer, consumer) = rtrb::RingBuffer::new(8);
        let (sent, received) = mpsc::channel();
        let names = vec!["joint1".to_owned(), "gripper".to_owned()];
        let sender = CommandSender::spawn(
            consumer,
            names,
            counters,
            || {},
            move |command| sent.send(command.clone()).unwrap(),
        )
        .unwrap();
        (sender, producer, received)
    }

    #[test]
    fn an_unpark_sends_at_once() {
        let (sender, mut ring, sent) = start(&Counters::new());
        ring.push(record(7)).unwrap();
        sender.thread().unwrap().unpark();
        let command = sent.recv_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!(command.stamp, Stamp::from_nanos(7));
        assert_eq!(command.joint_names, ["joint1", "gripper"]);
        assert_eq!(command.points[0].positions, [0.5, 0.5]);
    }

    #[test]
    fn invalid_records_are_refused() {
        let counters = Counters::new();
        let (mut sender, mut ring, sent) = start(&counters);
        let mut bad = record(1);
        bad.positions[1] = f64::NAN;
        ring.push(bad).unwrap();
        sender.stop();
        assert!(sent.try_recv().is_err());
        assert_eq!(counters.losses()["dropped.joint_trajectory.invalid"], 1);
        let mut command = Command::default();
        for dof in [0, 3, 200] {
            let record = CommandRecord { dof, ..record(1) };
            assert_eq!(record.write(&mut command), dof == 0, "{dof}");
        }
    }

    #[test]
    fn what_is_left_is_sent_at_the_stop_and_only_the_newest() {
        let counters = Counters::new();
        let (producer, consumer) = rtrb::RingBuffer::new(8);
        let mut ring = producer;
        for stamp in 1..=3 {
            ring.push(record(stamp)).unwrap();
        }
        let (sent, received) = mpsc::channel();
        let names = vec!["joint1".to_owned(), "gripper".to_owned()];
        let mut sender = CommandSender::spawn(
            consumer,
            names,
            &counters,
            || {},
            move |command| sent.send(command.stamp).unwrap(),
        )
        .unwrap();
        sender.stop();
        assert_eq!(received.iter().collect::<Vec<_>>(), [Stamp::from_nanos(3)]);
        assert_eq!(counters.losses()["dropped.joint_trajectory.superseded"], 2);
    }
}
