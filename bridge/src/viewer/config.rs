//! Where to show and record what goes on.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Address at which a rerun viewer on this machine listens.
pub const LOCAL_VIEWER: &str = "rerun+http://127.0.0.1:9876/proxy";

/// Where to show and record what goes on. With neither a file nor an address, nothing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ViewerConfig {
    /// File to record to (`.rrd`). It has another name until the recording is complete.
    pub record: Option<PathBuf>,
    /// Address of a running rerun viewer, for example `rerun+http://127.0.0.1:9876/proxy`. It may
    /// start, end and start again at any time; what happens without it is not shown.
    pub connect: Option<String>,
    /// Every how many images of a camera one is shown; 0 for none.
    pub image_every: u32,
    /// Events that may wait for the recorder, or the viewer, before new ones are dropped.
    pub queue: usize,
    /// The most memory that waiting events may take, for each of recorder and viewer [MiB]. As
    /// much again may be in rerun's own queues.
    pub memory_mib: usize,
}

impl Default for ViewerConfig {
    fn default() -> Self {
        Self {
            record: None,
            connect: None,
            image_every: 2,
            queue: 1024,
            memory_mib: 64,
        }
    }
}
