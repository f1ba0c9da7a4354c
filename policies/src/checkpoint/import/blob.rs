//! Bytes of a file or of memory, read by position.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rawzip::{FileReader, ReaderAt};

use super::error::FormatError;

#[derive(Debug)]
enum Source {
    File(FileReader),
    Memory(Vec<u8>),
    /// Spans one after the other, each with its first byte's offset.
    Joined(Vec<(u64, Span)>),
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    length: u64,
    source: Source,
}

/// A file (opened once, nothing kept in memory) or a piece of memory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blob(Arc<Inner>);

impl Blob {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be opened or is a folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "this is a folder",
            ));
        }
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            length: about.len(),
            source: Source::File(file.into()),
        })))
    }

    /// Takes bytes; `path` is for messages.
    pub fn memory(path: &Path, bytes: Vec<u8>) -> Self {
        Self(Arc::new(Inner {
            path: path.to_owned(),
            length: bytes.len() as u64,
            source: Source::Memory(bytes),
        }))
    }

    /// Spans one after the other.
    pub fn joined(path: &Path, spans: Vec<Span>) -> Self {
        let mut length = 0;
        let pieces = spans
            .into_iter()
            .map(|span| {
                let start = length;
                length += span.length;
                (start, span)
            })
            .collect();
        Self(Arc::new(Inner {
            path: path.to_owned(),
            length,
            source: Source::Joined(pieces),
        }))
    }

    /// Where the bytes come from.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// All of it.
    pub fn whole(&self) -> Span {
        Span {
            blob: self.clone(),
            start: 0,
            length: self.0.length,
        }
    }
}

impl ReaderAt for Blob {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.0.source {
            Source::File(file) => file.read_at(buffer, offset),
            Source::Memory(bytes) => {
                let from = usize::try_from(offset).map_or(bytes.len(), |at| at.min(bytes.len()));
                let rest = &bytes[from..];
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
            Source::Joined(pieces) => {
                let next = pieces.partition_point(|(start, _)| *start <= offset);
                let Some((start, span)) = next.checked_sub(1).and_then(|at| pieces.get(at)) else {
                    return Ok(0);
                };
                let inside = offset - start;
                let rest = span.length().saturating_sub(inside);
                let count = rest.min(buffer.len() as u64) as usize;
                span.blob.read_at(&mut buffer[..count], span.start + inside)
            }
        }
    }
}

/// A range of a [`Blob`] that lies inside it.
#[derive(Clone, Debug)]
pub struct Span {
    blob: Blob,
    start: u64,
    length: u64,
}

impl Span {
    /// Number of bytes.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// What it is a range of.
    pub const fn blob(&self) -> &Blob {
        &self.blob
    }

    /// A part of it; `None` if the part does not lie inside.
    pub fn part(&self, start: u64, length: u64) -> Option<Self> {
        (start.checked_add(length)? <= self.length).then(|| Self {
            blob: self.blob.clone(),
            start: self.start + start,
            length,
        })
    }

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// If that reaches beyond the span or the file cannot be read.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        let inside = offset
            .checked_add(buffer.len() as u64)
            .is_some_and(|end| end <= self.length);
        if !inside {
            return Err(FormatError::Truncated(self.start + self.length));
        }
        Ok(self.blob.read_exact_at(buffer, self.start + offset)?)
    }

    /// All bytes. The caller has checked that so many may be held in memory; they do exist.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(&self) -> Result<Vec<u8>, FormatError> {
        let mut bytes = vec![0; self.length as usize];
        self.read_at(0, &mut bytes)?;
        Ok(bytes)
    }
}
