//! `builtin_interfaces/Time` and `Duration`: `int32 sec`, `uint32 nanosec`.

use crate::cdr::{DecodeError, Reader, Writer};
use crate::{Message, Stamp};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Writes nanoseconds as seconds and the rest, rounded down so that the rest is not negative.
///
/// Times beyond what 32-bit seconds hold (the year 2038) saturate.
pub(super) fn write_nanos(writer: &mut Writer<'_>, nanos: i64) {
    let seconds = nanos.div_euclid(NANOS_PER_SECOND);
    let rest = nanos.rem_euclid(NANOS_PER_SECOND) as u32;
    let (seconds, rest) = match i32::try_from(seconds) {
        Ok(seconds) => (seconds, rest),
        Err(_) if nanos < 0 => (i32::MIN, 0),
        Err(_) => (i32::MAX, NANOS_PER_SECOND as u32 - 1),
    };
    writer.i32(seconds);
    writer.u32(rest);
}

/// Reads seconds and the rest; a rest of more than a second is carried over.
pub(super) fn read_nanos(reader: &mut Reader<'_>, field: &'static str) -> Result<i64, DecodeError> {
    let seconds = i64::from(reader.i32(field)?);
    let rest = i64::from(reader.u32(field)?);
    // At most 2^31 * 10^9 + 2^32, far inside 64 bits.
    Ok(seconds * NANOS_PER_SECOND + rest)
}

impl Message for Stamp {
    const ROS_TYPE: &'static str = "builtin_interfaces/msg/Time";
    const TYPE_HASH: &'static str =
        "RIHS01_b106235e25a4c5ed35098aa0a61a3ee9c9b18d197f398b0e4206cea9acf9c197";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        write_nanos(&mut Writer::new(buffer), self.nanos());
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let nanos = read_nanos(&mut reader, "sec")?;
        reader.finish()?;
        Ok(Self::from_nanos(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_two_words() {
        let bytes = Stamp::from_nanos(3_000_000_004).encode();
        assert_eq!(bytes, [0, 1, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]);
    }

    #[test]
    fn a_time_before_the_origin_rounds_down() {
        let bytes = Stamp::from_nanos(-1).encode();
        let [.., a, b, c, d] = 999_999_999_u32.to_le_bytes();
        assert_eq!(bytes, [0, 1, 0, 0, 255, 255, 255, 255, a, b, c, d]);
        assert_eq!(Stamp::decode(&bytes), Ok(Stamp::from_nanos(-1)));
    }

    #[test]
    fn times_out_of_range_saturate() {
        let last = (i64::from(i32::MAX) + 1) * NANOS_PER_SECOND - 1;
        let first = i64::from(i32::MIN) * NANOS_PER_SECOND;
        let round_trip = |nanos| Stamp::decode(&Stamp::from_nanos(nanos).encode());
        assert_eq!(round_trip(i64::MAX), Ok(Stamp::from_nanos(last)));
        assert_eq!(round_trip(i64::MIN), Ok(Stamp::from_nanos(first)));
    }
}
