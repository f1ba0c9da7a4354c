//! Reading a [`Span`] from front to back.

use super::blob::Span;
use super::error::FormatError;

/// Bytes read from the file at once.
const WINDOW: usize = 1 << 16;
/// Longest text: protocols before 3 write the numbers of an array as one.
const MAX_TEXT: u64 = 1 << 30;

/// A cursor over a span. Lengths found in the file are checked against what is left of it before
/// anything is allocated.
#[derive(Debug)]
pub struct Input {
    span: Span,
    position: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl Input {
    /// At the beginning of `span`.
    pub const fn new(span: Span) -> Self {
        Self {
            span,
            position: 0,
            window: Vec::new(),
            window_start: 0,
        }
    }

    /// How far it is.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that are left.
    pub const fn left(&self) -> u64 {
        self.span.length() - self.position
    }

    fn truncated(&self) -> FormatError {
        FormatError::Truncated(self.span.length())
    }

    /// The next byte.
    ///
    /// # Errors
    /// If there is none or the file cannot be read.
    pub fn byte(&mut self) -> Result<u8, FormatError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// If there are fewer or the file cannot be read.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), FormatError> {
        let mut done = 0;
        while done < out.len() {
            let ahead = self.ahead()?;
            let count = ahead.len().min(out.len() - done);
            out[done..done + count].copy_from_slice(&ahead[..count]);
            done += count;
            self.position += count as u64;
        }
        Ok(())
    }

    /// Some bytes from the position on, at least one.
    fn ahead(&mut self) -> Result<&[u8], FormatError> {
        if self.left() == 0 {
            return Err(self.truncated());
        }
        let end = self.window_start + self.window.len() as u64;
        if !(self.window_start..end).contains(&self.position) {
            let count = self.left().min(WINDOW as u64) as usize;
            self.window.resize(count, 0);
            self.window_start = self.position;
            self.span.read_at(self.position, &mut self.window)?;
        }
        Ok(&self.window[(self.position - self.window_start) as usize..])
    }

    /// Steps over `length` bytes and says where they lie.
    ///
    /// # Errors
    /// If fewer are left.
    pub fn skip(&mut self, length: u64) -> Result<Span, FormatError> {
        let part = self
            .span
            .part(self.position, length)
            .ok_or_else(|| self.truncated())?;
        self.position += length;
        Ok(part)
    }

    /// The next `length` bytes, in memory.
    ///
    /// # Errors
    /// If fewer are left, or that is more than any text has.
    pub fn text(&mut self, length: u64) -> Result<Vec<u8>, FormatError> {
        if length > self.left() {
            return Err(self.truncated());
        }
        if length > MAX_TEXT {
            return Err(FormatError::Limit {
                what: "bytes of one text",
                limit: MAX_TEXT,
            });
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The bytes up to the next line end, without it.
    ///
    /// # Errors
    /// If there is none, or the line is longer than any text.
    pub fn line(&mut self) -> Result<Vec<u8>, FormatError> {
        let mut line = Vec::new();
        loop {
            let ahead = self.ahead()?;
            let end = ahead.iter().position(|&byte| byte == b'\n');
            let piece = &ahead[..end.unwrap_or(ahead.len())];
            line.extend_from_slice(piece);
            let step = piece.len() as u64 + u64::from(end.is_some());
            self.position += step;
            if end.is_some() {
                return Ok(line);
            }
            if line.len() as u64 > MAX_TEXT {
                return Err(FormatError::Limit {
                    what: "bytes of one line",
                    limit: MAX_TEXT,
                });
            }
        }
    }
}
