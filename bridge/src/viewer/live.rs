//! Sends to a running viewer, which may come and go.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rerun::external::re_uri::{ProxyUri, RedapUri};
use rerun::log::{ChunkBatcherConfig, LogMsg};
use rerun::sink::{GrpcSink, GrpcSinkConnectionState, LogSink, SinkFlushError};
use rerun::{RecordingStream, RecordingStreamBuilder};

use crate::viewer::running::Target;
use crate::viewer::scribe::Scribe;
use crate::viewer::tap::Entry;
use crate::viewer::{Event, LOCAL_VIEWER, ViewerConfig};
use crate::{BridgeError, Counter, Counters};

/// How long after a viewer has gone the next one is looked for.
const RETRY: Duration = Duration::from_secs(1);

/// A new identity for a recording: the file and the live view of a run are one recording.
pub(super) fn recording_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = now.map_or(0, |now| now.as_nanos());
    format!("{nanos:x}-{:x}", std::process::id())
}

/// What file and live view have in common. Environment variables of rerun do not count.
pub(super) fn builder(recording: &str) -> RecordingStreamBuilder {
    RecordingStreamBuilder::new("cerebellum")
        .enabled(true)
        .recording_id(recording)
        .send_properties(true)
}

/// Sends events to a viewer, when there is one.
pub(super) struct Live {
    url: ProxyUri,
    recording: String,
    image_every: u32,
    max_bytes: u64,
    absent: Counter,
    /// The newest goal and episode: what a viewer that comes late must know.
    standing: [Option<Entry>; 2],
    connection: Option<Connection>,
    failed: Option<Instant>,
}

struct Connection {
    scribe: Scribe,
    link: Arc<Link>,
    greeted: bool,
}

impl Live {
    pub(super) fn new(
        url: &str,
        config: &ViewerConfig,
        recording: &str,
        counters: &Counters,
    ) -> Result<Self, BridgeError> {
        let fail = |reason: String| BridgeError::Viewer {
            url: url.to_owned(),
            reason,
        };
        let url = match url.parse() {
            Ok(RedapUri::Proxy(url)) => url,
            Ok(_) => return Err(fail(format!("write it as {LOCAL_VIEWER}"))),
            Err(error) => return Err(fail(format!("{error}; write it as {LOCAL_VIEWER}"))),
        };
        Ok(Self {
            url,
            recording: recording.to_owned(),
            image_every: config.image_every,
            max_bytes: (config.memory_mib as u64) << 20,
            absent: counters.dropped("viewer", "absent"),
            standing: [None, None],
            connection: None,
            failed: None,
        })
    }

    /// A connection that can take events now.
    fn connected(&mut self) -> Option<&mut Connection> {
        let gone = |connection: &Connection| {
            matches!(connection.state(), GrpcSinkConnectionState::Disconnected(_))
        };
        if self.connection.as_ref().is_some_and(gone) {
            tracing::info!(url = %self.url, "the viewer has gone");
            self.connection = None;
            self.failed = Some(Instant::now());
        }
        if self.connection.is_none() && self.failed.is_none_or(|at| at.elapsed() >= RETRY) {
            self.failed = Some(Instant::now());
            self.connection = self.connect();
        }
        let connection = self.connection.as_mut()?;
        if !matches!(connection.state(), GrpcSinkConnectionState::Connected) {
            return None;
        }
        if !connection.greeted {
            connection.greeted = true;
            connection.scribe.greet();
            for entry in self.standing.iter().flatten() {
                let (moment, event) = &**entry;
                connection.scribe.write(*moment, event);
            }
            tracing::info!(url = %self.url, "showing to a viewer");
        }
        Some(connection)
    }

    fn connect(&self) -> Option<Connection> {
        let link = Arc::new(Link(GrpcSink::new(self.url.clone())));
        let batches = ChunkBatcherConfig {
            max_bytes_in_flight: self.max_bytes,
            ..ChunkBatcherConfig::LOW_LATENCY
        };
        let sink = Box::new(Shared(Arc::clone(&link)));
        let (_, info, properties, _, hooks, _) = builder(&self.recording).into_args();
        match RecordingStream::new(info, properties, Some(batches), hooks, sink) {
            Ok(stream) => Some(Connection {
                scribe: Scribe::new(stream, self.image_every),
                link,
                greeted: false,
            }),
            Err(error) => {
                tracing::warn!("no live view: {error}");
                None
            }
        }
    }
}

impl Target for Live {
    fn write(&mut self, entry: &Entry) {
        let (moment, event) = &**entry;
        match self.connected() {
            Some(connection) => connection.scribe.write(*moment, event),
            None => self.absent.increment(),
        }
        let [goal, episode] = &mut self.standing;
        match event {
            Event::Goal(_) => *goal = Some(Arc::clone(entry)),
            Event::Episode(_) => *episode = Some(Arc::clone(entry)),
            _ => {}
        }
    }

    fn finish(self) -> Result<Option<PathBuf>, BridgeError> {
        Ok(None)
    }
}

impl Connection {
    fn state(&self) -> GrpcSinkConnectionState {
        self.link.0.status()
    }
}

/// A sink whose state can be seen from outside the stream that owns it.
struct Link(GrpcSink);

struct Shared(Arc<Link>);

impl LogSink for Shared {
    fn send(&self, message: LogMsg) {
        // Until the viewer answers, only the two messages that open a stream come here: the sink
        // has room for a hundred, and would block for ever on more.
        self.0.0.send(message);
    }

    fn flush_blocking(&self, timeout: Duration) -> Result<(), SinkFlushError> {
        match self.0.0.status() {
            GrpcSinkConnectionState::Connected => self.0.0.flush_blocking(timeout),
            _ => Ok(()),
        }
    }
}
