//! `cerebellum_msgs/Goal`.

use std::sync::Arc;

use crate::cdr::{DecodeError, Reader, Writer};
use crate::limits::{MAX_CONCEPTS, MAX_GOAL_VALUES, MAX_TEXT_BYTES};
use crate::ros::image::{RawImage, write_image};
use crate::{Frame, Goal, GoalKind, GoalSpec, Message, Stamp};

fn read_kind(reader: &mut Reader<'_>) -> Result<GoalKind, DecodeError> {
    match reader.u8("kind")? {
        0 => Ok(GoalKind::Language),
        1 => Ok(GoalKind::Image),
        2 => Ok(GoalKind::State),
        3 => Ok(GoalKind::Reward),
        4 => Ok(GoalKind::Concept),
        found => Err(DecodeError::Value {
            message: reader.message(),
            field: "kind",
            found: u64::from(found),
            expected: "a kind of Goal.msg, 0 to 4",
        }),
    }
}

/// Stands in the place of the picture in goals of other kinds. No allocation.
fn write_no_image(writer: &mut Writer<'_>) {
    write_image(
        writer,
        &Frame {
            camera: String::new(),
            stamp: Stamp::default(),
            width: 0,
            height: 0,
            data: Arc::default(),
        },
    );
}

/// ROS messages have no unions: all fields travel, and those of other kinds are empty.
impl Message for Goal {
    const ROS_TYPE: &'static str = "cerebellum_msgs/msg/Goal";
    const TYPE_HASH: &'static str =
        "RIHS01_f5eb69b0498d025c883b4f2e28cccbd4021f3b0b6752ad874115b50c0908db0d";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        let mut writer = Writer::new(buffer);
        writer.u64(self.id);
        writer.u8(self.kind() as u8);
        writer.text(match &self.spec {
            GoalSpec::Language { text } => text,
            _ => "",
        });
        match &self.spec {
            GoalSpec::Image { frame } => write_image(&mut writer, frame),
            _ => write_no_image(&mut writer),
        }
        let (values, rewards): (&[f32], &[f32]) = match &self.spec {
            GoalSpec::State { values } => (values, &[]),
            GoalSpec::Reward { states, rewards } => (states, rewards),
            _ => (&[], &[]),
        };
        writer.f32s(values);
        writer.f32s(rewards);
        writer.u32s(match &self.spec {
            GoalSpec::Concept { ids } => ids,
            _ => &[],
        });
    }

    /// Fields that do not belong to the goal's kind are read over.
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let id = reader.u64("id")?;
        let kind = read_kind(&mut reader)?;
        let text = reader.text("text", MAX_TEXT_BYTES)?;
        let image = RawImage::read(&mut reader)?;
        let values = reader.f32s("values", MAX_GOAL_VALUES)?;
        let rewards = reader.f32s("rewards", MAX_GOAL_VALUES)?;
        let ids = reader.u32s("ids", MAX_CONCEPTS)?;
        reader.finish()?;
        let spec = match kind {
            GoalKind::Language => GoalSpec::Language {
                text: text.to_owned(),
            },
            GoalKind::Image => GoalSpec::Image {
                frame: image.into_frame()?,
            },
            GoalKind::State => GoalSpec::State { values },
            GoalKind::Reward => GoalSpec::Reward {
                states: values,
                rewards,
            },
            GoalKind::Concept => GoalSpec::Concept { ids },
        };
        Ok(Self { id, spec })
    }
}
