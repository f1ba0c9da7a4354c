//! The threads behind a [`ViewerTap`].

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::sync::{Empty, Queue};
use crate::viewer::tap::Entry;
use crate::viewer::{ViewerConfig, ViewerTap};
use crate::{BridgeError, Counters};

/// How long dropping a [`Viewer`] waits for its threads.
const PATIENCE: Duration = Duration::from_secs(5);

/// The recorder and the live viewer's sender. [`Viewer::finish`] completes the recording.
#[derive(Debug, Default)]
pub struct Viewer {
    tap: ViewerTap,
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    what: String,
    queue: Queue<Entry>,
    done: mpsc::Receiver<Result<Option<PathBuf>, BridgeError>>,
}

/// Where events end up.
pub(super) trait Target: Send + 'static {
    /// Writes one event.
    fn write(&mut self, entry: &Entry);
    /// Completes what was written; the path of the recording, if there is one.
    fn finish(self) -> Result<Option<PathBuf>, BridgeError>;
}

impl Viewer {
    /// Starts what the configuration asks for; nothing, if it asks for nothing.
    ///
    /// What is dropped is counted under `dropped.recorder` and `dropped.viewer`.
    ///
    /// # Errors
    /// If the file cannot be created, the address is none, or the build has no viewer. That nobody
    /// answers at the address is no error: the viewer may be started later.
    pub fn start(config: &ViewerConfig, counters: &Counters) -> Result<Self, BridgeError> {
        let mut viewer = Self::default();
        viewer.start_targets(config, counters)?;
        let outlets = viewer.workers.iter().map(|worker| worker.queue.clone());
        viewer.tap = ViewerTap::new(outlets.collect());
        Ok(viewer)
    }

    /// Where to offer events.
    pub fn tap(&self) -> ViewerTap {
        self.tap.clone()
    }

    /// Refuses new events, writes those that wait and completes the recording. Gives the path of
    /// the recording, if one was asked for.
    ///
    /// # Errors
    /// If the recording could not be completed in time or at all; the error says where what was
    /// written is.
    pub fn finish(mut self, patience: Duration) -> Result<Option<PathBuf>, BridgeError> {
        self.close(patience)
    }

    #[cfg(feature = "rerun")]
    fn start_targets(
        &mut self,
        config: &ViewerConfig,
        counters: &Counters,
    ) -> Result<(), BridgeError> {
        use crate::sync::Overflow;
        use crate::viewer::{file, live};
        let recording = live::recording_id();
        // Checked first: a wrong address should not leave an empty file behind.
        let live = match &config.connect {
            Some(url) => Some((url, live::Live::new(url, config, &recording, counters)?)),
            None => None,
        };
        if let Some(path) = &config.record {
            let target = file::Recorder::create(path, config, &recording)?;
            let what = format!("recorder of {}", path.display());
            let dropped = counters.dropped("recorder", "full");
            // A recording with holes would mislead: keep what came first.
            let queue = Queue::new(bound(config, Overflow::DropNewest), dropped);
            self.spawn("recorder", what, queue, target)?;
        }
        if let Some((url, target)) = live {
            let what = format!("sender to the viewer at {url}");
            let dropped = counters.dropped("viewer", "full");
            // Eyes want to see now.
            let queue = Queue::new(bound(config, Overflow::DropOldest), dropped);
            self.spawn("viewer", what, queue, target)?;
        }
        Ok(())
    }

    #[cfg(not(feature = "rerun"))]
    fn start_targets(
        &mut self,
        config: &ViewerConfig,
        _counters: &Counters,
    ) -> Result<(), BridgeError> {
        let asked = match (&config.record, &config.connect) {
            (None, None) => return Ok(()),
            (Some(path), _) => path.display().to_string(),
            (_, Some(url)) => url.clone(),
        };
        Err(BridgeError::Viewer {
            url: asked,
            reason: "this program was built without the feature `rerun`".to_owned(),
        })
    }

    #[cfg_attr(not(feature = "rerun"), expect(dead_code))]
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        what: String,
        queue: Queue<Entry>,
        mut target: impl Target,
    ) -> Result<(), BridgeError> {
        let (report, done) = mpsc::channel();
        let events = queue.clone();
        let run = move || {
            loop {
                match events.receive(Instant::now() + Duration::from_secs(1)) {
                    Ok(entry) => target.write(&entry),
                    Err(Empty::TimedOut) => {}
                    Err(Empty::Closed) => break,
                }
            }
            // Nobody listens any more if the wait for this thread was given up.
            report.send(target.finish()).ok();
        };
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(|source| BridgeError::Thread { name, source })?;
        self.workers.push(Worker { what, queue, done });
        Ok(())
    }

    fn close(&mut self, patience: Duration) -> Result<Option<PathBuf>, BridgeError> {
        let deadline = Instant::now() + patience;
        let workers = std::mem::take(&mut self.workers);
        for worker in &workers {
            worker.queue.close();
        }
        let mut recording = None;
        let mut failure = None;
        for worker in workers {
            let left = deadline.saturating_duration_since(Instant::now());
            match worker.done.recv_timeout(left) {
                Ok(Ok(path)) => recording = recording.or(path),
                Ok(Err(error)) => failure = Some(error),
                // The thread goes on or ends with the process; a stuck viewer is no failure.
                Err(_) => tracing::warn!(
                    waiting = worker.queue.len(),
                    "the {} did not end within {patience:?}",
                    worker.what
                ),
            }
        }
        failure.map_or(Ok(recording), Err)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        if let Err(error) = self.close(PATIENCE) {
            tracing::error!("{error}");
        }
    }
}

#[cfg(feature = "rerun")]
fn bound(config: &ViewerConfig, overflow: crate::sync::Overflow) -> crate::sync::Bound {
    crate::sync::Bound {
        items: config.queue,
        bytes: config.memory_mib.saturating_mul(1 << 20),
        overflow,
    }
}
