//! `sensor_msgs/JointState`.

use super::std_msgs::{read_stamp, write_header};
use crate::cdr::{DecodeError, Reader, Writer};
use crate::limits::{MAX_JOINTS, MAX_TEXT_BYTES};
use crate::{JointState, Message};

impl Message for JointState {
    const ROS_TYPE: &'static str = "sensor_msgs/msg/JointState";
    const TYPE_HASH: &'static str =
        "RIHS01_a13ee3a330e346c9d87b5aa18d24e11690752bd33a0350f11c5882bc9179260e";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        let mut writer = Writer::new(buffer);
        write_header(&mut writer, self.stamp, "");
        writer.texts(&self.names);
        writer.f64s(&self.position);
        writer.f64s(&self.velocity);
        writer.f64s(&self.effort);
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let message = Self {
            stamp: read_stamp(&mut reader)?,
            names: reader.texts("name", MAX_JOINTS, MAX_TEXT_BYTES)?,
            position: reader.f64s("position", MAX_JOINTS)?,
            velocity: reader.f64s("velocity", MAX_JOINTS)?,
            effort: reader.f64s("effort", MAX_JOINTS)?,
        };
        reader.finish()?;
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stamp;

    /// Worked out by hand: offsets in the comments count from the end of the CDR header.
    #[test]
    fn bytes_of_a_joint_state() {
        let message = JointState {
            stamp: Stamp::from_nanos(1_000_000_002),
            names: vec!["a".to_owned(), "bc".to_owned()],
            position: vec![1.0, -2.0],
            velocity: vec![],
            effort: vec![0.5],
        };
        #[rustfmt::skip]
        let expected = [
            0x00, 0x01, 0x00, 0x00,
            0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, // 0: stamp
            0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // 8: "", then a gap to 16 for
            0x02, 0x00, 0x00, 0x00,                         // 16: two names
            0x02, 0x00, 0x00, 0x00, b'a', 0x00, 0x00, 0x00, // 20: "a", gap to 28
            0x03, 0x00, 0x00, 0x00, b'b', b'c', 0x00, 0x00, // 28: "bc", gap to 36
            0x02, 0x00, 0x00, 0x00,                         // 36: two positions, no gap at 40
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf0, 0x3f, // 40: 1.0
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, // 48: -2.0
            0x00, 0x00, 0x00, 0x00,                         // 56: no velocity
            0x01, 0x00, 0x00, 0x00,                         // 60: one effort, no gap at 64
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xe0, 0x3f, // 64: 0.5
        ];
        assert_eq!(message.encode(), expected);
        assert_eq!(JointState::decode(&expected), Ok(message));
    }
}
