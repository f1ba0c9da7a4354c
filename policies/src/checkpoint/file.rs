//! Safetensors files.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write as _;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::CheckpointError;
use crate::policy::WeightTensor;

/// Tensors by key.
pub type Tensors = BTreeMap<String, WeightTensor>;

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> CheckpointError + '_ {
    |source| CheckpointError::Io {
        path: path.to_owned(),
        source,
    }
}

fn format(path: &Path, reason: impl Into<String>) -> CheckpointError {
    CheckpointError::Format {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// Reads every tensor of a safetensors file as f32 (f16, bf16 and f64 are converted).
///
/// # Errors
/// If the file cannot be read, is damaged, or holds a tensor of integers.
pub fn read_tensors(path: &Path) -> Result<Tensors, CheckpointError> {
    let bytes = fs::read(path).map_err(io(path))?;
    parse_tensors(&bytes, path)
}

/// As [`read_tensors`], with the metadata of the file's header.
///
/// # Errors
/// As [`read_tensors`].
pub fn read_with_metadata(
    path: &Path,
) -> Result<(Tensors, HashMap<String, String>), CheckpointError> {
    let bytes = fs::read(path).map_err(io(path))?;
    let tensors = parse_tensors(&bytes, path)?;
    let (_, header) =
        SafeTensors::read_metadata(&bytes).map_err(|error| format(path, error.to_string()))?;
    Ok((tensors, header.metadata().clone().unwrap_or_default()))
}

/// As [`read_tensors`], from memory.
///
/// # Errors
/// If the bytes are damaged or hold a tensor of integers.
pub fn parse_tensors(bytes: &[u8], path: &Path) -> Result<Tensors, CheckpointError> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| {
        format(
            path,
            format!("not a whole safetensors file ({error}): was it cut short?"),
        )
    })?;
    file.iter()
        .map(|(key, view)| {
            let values = floats(view.dtype(), view.data()).ok_or_else(|| {
                format(
                    path,
                    format!(
                        "tensor `{key}` is of type {:?}, expected floats",
                        view.dtype()
                    ),
                )
            })?;
            let shape = view.shape().to_vec();
            Ok((key.to_owned(), WeightTensor { shape, values }))
        })
        .collect()
}

/// Little-endian floats of any width as f32; `None` for numbers of other types.
pub(crate) fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    fn read<const N: usize>(bytes: &[u8], from: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let (chunks, _) = bytes.as_chunks::<N>();
        chunks.iter().map(|chunk| from(*chunk)).collect()
    }
    match dtype {
        Dtype::F32 => Some(read(bytes, f32::from_le_bytes)),
        Dtype::F64 => Some(read(bytes, |b| f64::from_le_bytes(b) as f32)),
        Dtype::F16 => Some(read(bytes, |b| half::f16::from_le_bytes(b).to_f32())),
        Dtype::BF16 => Some(read(bytes, |b| half::bf16::from_le_bytes(b).to_f32())),
        _ => None,
    }
}

/// Writes tensors as f32 under their keys: to a temporary file beside `path`, synced, then renamed.
///
/// # Errors
/// If the file cannot be written.
pub fn write_tensors(path: &Path, tensors: &Tensors) -> Result<(), CheckpointError> {
    write_with_metadata(path, tensors, HashMap::new())
}

/// As [`write_tensors`], with metadata in the file's header.
///
/// # Errors
/// As [`write_tensors`].
pub fn write_with_metadata(
    path: &Path,
    tensors: &Tensors,
    metadata: HashMap<String, String>,
) -> Result<(), CheckpointError> {
    let raw = tensors
        .iter()
        .map(|(key, tensor)| {
            let bytes = tensor
                .values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect::<Vec<u8>>();
            (key.as_str(), tensor.shape.clone(), bytes)
        })
        .collect::<Vec<_>>();
    let views = raw
        .iter()
        .map(|(key, shape, bytes)| {
            TensorView::new(Dtype::F32, shape.clone(), bytes)
                .map(|view| (*key, view))
                .map_err(|error| format(path, format!("tensor `{key}`: {error}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let metadata = (!metadata.is_empty()).then_some(metadata);
    let bytes =
        safetensors::serialize(views, metadata).map_err(|error| format(path, error.to_string()))?;
    write_atomically(path, &bytes)
}

/// Writes bytes to a temporary file in the same folder, syncs it and renames it over `path`.
///
/// # Errors
/// If any of that fails.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = Path::new(&temporary);
    let mut file = fs::File::create(temporary).map_err(io(temporary))?;
    file.write_all(bytes).map_err(io(temporary))?;
    file.sync_all().map_err(io(temporary))?;
    fs::rename(temporary, path).map_err(io(path))
}
