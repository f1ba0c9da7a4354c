//! The thread that publishes commands.
//!
//! The control thread may neither allocate nor lock, and publishing does both: it writes fixed-size
//! records into a ring and unparks this thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use cerebellum_bridge::Counter;
use cerebellum_messages::Command;

use crate::clock::Period;
use crate::control::{CommandRecord, STANDBY};

/// How long the thread sleeps at most, so that a stop is noticed even if a wake-up was lost.
const NAP: Duration = Duration::from_millis(100);

/// A running command thread. Dropping it publishes what is left and ends the thread.
#[derive(Debug)]
pub struct CommandThread {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl CommandThread {
    /// Starts the thread. `newest` gives the newest command that waits and how many older ones were
    /// passed over: they would be overridden at once, and are counted in `superseded`.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn spawn(
        mut newest: impl FnMut() -> Option<(CommandRecord, u64)> + Send + 'static,
        names: Vec<String>,
        period: Period,
        superseded: Counter,
        mut publish: impl FnMut(&Command) + Send + 'static,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let half = period.span().duration() / 2;
        let thread = std::thread::Builder::new()
            .name("commands".to_owned())
            .spawn(move || {
                let mut sent = Instant::now();
                loop {
                    // Read before the drain, so that what was written before the stop is sent.
                    let last = stopped.load(Ordering::Acquire);
                    // Right after a command the next one is a period away.
                    let standby = if last || sent.elapsed() < half {
                        Duration::ZERO
                    } else {
                        STANDBY
                    };
                    if let Some((record, passed)) = within(standby, &mut newest) {
                        superseded.add(passed);
                        publish(&record.to_message(&names, period));
                        sent = Instant::now();
                    }
                    if last {
                        break;
                    }
                    std::thread::park_timeout(NAP);
                }
            })?;
        Ok(Self {
            thread: Some(thread),
            stop,
        })
    }

    /// What the control thread unparks after writing a record.
    pub fn thread(&self) -> Option<Thread> {
        self.thread.as_ref().map(|thread| thread.thread().clone())
    }
}

impl Drop for CommandThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the command thread panicked: commands were not sent any more");
            }
        }
    }
}

/// What `newest` gives within a span of time.
fn within<T>(span: Duration, newest: &mut impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = newest() {
            return Some(found);
        }
        if begun.elapsed() >= span {
            return None;
        }
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc;

    use cerebellum_bridge::Counters;
    use cerebellum_messages::Stamp;

    use super::*;

    fn record(stamp: i64) -> CommandRecord {
        CommandRecord {
            stamp: Stamp(stamp),
            positions: [0.5; 8],
            ..CommandRecord::default()
        }
    }

    /// A thread that takes from a channel, and what it publishes.
    fn start(
        counters: &Counters,
        waiting: mpsc::Receiver<CommandRecord>,
    ) -> (CommandThread, mpsc::Receiver<Command>) {
        let (sent, received) = mpsc::channel();
        let names = vec!["joint1".to_owned(), "gripper".to_owned()];
        let thread = CommandThread::spawn(
            move || {
                let all: Vec<_> = waiting.try_iter().collect();
                Some((*all.last()?, all.len() as u64 - 1))
            },
            names,
            Period::from_hz(20.0).unwrap(),
            counters.dropped("joint_trajectory", "superseded"),
            move |command| sent.send(command.clone()).unwrap(),
        );
        (thread.unwrap(), received)
    }

    #[test]
    fn an_unpark_sends_at_once() {
        let (ring, waiting) = mpsc::channel();
        let (thread, sent) = start(&Counters::new(), waiting);
        ring.send(record(7)).unwrap();
        thread.thread().unwrap().unpark();
        let command = sent.recv_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!(command.stamp, Stamp(7));
        assert_eq!(command.joint_names, ["joint1", "gripper"]);
        assert_eq!(command.points[0].positions, [0.5, 0.5]);
    }

    #[test]
    fn what_is_left_is_sent_at_the_stop_and_only_the_newest() {
        let counters = Counters::new();
        let (ring, waiting) = mpsc::channel();
        for stamp in 1..=3 {
            ring.send(record(stamp)).unwrap();
        }
        let (thread, sent) = start(&counters, waiting);
        drop(thread);
        let stamps: Vec<_> = sent.iter().map(|command| command.stamp).collect();
        assert_eq!(stamps, [Stamp(3)]);
        assert_eq!(counters.losses()["dropped.joint_trajectory.superseded"], 2);
    }
}
