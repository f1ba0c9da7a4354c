//! `cerebellum_msgs/ActionChunk`.

use crate::cdr::{DecodeError, Reader, Writer};
use crate::limits::MAX_ACTION_VALUES;
use crate::ros::std_msgs::{read_stamp, write_header};
use crate::{ActionChunk, ActionSpace, Message, Tick};

fn read_space(reader: &mut Reader<'_>) -> Result<ActionSpace, DecodeError> {
    match reader.u8("space")? {
        0 => Ok(ActionSpace::TcpDelta),
        1 => Ok(ActionSpace::JointPosition),
        found => Err(DecodeError::Value {
            message: reader.message(),
            field: "space",
            found: u64::from(found),
            expected: "0 (tool deltas) or 1 (joint positions)",
        }),
    }
}

impl Message for ActionChunk {
    const ROS_TYPE: &'static str = "cerebellum_msgs/msg/ActionChunk";
    const TYPE_HASH: &'static str =
        "RIHS01_6bf7638f3f240f2ebd31894879f8b6ef39f2c1e29f318dd1099d26e502e04012";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        let mut writer = Writer::new(buffer);
        write_header(&mut writer, self.stamp, "");
        writer.u64(self.observed.0);
        writer.u64(self.goal_id);
        writer.u64(self.generation);
        writer.u32(self.denoise_steps);
        writer.u8(self.space as u8);
        writer.u32(self.action_dim);
        writer.f32s(&self.actions);
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let message = Self {
            stamp: read_stamp(&mut reader)?,
            observed: Tick(reader.u64("observed")?),
            goal_id: reader.u64("goal_id")?,
            generation: reader.u64("generation")?,
            denoise_steps: reader.u32("denoise_steps")?,
            space: read_space(&mut reader)?,
            action_dim: reader.u32("action_dim")?,
            actions: reader.f32s("actions", MAX_ACTION_VALUES)?,
        };
        reader.finish()?;
        Ok(message)
    }
}
