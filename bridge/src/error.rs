//! Errors: what was tried, what the system said, what to do.

use std::path::PathBuf;

use cerebellum_messages::rmw::NameError;

/// Why something at the process boundary could not be set up or sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// A setting that cannot be used.
    #[error("{what} = `{found}` cannot be used: {advice}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// Its value.
        found: String,
        /// What to do.
        advice: String,
    },
    /// A topic, node or namespace is not a ROS name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The network could not be entered.
    #[error("no zenoh session ({endpoints}): {reason}; {advice}")]
    Open {
        /// The endpoints tried.
        endpoints: String,
        /// What the network layer said.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// A publisher, subscriber or liveliness token was refused.
    #[error("{what} on `{key}` was refused: {reason}")]
    Declare {
        /// Publisher, subscriber or token.
        what: &'static str,
        /// Its key.
        key: String,
        /// What the network layer said.
        reason: String,
    },
    /// A message was not sent.
    #[error("`{topic}` was not sent: {reason}")]
    Publish {
        /// The topic.
        topic: String,
        /// What the network layer said.
        reason: String,
    },
    /// A thread could not be started.
    #[error("thread `{name}` could not be started: {source}")]
    Thread {
        /// Its name.
        name: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A recording could not be written.
    #[error("{path}: {reason}")]
    Recording {
        /// The file.
        path: PathBuf,
        /// What went wrong and where the data is.
        reason: String,
    },
    /// A live viewer cannot be reached by this address.
    #[error("viewer `{url}`: {reason}")]
    Viewer {
        /// Where the viewer was sought.
        url: String,
        /// What is wrong and what to do.
        reason: String,
    },
}
