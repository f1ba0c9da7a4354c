//! What `rmw_zenoh` attaches to each sample.

use super::NameError;
use crate::Stamp;

/// Identifies a publisher or subscriber among all.
pub type Gid = [u8; 16];

/// Sent along with each sample.
///
/// As zenoh's own serialisation lays it out: two little endian 64-bit numbers, then the gid as a
/// sequence of bytes, whose length of 16 takes one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attachment {
    /// Counts the samples of this publisher, from one.
    pub sequence: i64,
    /// Wall clock of the publisher when it sent the sample.
    pub source: Stamp,
    /// The publisher, see [`Entity::gid`](super::Entity::gid).
    pub gid: Gid,
}

impl Attachment {
    /// Bytes of an attachment.
    pub const LEN: usize = 33;

    /// The bytes to attach.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.source.nanos().to_le_bytes());
        bytes[16] = 16;
        bytes[17..].copy_from_slice(&self.gid);
        bytes
    }

    /// The attachment in the bytes that came with a sample.
    ///
    /// # Errors
    /// Another length.
    pub fn decode(bytes: &[u8]) -> Result<Self, NameError> {
        let wrong = || NameError::Attachment { found: bytes.len() };
        let (&sequence, rest) = bytes.split_first_chunk().ok_or_else(wrong)?;
        let (&source, rest) = rest.split_first_chunk().ok_or_else(wrong)?;
        let Some((16, gid)) = rest.split_first() else {
            return Err(wrong());
        };
        Ok(Self {
            sequence: i64::from_le_bytes(sequence),
            source: Stamp::from_nanos(i64::from_le_bytes(source)),
            gid: gid.try_into().map_err(|_| wrong())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_three_bytes() {
        let attachment = Attachment {
            sequence: 1,
            source: Stamp::from_nanos(0x0102_0304_0506_0708),
            gid: *b"0123456789abcdef",
        };
        let bytes = attachment.encode();
        #[rustfmt::skip]
        let expected = [
            1, 0, 0, 0, 0, 0, 0, 0,
            8, 7, 6, 5, 4, 3, 2, 1,
            16,
            b'0', b'1', b'2', b'3', b'4', b'5', b'6', b'7',
            b'8', b'9', b'a', b'b', b'c', b'd', b'e', b'f',
        ];
        assert_eq!(bytes, expected);
        assert_eq!(Attachment::decode(&bytes), Ok(attachment));
    }

    #[test]
    fn refuses_other_lengths() {
        let bytes = [16; 40];
        for length in (0..40).filter(|&length| length != Attachment::LEN) {
            assert!(Attachment::decode(&bytes[..length]).is_err());
        }
        let mut bytes = [0; Attachment::LEN];
        bytes[16] = 15;
        assert!(Attachment::decode(&bytes).is_err());
    }
}
