//! `rosgraph_msgs/Clock`.

use serde::{Deserialize, Serialize};

use super::time::{read_nanos, write_nanos};
use crate::cdr::{DecodeError, Reader, Writer};
use crate::{Message, Stamp};

/// The time of a world that owns its clock (`rosgraph_msgs/Clock`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Clock(
    /// World time.
    pub Stamp,
);

impl Message for Clock {
    const ROS_TYPE: &'static str = "rosgraph_msgs/msg/Clock";
    const TYPE_HASH: &'static str =
        "RIHS01_692f7a66e93a3c83e71765d033b60349ba68023a8c689a79e48078bcb5c58564";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        write_nanos(&mut Writer::new(buffer), self.0.nanos());
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let nanos = read_nanos(&mut reader, "clock")?;
        reader.finish()?;
        Ok(Self(Stamp::from_nanos(nanos)))
    }
}
