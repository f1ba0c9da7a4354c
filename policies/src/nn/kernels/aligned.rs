//! Numbers that begin at a cache line.

/// Numbers of a cache line. Vectors that cross one take twice as long to read.
pub const LINE: usize = 16;

/// Numbers that begin at a cache line.
#[derive(Debug)]
pub struct Aligned {
    values: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// Zeros.
    pub fn zeros(len: usize) -> Self {
        let values = vec![0.0f32; len + LINE];
        let start = values.as_ptr().align_offset(LINE * size_of::<f32>());
        let start = if start <= LINE { start } else { 0 };
        Self { values, start, len }
    }

    /// How many.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The numbers.
    pub fn get(&self) -> &[f32] {
        &self.values[self.start..self.start + self.len]
    }

    /// The numbers, to write.
    pub fn get_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..self.start + self.len]
    }
}
