//! Tensors of any file by name, in the file's order, read when asked for.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata, View};

use super::blob::{Blob, Span};
use super::error::FormatError;
use crate::error::CheckpointError;
use crate::policy::WeightTensor;

/// Largest header of a safetensors file.
const MAX_HEADER: u64 = 100_000_000;
/// A view that repeats numbers (stride 0) may have this many entries beyond those of its storage.
const MAX_REPEATED: u64 = 1 << 24;

/// A tensor of a file. Cheap to clone; the numbers stay in the file.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Type of the numbers.
    pub dtype: Dtype,
    /// Shape.
    pub shape: Vec<usize>,
    bytes: Span,
    /// Numbers from one entry to the next, per axis; `None` if they lie row by row.
    strides: Option<Vec<usize>>,
    big_endian: bool,
}

impl Entry {
    /// A view of a storage: `strides` and `offset` count elements.
    ///
    /// # Errors
    /// If it reaches beyond the storage.
    pub fn new(
        dtype: Dtype,
        shape: Vec<usize>,
        bytes: Span,
        (strides, offset): (Vec<u64>, u64),
        big_endian: bool,
    ) -> Result<Self, FormatError> {
        let size = element_size(dtype)?;
        let available = bytes.length() / size;
        let beyond = || {
            FormatError::invalid(format!(
                "shape {shape:?} with strides {strides:?} from element {offset} reaches beyond the {available} numbers of its storage"
            ))
        };
        let count = shape
            .iter()
            .try_fold(1u64, |all, &side| all.checked_mul(side as u64))
            .filter(|count| *count <= available.saturating_add(MAX_REPEATED))
            .ok_or_else(beyond)?;
        let steps = shape.iter().zip(&strides);
        let used = steps
            .filter(|_| count > 0)
            .map(|(&side, &stride)| (side as u64 - 1).checked_mul(stride))
            .try_fold(u64::from(count > 0), |used, step| used.checked_add(step?))
            .ok_or_else(beyond)?;
        let end = offset.checked_add(used).filter(|end| *end <= available);
        let bytes = end
            .and_then(|_| bytes.part(offset * size, used * size))
            .ok_or_else(beyond)?;
        let mut expected = 1u64;
        let rows = shape.iter().zip(&strides).rev().all(|(&side, &stride)| {
            let fits = side == 1 || stride == expected;
            expected = expected.saturating_mul(side as u64);
            fits
        });
        // Axes of length one are never stepped along.
        let steps = shape.iter().zip(strides);
        let steps = steps.map(|(&side, stride)| if side == 1 { 0 } else { stride as usize });
        let strides = (!rows && count > 0).then(|| steps.collect());
        Ok(Self {
            dtype,
            shape,
            bytes,
            strides,
            big_endian,
        })
    }

    /// A tensor in memory: `bytes` hold its numbers row by row, little-endian.
    pub fn memory(path: &Path, dtype: Dtype, shape: Vec<usize>, bytes: Vec<u8>) -> Self {
        Self {
            dtype,
            shape,
            bytes: Blob::memory(path, bytes).whole(),
            strides: None,
            big_endian: false,
        }
    }

    /// Number of entries.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of all entries.
    pub fn length(&self) -> usize {
        self.count() * self.dtype.bitsize() / 8
    }

    /// The numbers, row by row, little-endian.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(&self) -> Result<Vec<u8>, FormatError> {
        let mut bytes = self.bytes.read()?;
        let size = self.dtype.bitsize() / 8;
        if let Some(strides) = &self.strides {
            bytes = gathered(&bytes, size, &self.shape, strides);
        }
        if self.big_endian {
            // Complex numbers are two numbers.
            let size = if self.dtype == Dtype::C64 { 4 } else { size };
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        Ok(bytes)
    }

    /// The numbers as f32; `None` if they are no floats.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn floats(&self) -> Result<Option<WeightTensor>, FormatError> {
        if !is_float(self.dtype) {
            return Ok(None);
        }
        let bytes = self.read()?;
        let values = crate::checkpoint::file::floats(self.dtype, &bytes).unwrap_or_default();
        Ok(Some(WeightTensor {
            shape: self.shape.clone(),
            values,
        }))
    }
}

fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64)
}

fn element_size(dtype: Dtype) -> Result<u64, FormatError> {
    match dtype.bitsize() {
        bits if bits.is_multiple_of(8) && bits > 0 => Ok((bits / 8) as u64),
        _ => Err(FormatError::invalid(format!(
            "numbers of type {dtype} are not whole bytes"
        ))),
    }
}

fn gathered(bytes: &[u8], size: usize, shape: &[usize], strides: &[usize]) -> Vec<u8> {
    let count = shape.iter().product::<usize>();
    let mut out = Vec::with_capacity(count * size);
    let mut index = vec![0usize; shape.len()];
    let mut at = 0;
    for _ in 0..count {
        out.extend_from_slice(&bytes[at * size..(at + 1) * size]);
        for axis in (0..shape.len()).rev() {
            let stride = strides[axis];
            index[axis] += 1;
            at += stride;
            if index[axis] < shape[axis] {
                break;
            }
            at -= stride * shape[axis];
            index[axis] = 0;
        }
    }
    out
}

/// Tensors by name, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct StateDict {
    entries: Vec<(String, Entry)>,
    index: BTreeMap<String, usize>,
}

impl StateDict {
    /// Adds a tensor.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn insert(&mut self, key: String, entry: Entry) -> Result<(), FormatError> {
        if self.index.insert(key.clone(), self.entries.len()).is_some() {
            return Err(FormatError::invalid(format!(
                "two tensors are called `{key}`"
            )));
        }
        self.entries.push((key, entry));
        Ok(())
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Names and tensors, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(key, entry)| (key.as_str(), entry))
    }

    /// A tensor.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.index.get(key).map(|&at| &self.entries[at].1)
    }

    /// The tensors whose names begin with `prefix`, without it.
    #[must_use]
    pub fn below(&self, prefix: &str) -> Self {
        let mut found = Self::default();
        for (key, entry) in self.iter() {
            if let Some(rest) = key.strip_prefix(prefix) {
                found.index.insert(rest.to_owned(), found.entries.len());
                found.entries.push((rest.to_owned(), entry.clone()));
            }
        }
        found
    }

    /// Opens a safetensors file; the numbers stay in it.
    ///
    /// # Errors
    /// If it cannot be read or is damaged.
    pub fn open_safetensors(blob: &Blob) -> Result<(Self, HashMap<String, String>), FormatError> {
        let whole = blob.whole();
        let damaged = |reason: String| {
            FormatError::invalid(format!(
                "not a whole safetensors file ({reason}): was it cut short?"
            ))
        };
        let mut length = [0; 8];
        whole.read_at(0, &mut length)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER {
            return Err(damaged(format!("a header of {length} bytes")));
        }
        let header = whole
            .part(8, length)
            .ok_or(FormatError::Truncated(whole.length()))?;
        let header = serde_json::from_slice::<Metadata>(&header.read()?)
            .map_err(|error| damaged(error.to_string()))?;
        let start = 8 + length;
        let mut state = Self::default();
        let mut end = start;
        for key in header.offset_keys() {
            let Some(info) = header.info(&key) else {
                continue;
            };
            let (from, to) = info.data_offsets;
            let bytes = to
                .checked_sub(from)
                .and_then(|length| whole.part(start.checked_add(from as u64)?, length as u64))
                .ok_or_else(|| damaged(format!("tensor `{key}` is not in it")))?;
            end = end.max(start + to as u64);
            let strides = row_strides(&info.shape);
            let entry = Entry::new(info.dtype, info.shape.clone(), bytes, (strides, 0), false)?;
            state.insert(key, entry)?;
        }
        if end != whole.length() {
            return Err(damaged(format!("{} bytes, not {end}", whole.length())));
        }
        Ok((state, header.metadata().clone().unwrap_or_default()))
    }

    /// Writes a safetensors file, one tensor in memory at a time: to a temporary file beside `path`,
    /// then renamed. Types and bits stay as they are.
    ///
    /// # Errors
    /// If a tensor cannot be read or the file not be written.
    pub fn write_safetensors(
        &self,
        path: &Path,
        metadata: HashMap<String, String>,
    ) -> Result<(), CheckpointError> {
        let failed = RefCell::new(None);
        let views = self.iter().map(|(key, entry)| {
            let failed = &failed;
            (key, LazyView { entry, failed })
        });
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".part");
        let temporary = Path::new(&temporary);
        let metadata = (!metadata.is_empty()).then_some(metadata);
        safetensors::serialize_to_file(views, metadata, temporary)
            .map_err(|error| FormatError::invalid(error.to_string()).at(path))?;
        if let Some(error) = failed.take() {
            let error = FormatError::at(error, path);
            return match fs::remove_file(temporary) {
                Ok(()) => Err(error),
                Err(source) => Err(FormatError::Io(source).at(temporary)),
            };
        }
        fs::rename(temporary, path).map_err(|source| FormatError::Io(source).at(path))
    }
}

/// Strides of a tensor whose rows follow one another, in elements.
pub fn row_strides(shape: &[usize]) -> Vec<u64> {
    let mut strides = vec![1u64; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis] as u64);
    }
    strides
}

/// A tensor that is read when it is written.
struct LazyView<'a> {
    entry: &'a Entry,
    failed: &'a RefCell<Option<FormatError>>,
}

impl View for LazyView<'_> {
    fn dtype(&self) -> Dtype {
        self.entry.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.entry.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        match self.entry.read() {
            Ok(bytes) => Cow::Owned(bytes),
            Err(error) => {
                self.failed.replace(Some(error));
                Cow::Owned(vec![0; self.data_len()])
            }
        }
    }
    fn data_len(&self) -> usize {
        self.entry.length()
    }
}
