//! Names that cannot be sent, and tokens that cannot be read.

use thiserror::Error;

/// Why a name, key, token or attachment is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// A topic, node or namespace breaks the rules for ROS 2 names.
    #[error(
        "`{name}` is not a ROS 2 name: parts between slashes must be letters, digits and \
         underscores and must not begin with a digit"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A key has too few parts, or one that cannot be read.
    #[error("`{key}` is not a {kind}: {part} is missing or malformed")]
    Key {
        /// The key.
        key: String,
        /// What it should be.
        kind: &'static str,
        /// The part at fault.
        part: &'static str,
    },
    /// An attachment is not 33 bytes with a 16-byte identifier.
    #[error(
        "attachment of {found} bytes, expected 33 (sequence, time, 16-byte gid); the sender uses \
         an rmw_zenoh older than 0.6 or is not a ROS 2 node"
    )]
    Attachment {
        /// Its length.
        found: usize,
    },
}
