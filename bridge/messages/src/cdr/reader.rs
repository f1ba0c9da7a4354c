//! Reads CDR from a payload that may be anything at all.

use super::DecodeError;

/// Takes fields off a payload, in order, never past its end.
///
/// The length of a string or sequence is compared with its limit and with the bytes that remain
/// before anything is allocated for it, so a payload costs no more memory than it has bytes (times
/// the size of an element in memory over its size on the wire).
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    message: &'static str,
    body: &'a [u8],
    at: usize,
    big_endian: bool,
}

/// Padding after the last field that is not worth an error: some writers round a payload up to a
/// multiple of four.
const MAX_PADDING: usize = 3;

impl<'a> Reader<'a> {
    /// Reads the encapsulation header; `message` is the ROS type that errors name.
    pub fn new(message: &'static str, payload: &'a [u8]) -> Result<Self, DecodeError> {
        let Some((&[high, low, _, _], body)) = payload.split_first_chunk::<4>() else {
            let found = payload.len();
            return Err(DecodeError::NoHeader { message, found });
        };
        let big_endian = match u16::from_be_bytes([high, low]) {
            0x0001 => false,
            0x0000 => true,
            found => return Err(DecodeError::Encapsulation { message, found }),
        };
        Ok(Self {
            message,
            body,
            at: 0,
            big_endian,
        })
    }

    /// The ROS type that errors name.
    pub const fn message(&self) -> &'static str {
        self.message
    }

    /// Checks that the payload is used up, but for a few bytes of padding.
    pub fn finish(self) -> Result<(), DecodeError> {
        let unread = self.remaining();
        if unread > MAX_PADDING {
            return Err(DecodeError::Trailing {
                message: self.message,
                unread,
            });
        }
        Ok(())
    }

    /// Reads a byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        Ok(u8::from_le_bytes(self.number(field)?))
    }

    /// Reads an `int32`.
    pub fn i32(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        Ok(i32::from_le_bytes(self.number(field)?))
    }

    /// Reads a `uint32`.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.number(field)?))
    }

    /// Reads a `uint64`.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.number(field)?))
    }

    /// Reads a `float32`.
    pub fn f32(&mut self, field: &'static str) -> Result<f32, DecodeError> {
        Ok(f32::from_le_bytes(self.number(field)?))
    }

    /// Reads a `float64`.
    pub fn f64(&mut self, field: &'static str) -> Result<f64, DecodeError> {
        Ok(f64::from_le_bytes(self.number(field)?))
    }

    /// Reads a `string` of at most `limit` bytes in place.
    ///
    /// A length of zero, which some writers use for an empty string, is accepted.
    pub fn text(&mut self, field: &'static str, limit: usize) -> Result<&'a str, DecodeError> {
        let message = self.message;
        // The limit is for the text, the count on the wire includes the closing zero.
        let count = self.length(field, 1, limit.saturating_add(1))?;
        let Some((&last, text)) = self.take(field, count)?.split_last() else {
            return Ok("");
        };
        if last != 0 {
            return Err(DecodeError::Unterminated { message, field });
        }
        std::str::from_utf8(text).map_err(|error| DecodeError::Utf8 {
            message,
            field,
            valid_up_to: error.valid_up_to(),
        })
    }

    /// Reads a `string[]` of at most `limit` strings of at most `text_limit` bytes.
    pub fn texts(
        &mut self,
        field: &'static str,
        limit: usize,
        text_limit: usize,
    ) -> Result<Vec<String>, DecodeError> {
        // The shortest string is its length alone.
        let count = self.length(field, 4, limit)?;
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(self.text(field, text_limit)?.to_owned());
        }
        Ok(values)
    }

    /// Reads a `uint8[]` of at most `limit` bytes in place.
    pub fn bytes(&mut self, field: &'static str, limit: usize) -> Result<&'a [u8], DecodeError> {
        let count = self.length(field, 1, limit)?;
        self.take(field, count)
    }

    /// Reads a `uint32[]` of at most `limit` numbers.
    pub fn u32s(&mut self, field: &'static str, limit: usize) -> Result<Vec<u32>, DecodeError> {
        self.numbers(field, limit, u32::from_le_bytes)
    }

    /// Reads a `float32[]` of at most `limit` numbers.
    pub fn f32s(&mut self, field: &'static str, limit: usize) -> Result<Vec<f32>, DecodeError> {
        self.numbers(field, limit, f32::from_le_bytes)
    }

    /// Reads a `float64[]` of at most `limit` numbers.
    pub fn f64s(&mut self, field: &'static str, limit: usize) -> Result<Vec<f64>, DecodeError> {
        self.numbers(field, limit, f64::from_le_bytes)
    }

    /// Reads the number of elements of a sequence whose elements the caller reads, each of which
    /// takes at least `element` bytes.
    pub fn length(
        &mut self,
        field: &'static str,
        element: usize,
        limit: usize,
    ) -> Result<usize, DecodeError> {
        let message = self.message;
        let found = u64::from(self.u32(field)?);
        if found > limit as u64 {
            return Err(DecodeError::TooLong {
                message,
                field,
                found,
                limit,
            });
        }
        // Not above the limit, which is a `usize`.
        let count = found as usize;
        let needed = found.saturating_mul(element as u64);
        if needed > self.remaining() as u64 {
            return Err(DecodeError::Truncated {
                message,
                field,
                needed,
                remaining: self.remaining(),
            });
        }
        Ok(count)
    }

    fn remaining(&self) -> usize {
        self.body.len() - self.at
    }

    /// Takes `count` bytes as they are.
    fn take(&mut self, field: &'static str, count: usize) -> Result<&'a [u8], DecodeError> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let Some((taken, _)) = rest.split_at_checked(count) else {
            return Err(DecodeError::Truncated {
                message: self.message,
                field,
                needed: count as u64,
                remaining: rest.len(),
            });
        };
        self.at += count;
        Ok(taken)
    }

    /// Skips to the next multiple of `size`; past the end is an error of the field that follows.
    fn align(&mut self, field: &'static str, size: usize) -> Result<(), DecodeError> {
        let gap = self.at.next_multiple_of(size) - self.at;
        self.take(field, gap).map(|_| ())
    }

    /// Takes an aligned number, as little endian bytes.
    fn number<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        self.align(field, N)?;
        let taken = self.take(field, N)?;
        let mut bytes = [0; N];
        bytes.copy_from_slice(taken);
        if self.big_endian {
            bytes.reverse();
        }
        Ok(bytes)
    }

    fn numbers<const N: usize, T>(
        &mut self,
        field: &'static str,
        limit: usize,
        from_le_bytes: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.length(field, N, limit)?;
        if count == 0 {
            // No element, so no gap before one.
            return Ok(Vec::new());
        }
        self.align(field, N)?;
        let taken = self.take(field, count * N)?;
        let (chunks, _) = taken.as_chunks::<N>();
        let values = if self.big_endian {
            let swap = |bytes: &[u8; N]| {
                let mut bytes = *bytes;
                bytes.reverse();
                from_le_bytes(bytes)
            };
            chunks.iter().map(swap).collect()
        } else {
            chunks.iter().map(|bytes| from_le_bytes(*bytes)).collect()
        };
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const M: &str = "test_msgs/msg/Test";

    #[test]
    fn reads_both_byte_orders() {
        let mut little = Reader::new(M, &[0, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]).unwrap();
        assert_eq!(little.u8("a"), Ok(1));
        assert_eq!(little.u32("b"), Ok(2));
        let mut big = Reader::new(M, &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2]).unwrap();
        assert_eq!(big.u8("a"), Ok(1));
        assert_eq!(big.u32("b"), Ok(2));
        assert_eq!(big.finish(), Ok(()));
        let sequence = [0, 0, 0, 0, 0, 0, 0, 1, 0x3f, 0x80, 0, 0];
        let mut big = Reader::new(M, &sequence).unwrap();
        assert_eq!(big.f32s("a", 9), Ok(vec![1.0]));
    }

    #[test]
    fn refuses_other_encapsulations() {
        let error = Reader::new(M, &[0, 7, 0, 0, 1]).unwrap_err();
        assert_eq!(
            error,
            DecodeError::Encapsulation {
                message: M,
                found: 7
            }
        );
        assert!(Reader::new(M, &[0, 1, 0]).is_err());
    }

    #[test]
    fn checks_a_length_before_it_allocates() {
        let payload = [0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff];
        let mut reader = Reader::new(M, &payload).unwrap();
        let limit = 16;
        let found = u64::from(u32::MAX);
        let expected = DecodeError::TooLong {
            message: M,
            field: "a",
            found,
            limit,
        };
        assert_eq!(reader.clone().f64s("a", limit), Err(expected));
        let expected = DecodeError::Truncated {
            message: M,
            field: "a",
            needed: found * 8,
            remaining: 0,
        };
        assert_eq!(reader.f64s("a", usize::MAX), Err(expected));
    }

    #[test]
    fn checks_strings() {
        let text = |payload: &[u8]| {
            let mut reader = Reader::new(M, payload).unwrap();
            reader.text("a", 3).map(str::to_owned)
        };
        assert_eq!(text(&[0, 1, 0, 0, 0, 0, 0, 0]), Ok(String::new()));
        assert_eq!(text(&[0, 1, 0, 0, 1, 0, 0, 0, 0]), Ok(String::new()));
        assert_eq!(
            text(&[0, 1, 0, 0, 4, 0, 0, 0, b'a', b'b', b'c', 0]),
            Ok("abc".to_owned())
        );
        assert!(matches!(
            text(&[0, 1, 0, 0, 5, 0, 0, 0, b'a', b'b', b'c', b'd', 0]),
            Err(DecodeError::TooLong { .. })
        ));
        assert!(matches!(
            text(&[0, 1, 0, 0, 1, 0, 0, 0, b'a']),
            Err(DecodeError::Unterminated { .. })
        ));
        assert!(matches!(
            text(&[0, 1, 0, 0, 3, 0, 0, 0, b'a', 0xff, 0]),
            Err(DecodeError::Utf8 { valid_up_to: 1, .. })
        ));
    }

    #[test]
    fn tolerates_padding_and_refuses_more() {
        let payload = [0, 1, 0, 0, 0, 0, 0];
        assert_eq!(Reader::new(M, &payload).unwrap().finish(), Ok(()));
        let payload = [0, 1, 0, 0, 0, 0, 0, 0];
        assert!(Reader::new(M, &payload).unwrap().finish().is_err());
    }
}
