//! Records to a file that has its name only once it is complete.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rerun::RecordingStream;
use rerun::log::ChunkBatcherConfig;
use rerun::sink::{FileSink, FileSinkOptions};

use crate::BridgeError;
use crate::viewer::ViewerConfig;
use crate::viewer::live::builder;
use crate::viewer::running::Target;
use crate::viewer::scribe::Scribe;
use crate::viewer::tap::Entry;

/// How often rerun writes a chunk per curve. Long, because the table of all chunks is kept in
/// memory until the end; a crash loses as much.
const FLUSH: Duration = Duration::from_secs(1);
/// How long the last write may take.
const LAST_FLUSH: Duration = Duration::from_secs(60);

/// Writes events to a file.
pub(super) struct Recorder {
    scribe: Scribe,
    partial: PathBuf,
    path: PathBuf,
}

impl Recorder {
    pub(super) fn create(
        path: &Path,
        config: &ViewerConfig,
        recording: &str,
    ) -> Result<Self, BridgeError> {
        let partial = partial_name(path);
        let fail = |reason: String| BridgeError::Recording {
            path: path.to_owned(),
            reason,
        };
        if path.file_name().is_none() {
            return Err(fail("is not the name of a file".to_owned()));
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| fail(error.to_string()))?;
        }
        let options = FileSinkOptions { write_footer: true };
        let sink = FileSink::with_options(&partial, options).map_err(|e| fail(e.to_string()))?;
        let batches = ChunkBatcherConfig {
            flush_tick: FLUSH,
            max_bytes_in_flight: (config.memory_mib as u64) << 20,
            ..ChunkBatcherConfig::DEFAULT
        };
        let (_, info, properties, _, hooks, _) = builder(recording).into_args();
        let stream = RecordingStream::new(info, properties, Some(batches), hooks, Box::new(sink))
            .map_err(|error| fail(error.to_string()))?;
        let scribe = Scribe::new(stream, config.image_every);
        scribe.greet();
        tracing::info!(
            path = %path.display(),
            partial = %partial.display(),
            "recording; the file is under the second name until it is complete"
        );
        Ok(Self {
            scribe,
            partial,
            path: path.to_owned(),
        })
    }
}

impl Target for Recorder {
    fn write(&mut self, entry: &Entry) {
        let (moment, event) = &**entry;
        self.scribe.write(*moment, event);
    }

    fn finish(self) -> Result<Option<PathBuf>, BridgeError> {
        let Self {
            scribe,
            partial,
            path,
        } = self;
        let keep = |reason: String| BridgeError::Recording {
            path: path.clone(),
            reason: format!("{reason}; what was written is in {}", partial.display()),
        };
        // Writing happens on rerun's threads, which only tell here that they failed.
        let flushed = scribe.stream().flush_with_timeout(LAST_FLUSH);
        flushed.map_err(|error| keep(error.to_string()))?;
        // The last handle: the file gets its table of contents and is closed.
        drop(scribe);
        std::fs::rename(&partial, &path).map_err(|error| keep(error.to_string()))?;
        Ok(Some(path))
    }
}

/// `<path>.<process>.partial`, so that the remains of a crash are not overwritten.
fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    PathBuf::from(name)
}
