//! Numbers that begin at a cache line.

/// Numbers of 32 bits of a cache line. Vectors that cross one take twice as long to read.
pub const LINE: usize = 16;

/// Numbers of 32 bits that begin at a cache line.
#[derive(Debug)]
pub struct Aligned<T = f32> {
    values: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// Zeros.
    pub fn zeros(len: usize) -> Self {
        let values = vec![T::default(); len + LINE];
        let start = values.as_ptr().align_offset(LINE * size_of::<f32>());
        let start = if start <= LINE { start } else { 0 };
        Self { values, start, len }
    }

    /// How many.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The numbers.
    pub fn get(&self) -> &[T] {
        &self.values[self.start..self.start + self.len]
    }

    /// The numbers, to write.
    pub fn get_mut(&mut self) -> &mut [T] {
        &mut self.values[self.start..self.start + self.len]
    }
}
