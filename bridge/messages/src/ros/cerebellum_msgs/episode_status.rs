//! `cerebellum_msgs/EpisodeStatus`.

use crate::cdr::{DecodeError, Reader, Writer};
use crate::limits::MAX_TEXT_BYTES;
use crate::ros::std_msgs::{read_stamp, write_header};
use crate::{EpisodePhase, EpisodeStatus, Message};

fn read_phase(reader: &mut Reader<'_>) -> Result<EpisodePhase, DecodeError> {
    match reader.u8("phase")? {
        0 => Ok(EpisodePhase::Running),
        1 => Ok(EpisodePhase::Succeeded),
        2 => Ok(EpisodePhase::Failed),
        3 => Ok(EpisodePhase::Refused),
        found => Err(DecodeError::Value {
            message: reader.message(),
            field: "phase",
            found: u64::from(found),
            expected: "0 (running), 1 (succeeded), 2 (failed) or 3 (refused)",
        }),
    }
}

impl Message for EpisodeStatus {
    const ROS_TYPE: &'static str = "cerebellum_msgs/msg/EpisodeStatus";
    const TYPE_HASH: &'static str =
        "RIHS01_c7792f3fcfbc3cbd98d519acfd08a655d12feec9bd1767f2cf23ab259f542a6f";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        let mut writer = Writer::new(buffer);
        write_header(&mut writer, self.stamp, "");
        writer.u64(self.episode);
        writer.text(&self.task);
        writer.text(&self.instruction);
        writer.u8(self.phase as u8);
        writer.u64(self.ticks);
        writer.text(&self.detail);
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let message = Self {
            stamp: read_stamp(&mut reader)?,
            episode: reader.u64("episode")?,
            task: reader.text("task", MAX_TEXT_BYTES)?.to_owned(),
            instruction: reader.text("instruction", MAX_TEXT_BYTES)?.to_owned(),
            phase: read_phase(&mut reader)?,
            ticks: reader.u64("ticks")?,
            detail: reader.text("detail", MAX_TEXT_BYTES)?.to_owned(),
        };
        reader.finish()?;
        Ok(message)
    }
}
