//! Writes CDR into a buffer that the caller keeps.

use super::HEADER;

/// Appends fields, each at its alignment.
///
/// Nothing is allocated once the buffer has grown to the size of the largest message, so a sender
/// that keeps its buffer does not allocate while it runs.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Empties `buffer` and begins a payload in it.
    pub fn new(buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        buffer.extend_from_slice(&HEADER);
        Self { buffer }
    }

    /// Zeroes up to the next multiple of `size`, which is 4 or 8, counted from after the header.
    fn align(&mut self, size: usize) {
        let body = self.buffer.len() - HEADER.len();
        let end = HEADER.len() + body.next_multiple_of(size);
        self.buffer.resize(end, 0);
    }

    /// Writes a byte.
    pub fn u8(&mut self, value: u8) {
        self.buffer.push(value);
    }

    /// Writes an `int32`.
    pub fn i32(&mut self, value: i32) {
        self.align(4);
        self.buffer.extend_from_slice(&value.to_le_bytes());
    }

    /// Writes a `uint32`.
    pub fn u32(&mut self, value: u32) {
        self.align(4);
        self.buffer.extend_from_slice(&value.to_le_bytes());
    }

    /// Writes a `uint64`.
    pub fn u64(&mut self, value: u64) {
        self.align(8);
        self.buffer.extend_from_slice(&value.to_le_bytes());
    }

    /// Writes a `float32`.
    pub fn f32(&mut self, value: f32) {
        self.u32(value.to_bits());
    }

    /// Writes a `float64`.
    pub fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// Writes a `string`.
    pub fn text(&mut self, value: &str) {
        self.length(value.len() + 1);
        self.buffer.extend_from_slice(value.as_bytes());
        self.buffer.push(0);
    }

    /// Writes a `string[]`.
    pub fn texts(&mut self, values: &[String]) {
        self.length(values.len());
        for value in values {
            self.text(value);
        }
    }

    /// Writes a `uint8[]`.
    pub fn bytes(&mut self, values: &[u8]) {
        self.length(values.len());
        self.buffer.extend_from_slice(values);
    }

    /// Writes a `uint32[]`.
    pub fn u32s(&mut self, values: &[u32]) {
        self.length(values.len());
        self.buffer.reserve(values.len() * 4);
        for value in values {
            self.buffer.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// Writes a `float32[]`.
    pub fn f32s(&mut self, values: &[f32]) {
        self.length(values.len());
        self.buffer.reserve(values.len() * 4);
        for value in values {
            self.buffer.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// Writes a `float64[]`.
    pub fn f64s(&mut self, values: &[f64]) {
        self.length(values.len());
        if values.is_empty() {
            // No element, so no gap before one: some decoders would take it for trailing bytes.
            return;
        }
        self.align(8);
        self.buffer.reserve(values.len() * 8);
        for value in values {
            self.buffer.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// Writes the number of elements of a sequence whose elements the caller writes.
    ///
    /// CDR counts in 32 bits. A longer sequence would need more than 4 GiB for one message, which
    /// no receiver accepts; its count saturates, so that a receiver refuses it by its limit.
    pub fn length(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sit_at_multiples_of_their_size() {
        let mut buffer = vec![9; 3];
        let mut writer = Writer::new(&mut buffer);
        writer.u8(1);
        writer.u32(2);
        writer.u8(3);
        writer.u64(4);
        #[rustfmt::skip]
        assert_eq!(buffer, [
            0, 1, 0, 0,
            1, 0, 0, 0, 2, 0, 0, 0,
            3, 0, 0, 0, 0, 0, 0, 0,
            4, 0, 0, 0, 0, 0, 0, 0,
        ]);
    }

    #[test]
    fn an_empty_sequence_of_doubles_leaves_no_gap() {
        let mut buffer = Vec::new();
        let mut writer = Writer::new(&mut buffer);
        writer.f64s(&[]);
        writer.u8(7);
        assert_eq!(buffer, [0, 1, 0, 0, 0, 0, 0, 0, 7]);
    }

    #[test]
    fn a_kept_buffer_is_not_grown_again() {
        let mut buffer = Vec::new();
        Writer::new(&mut buffer).f64s(&[1.0; 100]);
        let (capacity, start) = (buffer.capacity(), buffer.as_ptr());
        Writer::new(&mut buffer).f64s(&[2.0; 100]);
        assert_eq!((capacity, start), (buffer.capacity(), buffer.as_ptr()));
    }
}
