//! `cerebellum_msgs/LearnerReport`.

use crate::cdr::{DecodeError, Reader, Writer};
use crate::limits::MAX_TEXT_BYTES;
use crate::ros::std_msgs::{read_stamp, write_header};
use crate::{LearnerReport, Message, Verdict};

fn read_verdict(reader: &mut Reader<'_>) -> Result<Verdict, DecodeError> {
    match reader.u8("verdict")? {
        0 => Ok(Verdict::None),
        1 => Ok(Verdict::Accepted),
        2 => Ok(Verdict::RejectedLoss),
        3 => Ok(Verdict::RejectedTrust),
        4 => Ok(Verdict::RejectedNonFinite),
        5 => Ok(Verdict::RolledBack),
        found => Err(DecodeError::Value {
            message: reader.message(),
            field: "verdict",
            found: u64::from(found),
            expected: "a verdict of LearnerReport.msg, 0 to 5",
        }),
    }
}

impl Message for LearnerReport {
    const ROS_TYPE: &'static str = "cerebellum_msgs/msg/LearnerReport";
    const TYPE_HASH: &'static str =
        "RIHS01_f2f18c23363a5a69f1afd5c999455ca28a42fa509ab705aa17c4cd3afa79fe95";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        let mut writer = Writer::new(buffer);
        write_header(&mut writer, self.stamp, "");
        writer.u64(self.update);
        writer.u64(self.generation);
        writer.text(&self.objective);
        writer.f32(self.loss);
        writer.f32(self.grad_norm);
        writer.f32(self.reference_loss);
        writer.f32(self.candidate_loss);
        writer.f32(self.action_shift);
        writer.u8(self.verdict as u8);
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let message = Self {
            stamp: read_stamp(&mut reader)?,
            update: reader.u64("update")?,
            generation: reader.u64("generation")?,
            objective: reader.text("objective", MAX_TEXT_BYTES)?.to_owned(),
            loss: reader.f32("loss")?,
            grad_norm: reader.f32("grad_norm")?,
            reference_loss: reader.f32("reference_loss")?,
            candidate_loss: reader.f32("candidate_loss")?,
            action_shift: reader.f32("action_shift")?,
            verdict: read_verdict(&mut reader)?,
        };
        reader.finish()?;
        Ok(message)
    }
}
