//! What all messages have in common.

use crate::cdr::DecodeError;

/// A message with a ROS 2 type and a CDR encoding.
pub trait Message: Sized {
    /// ROS type, for example `sensor_msgs/msg/Image`.
    const ROS_TYPE: &'static str;

    /// Type hash as in topic keys: `RIHS01_` and 64 hexadecimal digits.
    ///
    /// It is the SHA-256 of the type's description (REP 2016). The tests compute it anew from the
    /// `.msg` files with [`type_hash`](crate::schema::type_hash).
    const TYPE_HASH: &'static str;

    /// Replaces the content of `buffer` by the message: the CDR header, then the fields.
    ///
    /// A buffer that is kept is not grown again once it has held the largest message.
    fn encode_into(&self, buffer: &mut Vec<u8>);

    /// The message in a payload from an untrusted sender.
    ///
    /// # Errors
    /// A payload of another type, cut off, over a limit of [`limits`](crate::limits) or with a
    /// value without meaning is refused; nothing is allocated for data that is not there.
    fn decode(payload: &[u8]) -> Result<Self, DecodeError>;

    /// [`encode_into`](Message::encode_into) a new buffer.
    fn encode(&self) -> Vec<u8> {
        let mut buffer = Vec::new();
        self.encode_into(&mut buffer);
        buffer
    }

    /// [`TYPE_HASH`](Message::TYPE_HASH), for callers that want a function.
    fn type_hash() -> &'static str {
        Self::TYPE_HASH
    }

    /// Name of the type in DDS and in topic keys, for example `sensor_msgs::msg::dds_::Image_`.
    fn dds_type() -> String {
        let mut parts = Self::ROS_TYPE.splitn(3, '/');
        let mut next = || parts.next().unwrap_or_default();
        let (package, kind, name) = (next(), next(), next());
        format!("{package}::{kind}::dds_::{name}_")
    }

    /// The `.msg` definition with those of all types in it, as MCAP's encoding `ros2msg` wants it.
    fn schema() -> String {
        crate::schema::concatenated(Self::ROS_TYPE)
    }
}
