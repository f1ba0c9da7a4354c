//! CDR, the byte format of ROS 2 messages.
//!
//! What travels is the plain encoding of version 1 (XCDR1): a four-byte encapsulation header, then
//! the fields in order. A number of `n` bytes sits at a multiple of `n` counted from the end of the
//! header; the gap before it is zero. A string is its length in bytes *with* the closing zero, then
//! the bytes, then the zero. A sequence is the number of elements, then the elements.
//!
//! Source: *Extensible and Dynamic Topic Types for DDS* (OMG formal/2020-02-04), clause 7.4.1, and
//! *The Real-time Publish-Subscribe Protocol* (OMG formal/2022-04-01), clause 10.

mod error;
mod reader;
mod writer;

pub use error::DecodeError;
pub use reader::Reader;
pub use writer::Writer;

/// Encapsulation header of what this crate writes: plain CDR, little endian, no options.
pub const HEADER: [u8; 4] = [0x00, 0x01, 0x00, 0x00];
