//! `cerebellum_msgs/RuntimeStatus`.

use crate::cdr::{DecodeError, Reader, Writer};
use crate::limits::MAX_TEXT_BYTES;
use crate::ros::std_msgs::{read_stamp, write_header};
use crate::{Message, RuntimeState, RuntimeStatus, Tick};

fn read_state(reader: &mut Reader<'_>) -> Result<RuntimeState, DecodeError> {
    match reader.u8("state")? {
        0 => Ok(RuntimeState::Waiting),
        1 => Ok(RuntimeState::Running),
        2 => Ok(RuntimeState::Starved),
        3 => Ok(RuntimeState::Stale),
        4 => Ok(RuntimeState::PeerLost),
        5 => Ok(RuntimeState::PolicyFault),
        6 => Ok(RuntimeState::Watchdog),
        7 => Ok(RuntimeState::Stopping),
        found => Err(DecodeError::Value {
            message: reader.message(),
            field: "state",
            found: u64::from(found),
            expected: "a state of RuntimeStatus.msg, 0 to 7",
        }),
    }
}

impl Message for RuntimeStatus {
    const ROS_TYPE: &'static str = "cerebellum_msgs/msg/RuntimeStatus";
    const TYPE_HASH: &'static str =
        "RIHS01_09d41f991afbf646468ef547b5fe0bdb22915ebd7d6b7409225ab673ff7a9cec";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        let mut writer = Writer::new(buffer);
        write_header(&mut writer, self.stamp, "");
        writer.u64(self.tick.0);
        writer.u8(self.state as u8);
        writer.u64(self.goal_id);
        writer.u64(self.generation);
        writer.u64(self.missed);
        writer.u64(self.limited);
        writer.f32(self.slack_us);
        writer.text(&self.detail);
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let message = Self {
            stamp: read_stamp(&mut reader)?,
            tick: Tick(reader.u64("tick")?),
            state: read_state(&mut reader)?,
            goal_id: reader.u64("goal_id")?,
            generation: reader.u64("generation")?,
            missed: reader.u64("missed")?,
            limited: reader.u64("limited")?,
            slack_us: reader.f32("slack_us")?,
            detail: reader.text("detail", MAX_TEXT_BYTES)?.to_owned(),
        };
        reader.finish()?;
        Ok(message)
    }
}
