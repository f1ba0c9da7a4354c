//! `trajectory_msgs/JointTrajectory`.

use super::std_msgs::{read_stamp, write_header};
use super::time::{read_nanos, write_nanos};
use crate::cdr::{DecodeError, Reader, Writer};
use crate::limits::{MAX_JOINTS, MAX_TEXT_BYTES, MAX_TRAJECTORY_POINTS};
use crate::{Command, Message, TrajectoryPoint};

/// Bytes of the smallest point: four empty sequences and a duration.
const MIN_POINT_BYTES: usize = 24;

fn write_point(writer: &mut Writer<'_>, point: &TrajectoryPoint) {
    writer.f64s(&point.positions);
    writer.f64s(&point.velocities);
    writer.f64s(&point.accelerations);
    writer.f64s(&point.effort);
    write_nanos(writer, point.time_from_start_nanos);
}

fn read_point(reader: &mut Reader<'_>) -> Result<TrajectoryPoint, DecodeError> {
    Ok(TrajectoryPoint {
        positions: reader.f64s("points.positions", MAX_JOINTS)?,
        velocities: reader.f64s("points.velocities", MAX_JOINTS)?,
        accelerations: reader.f64s("points.accelerations", MAX_JOINTS)?,
        effort: reader.f64s("points.effort", MAX_JOINTS)?,
        time_from_start_nanos: read_nanos(reader, "points.time_from_start")?,
    })
}

impl Message for Command {
    const ROS_TYPE: &'static str = "trajectory_msgs/msg/JointTrajectory";
    const TYPE_HASH: &'static str =
        "RIHS01_179b33eba59d676f6d967ac71fe35e7ca2f64b2f3928f4a018cec115e213796e";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        let mut writer = Writer::new(buffer);
        write_header(&mut writer, self.stamp, "");
        writer.texts(&self.joint_names);
        writer.length(self.points.len());
        for point in &self.points {
            write_point(&mut writer, point);
        }
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let stamp = read_stamp(&mut reader)?;
        let joint_names = reader.texts("joint_names", MAX_JOINTS, MAX_TEXT_BYTES)?;
        let count = reader.length("points", MIN_POINT_BYTES, MAX_TRAJECTORY_POINTS)?;
        let mut points = Vec::with_capacity(count);
        for _ in 0..count {
            points.push(read_point(&mut reader)?);
        }
        reader.finish()?;
        Ok(Self {
            stamp,
            joint_names,
            points,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stamp;

    /// Worked out by hand: offsets in the comments count from the end of the CDR header.
    #[test]
    fn bytes_of_a_command() {
        let message = Command {
            stamp: Stamp::from_nanos(5_000_000_000),
            joint_names: vec!["j".to_owned()],
            points: vec![TrajectoryPoint {
                positions: vec![1.0],
                time_from_start_nanos: 50_000_000,
                ..TrajectoryPoint::default()
            }],
        };
        #[rustfmt::skip]
        let expected = [
            0x00, 0x01, 0x00, 0x00,
            0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // 0: stamp
            0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // 8: "", gap to 16
            0x01, 0x00, 0x00, 0x00,                         // 16: one name
            0x02, 0x00, 0x00, 0x00, b'j', 0x00, 0x00, 0x00, // 20: "j", gap to 28
            0x01, 0x00, 0x00, 0x00,                         // 28: one point
            0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // 32: one position, gap to 40
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf0, 0x3f, // 40: 1.0
            0x00, 0x00, 0x00, 0x00,                         // 48: no velocities
            0x00, 0x00, 0x00, 0x00,                         // 52: no accelerations
            0x00, 0x00, 0x00, 0x00,                         // 56: no effort
            0x00, 0x00, 0x00, 0x00, 0x80, 0xf0, 0xfa, 0x02, // 60: 0 s and 50,000,000 ns
        ];
        assert_eq!(message.encode(), expected);
        assert_eq!(Command::decode(&expected), Ok(message));
    }
}
