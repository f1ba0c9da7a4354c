//! `cerebellum_msgs/Latent`.

use crate::cdr::{DecodeError, Reader, Writer};
use crate::limits::{MAX_LATENT_RANK, MAX_LATENT_VALUES, MAX_TEXT_BYTES};
use crate::ros::std_msgs::{read_stamp, write_header};
use crate::{LatentSample, Message, Tick};

impl Message for LatentSample {
    const ROS_TYPE: &'static str = "cerebellum_msgs/msg/Latent";
    const TYPE_HASH: &'static str =
        "RIHS01_265ba2cfd8b4c0b5119421c0f8c0d99340f9860d62278aa63c369d980a7ff5db";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        let mut writer = Writer::new(buffer);
        write_header(&mut writer, self.stamp, "");
        writer.u64(self.tick.0);
        writer.u64(self.generation);
        writer.text(&self.name);
        writer.u32s(&self.shape);
        writer.f32s(&self.values);
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let message = Self {
            stamp: read_stamp(&mut reader)?,
            tick: Tick(reader.u64("tick")?),
            generation: reader.u64("generation")?,
            name: reader.text("name", MAX_TEXT_BYTES)?.to_owned(),
            shape: reader.u32s("shape", MAX_LATENT_RANK)?,
            values: reader.f32s("values", MAX_LATENT_VALUES)?,
        };
        reader.finish()?;
        Ok(message)
    }
}
