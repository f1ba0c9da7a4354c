//! Why a payload could not be decoded.

use thiserror::Error;

/// Why a payload could not be decoded. Each message names the type and the field, what was found
/// and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The payload ends before its encapsulation header.
    #[error(
        "{message}: the payload has {found} bytes, fewer than the 4 of a CDR header; check that \
         the sender publishes {message} on this topic"
    )]
    NoHeader {
        /// ROS type.
        message: &'static str,
        /// Bytes in the payload.
        found: usize,
    },
    /// The header names an encoding other than plain CDR.
    #[error(
        "{message}: the payload has encapsulation {found:#06x}, expected 0x0001 or 0x0000 (plain \
         CDR, little or big endian); make the sender serialise with XCDR1"
    )]
    Encapsulation {
        /// ROS type.
        message: &'static str,
        /// The identifier found.
        found: u16,
    },
    /// The payload ends inside a field.
    #[error(
        "{message}.{field}: needs {needed} bytes but {remaining} remain; the message was cut off \
         or the sender has another definition of {message}"
    )]
    Truncated {
        /// ROS type.
        message: &'static str,
        /// Field being read.
        field: &'static str,
        /// Bytes that the field needs at least.
        needed: u64,
        /// Bytes left in the payload.
        remaining: usize,
    },
    /// A string or sequence is longer than this crate accepts.
    #[error(
        "{message}.{field}: has {found} elements, the limit is {limit}; send less at a time or \
         raise the limit in cerebellum-messages"
    )]
    TooLong {
        /// ROS type.
        message: &'static str,
        /// Field being read.
        field: &'static str,
        /// Elements (bytes of a string or image) declared.
        found: u64,
        /// Most that is accepted.
        limit: usize,
    },
    /// A string does not end in a zero byte.
    #[error(
        "{message}.{field}: the string does not end in a zero byte; the sender has another \
         definition of {message}"
    )]
    Unterminated {
        /// ROS type.
        message: &'static str,
        /// Field being read.
        field: &'static str,
    },
    /// A string is not UTF-8.
    #[error(
        "{message}.{field}: not UTF-8 from byte {valid_up_to} on; encode the text as UTF-8 before \
         sending"
    )]
    Utf8 {
        /// ROS type.
        message: &'static str,
        /// Field being read.
        field: &'static str,
        /// Bytes of the string that are valid.
        valid_up_to: usize,
    },
    /// A field holds a value without meaning.
    #[error("{message}.{field}: is {found}, expected {expected}")]
    Value {
        /// ROS type.
        message: &'static str,
        /// Field being read.
        field: &'static str,
        /// The value found.
        found: u64,
        /// What is accepted, in words.
        expected: &'static str,
    },
    /// An image has pixels of a kind that is not converted.
    #[error(
        "{message}.encoding: is `{found}`, expected rgb8, bgr8, rgba8, bgra8 or mono8; convert at \
         the camera, for example with the image_proc package"
    )]
    Encoding {
        /// ROS type.
        message: &'static str,
        /// The encoding found, cut to 32 characters.
        found: String,
    },
    /// Bytes are left over after the last field.
    #[error(
        "{message}: {unread} bytes are left after the last field; the sender has another \
         definition of {message}, compare the type hashes"
    )]
    Trailing {
        /// ROS type.
        message: &'static str,
        /// Bytes left over.
        unread: usize,
    },
}
