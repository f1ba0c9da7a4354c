//! `cerebellum_msgs/EpisodeRequest`.

use crate::cdr::{DecodeError, Reader, Writer};
use crate::limits::MAX_TEXT_BYTES;
use crate::{ClockKind, EpisodeRequest, Message};

fn read_clock(reader: &mut Reader<'_>) -> Result<ClockKind, DecodeError> {
    match reader.u8("clock")? {
        0 => Ok(ClockKind::RealTime),
        1 => Ok(ClockKind::Lockstep),
        found => Err(DecodeError::Value {
            message: reader.message(),
            field: "clock",
            found: u64::from(found),
            expected: "0 (real time) or 1 (lockstep)",
        }),
    }
}

impl Message for EpisodeRequest {
    const ROS_TYPE: &'static str = "cerebellum_msgs/msg/EpisodeRequest";
    const TYPE_HASH: &'static str =
        "RIHS01_43bf0cc26aa4e2ad567324ddbd1201ba4d75a5f728dc93485d7ea6d7a9532524";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        let mut writer = Writer::new(buffer);
        writer.u64(self.episode);
        writer.text(&self.task);
        writer.u64(self.seed);
        writer.text(&self.split);
        writer.text(&self.shift);
        writer.u8(self.clock as u8);
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let message = Self {
            episode: reader.u64("episode")?,
            task: reader.text("task", MAX_TEXT_BYTES)?.to_owned(),
            seed: reader.u64("seed")?,
            split: reader.text("split", MAX_TEXT_BYTES)?.to_owned(),
            shift: reader.text("shift", MAX_TEXT_BYTES)?.to_owned(),
            clock: read_clock(&mut reader)?,
        };
        reader.finish()?;
        Ok(message)
    }
}
