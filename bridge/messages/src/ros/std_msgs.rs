//! `std_msgs/Header` and `std_msgs/String`.

use serde::{Deserialize, Serialize};

use super::time::{read_nanos, write_nanos};
use crate::cdr::{DecodeError, Reader, Writer};
use crate::limits::MAX_TEXT_BYTES;
use crate::{Message, Stamp};

/// When and in which frame of reference data was taken (`std_msgs/Header`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Header {
    /// Time of the data.
    pub stamp: Stamp,
    /// Frame of reference; may be empty.
    pub frame_id: String,
}

/// A line of text (`std_msgs/String`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Text(
    /// The text, UTF-8.
    pub String,
);

/// Writes a header.
pub(super) fn write_header(writer: &mut Writer<'_>, stamp: Stamp, frame_id: &str) {
    write_nanos(writer, stamp.nanos());
    writer.text(frame_id);
}

/// Reads a header in place.
pub(super) fn read_header<'a>(reader: &mut Reader<'a>) -> Result<(Stamp, &'a str), DecodeError> {
    let stamp = Stamp::from_nanos(read_nanos(reader, "header.stamp")?);
    let frame_id = reader.text("header.frame_id", MAX_TEXT_BYTES)?;
    Ok((stamp, frame_id))
}

/// Reads a header of a message that has no use for the frame of reference.
pub(super) fn read_stamp(reader: &mut Reader<'_>) -> Result<Stamp, DecodeError> {
    read_header(reader).map(|(stamp, _)| stamp)
}

impl Message for Header {
    const ROS_TYPE: &'static str = "std_msgs/msg/Header";
    const TYPE_HASH: &'static str =
        "RIHS01_f49fb3ae2cf070f793645ff749683ac6b06203e41c891e17701b1cb597ce6a01";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        write_header(&mut Writer::new(buffer), self.stamp, &self.frame_id);
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let (stamp, frame_id) = read_header(&mut reader)?;
        reader.finish()?;
        Ok(Self {
            stamp,
            frame_id: frame_id.to_owned(),
        })
    }
}

impl Message for Text {
    const ROS_TYPE: &'static str = "std_msgs/msg/String";
    const TYPE_HASH: &'static str =
        "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        Writer::new(buffer).text(&self.0);
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let text = reader.text("data", MAX_TEXT_BYTES)?;
        reader.finish()?;
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_its_length_its_bytes_and_a_zero() {
        let bytes = Text("hello".to_owned()).encode();
        #[rustfmt::skip]
        assert_eq!(bytes, [
            0x00, 0x01, 0x00, 0x00,
            0x06, 0x00, 0x00, 0x00, b'h', b'e', b'l', b'l', b'o', 0x00,
        ]);
    }

    #[test]
    fn a_header_is_a_time_and_a_string() {
        let header = Header {
            stamp: Stamp::from_nanos(1_000_000_002),
            frame_id: "base".to_owned(),
        };
        let bytes = header.encode();
        #[rustfmt::skip]
        assert_eq!(bytes, [
            0x00, 0x01, 0x00, 0x00,
            0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00,
            0x05, 0x00, 0x00, 0x00, b'b', b'a', b's', b'e', 0x00,
        ]);
        assert_eq!(Header::decode(&bytes), Ok(header));
    }
}
