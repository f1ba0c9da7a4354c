//! The thread that publishes commands.
//!
//! The control thread may neither allocate nor lock, and publishing does both: it writes fixed-size
//! records into a ring and unparks this thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use cerebellum_messages::Command;

use crate::clock::Period;
use crate::control::CommandReceiver;

/// How long the thread sleeps at most, so that a stop is noticed even if a wake-up was lost.
const NAP: Duration = Duration::from_millis(50);

/// A running command thread. Dropping it publishes what is left and ends the thread.
#[derive(Debug)]
pub struct CommandThread {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    superseded: Arc<AtomicU64>,
}

impl CommandThread {
    /// Starts the thread. If several commands wait, only the newest is published: the older ones
    /// would be overridden at once, and are counted.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn spawn(
        mut commands: CommandReceiver,
        names: Vec<String>,
        period: Period,
        mut publish: impl FnMut(&Command) + Send + 'static,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let superseded = Arc::new(AtomicU64::new(0));
        let (stopped, passed_over) = (Arc::clone(&stop), Arc::clone(&superseded));
        let thread = std::thread::Builder::new()
            .name("commands".to_owned())
            .spawn(move || {
                loop {
                    // Read before the drain, so that what was written before the stop is sent.
                    let last = stopped.load(Ordering::Acquire);
                    if let Some((record, passed)) = commands.newest() {
                        passed_over.fetch_add(passed, Ordering::Relaxed);
                        publish(&record.to_message(&names, period));
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
            superseded,
        })
    }

    /// What the control thread unparks after writing a record.
    pub fn thread(&self) -> Option<Thread> {
        self.thread.as_ref().map(|thread| thread.thread().clone())
    }

    /// Commands that were never published because a newer one waited.
    pub fn superseded(&self) -> u64 {
        self.superseded.load(Ordering::Relaxed)
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
