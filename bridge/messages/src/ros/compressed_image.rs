//! `sensor_msgs/CompressedImage`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::std_msgs::{read_header, write_header};
use crate::cdr::{DecodeError, Reader, Writer};
use crate::limits::{MAX_COMPRESSED_BYTES, MAX_TEXT_BYTES};
use crate::{Message, Stamp};

/// An image as a file, JPEG or PNG, that is not yet decoded (`sensor_msgs/CompressedImage`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompressedImage {
    /// Name of the camera; the `frame_id` of the header.
    pub camera: String,
    /// Time of exposure.
    pub stamp: Stamp,
    /// What the bytes are, for example `jpeg` or `rgb8; jpeg compressed bgr8`.
    pub format: String,
    /// The file.
    pub data: Arc<[u8]>,
}

impl Message for CompressedImage {
    const ROS_TYPE: &'static str = "sensor_msgs/msg/CompressedImage";
    const TYPE_HASH: &'static str =
        "RIHS01_15640771531571185e2efc8a100baf923961a4d15d5569652e6cb6691e8e371a";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        let mut writer = Writer::new(buffer);
        write_header(&mut writer, self.stamp, &self.camera);
        writer.text(&self.format);
        writer.bytes(&self.data);
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let (stamp, camera) = read_header(&mut reader)?;
        let format = reader.text("format", MAX_TEXT_BYTES)?;
        let data = reader.bytes("data", MAX_COMPRESSED_BYTES)?;
        reader.finish()?;
        Ok(Self {
            camera: camera.to_owned(),
            stamp,
            format: format.to_owned(),
            data: data.into(),
        })
    }
}
