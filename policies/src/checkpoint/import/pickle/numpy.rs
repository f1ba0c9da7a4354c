//! How NumPy and JAX write arrays, scalars and their types.

use safetensors::tensor::Dtype;

use super::super::blob::Span;
use super::super::error::FormatError;
use super::super::tree::{Id, NumpyType, Record, Storage, Tree, Value, View};
use super::known;

/// The array, scalar or type that a function of NumPy or JAX describes; `None` if it is none of
/// those. NumPy 2 calls its inner module `_core`, older ones `core`.
///
/// # Errors
/// If a known function is given something that it cannot take.
pub fn rebuild(tree: &mut Tree, name: &str, list: &[Id]) -> Result<Option<Id>, FormatError> {
    let plain = name.replacen("numpy._core.", "numpy.core.", 1);
    match plain.as_str() {
        "numpy.core.multiarray._reconstruct" => tree.add(Value::EmptyArray).map(Some),
        "numpy.core.multiarray.scalar" => {
            let &[kind, bytes] = list else {
                return Ok(None);
            };
            match tree.get(bytes) {
                Value::Bytes(_) | Value::Text(_) => {
                    array(tree, kind, bytes, Vec::new(), false).map(Some)
                }
                _ => Ok(None),
            }
        }
        // Protocol 5: (bytes, type, shape, order).
        "numpy.core.numeric._frombuffer" => {
            let &[bytes, kind, shape, order] = list else {
                return Err(FormatError::invalid(
                    "an array is not given bytes, type, shape and order",
                ));
            };
            let shape = tree.counts(shape, "a shape")?;
            let fortran = tree.text(order) == Some("F");
            array(tree, kind, bytes, shape, fortran).map(Some)
        }
        "numpy.dtype" | "numpy.dtypes.dtype" => dtype(tree, list).map(Some),
        _ if name.starts_with("jax") && name.ends_with("._reconstruct_array")
            || name.ends_with(".reconstruct_device_array") =>
        {
            jax(tree, list).map(Some)
        }
        _ => Ok(None),
    }
}

/// (function, its arguments, the state of the NumPy array, whether the type is weak).
fn jax(tree: &mut Tree, list: &[Id]) -> Result<Id, FormatError> {
    let &[function, arguments, state, ..] = list else {
        return Err(FormatError::invalid(
            "a JAX array is not given a NumPy array's parts",
        ));
    };
    let Value::Global(name) = tree.get(function) else {
        return Err(FormatError::invalid(
            "a JAX array is not made by a function",
        ));
    };
    let name = name.clone();
    let inner = tree
        .list(arguments)
        .ok_or_else(|| FormatError::invalid("a function is not given a tuple"))?
        .to_vec();
    if name.starts_with("jax") {
        return Err(FormatError::invalid("a JAX array inside a JAX array"));
    }
    let Some(array) = rebuild(tree, &name, &inner)? else {
        return Err(FormatError::Code(name));
    };
    if matches!(tree.get(array), Value::EmptyArray) {
        fill(tree, array, state)?;
    }
    Ok(array)
}

/// `numpy.dtype(code, align, copy)`. The code is a text, or a class of `ml_dtypes`.
fn dtype(tree: &mut Tree, list: &[Id]) -> Result<Id, FormatError> {
    let code = match list.first().map(|&id| tree.get(id)) {
        Some(Value::Text(code)) => code.clone(),
        Some(Value::Global(class)) => class.rsplit('.').next().unwrap_or_default().to_owned(),
        _ => return Err(FormatError::invalid("a dtype is not named by a text")),
    };
    let big_endian = code.starts_with('>');
    let code = code.trim_start_matches(['<', '>', '|', '=']).to_owned();
    tree.add(Value::NumpyType(NumpyType { code, big_endian }))
}

/// State of a dtype: (version, byte order, ...).
///
/// # Errors
/// If it is not that.
pub fn set_type(tree: &mut Tree, object: Id, state: Id) -> Result<(), FormatError> {
    let order = tree
        .list(state)
        .and_then(|state| state.get(1))
        .and_then(|&order| tree.text(order))
        .ok_or_else(|| FormatError::invalid("a dtype has no byte order"))?;
    let big = order == ">";
    if let Value::NumpyType(kind) = tree.get_mut(object) {
        kind.big_endian = big;
    }
    Ok(())
}

/// State of an array: (version, shape, type, whether columns come first, bytes); the version is
/// missing in very old files.
///
/// # Errors
/// If it is not that, or does not fit.
pub fn fill(tree: &mut Tree, object: Id, state: Id) -> Result<(), FormatError> {
    let state = tree.list(state).unwrap_or_default();
    let &[shape, kind, fortran, bytes] = &state[state.len().saturating_sub(4)..] else {
        return Err(FormatError::invalid(
            "an array's state is not shape, type, order and bytes",
        ));
    };
    let shape = tree.counts(shape, "a shape")?;
    let fortran = matches!(tree.get(fortran), Value::Bool(true) | Value::Int(1));
    let built = array(tree, kind, bytes, shape, fortran)?;
    let value = tree.get(built).clone();
    *tree.get_mut(object) = value;
    Ok(())
}

fn array(
    tree: &mut Tree,
    kind: Id,
    bytes: Id,
    shape: Vec<u64>,
    fortran: bool,
) -> Result<Id, FormatError> {
    let Value::NumpyType(kind) = tree.get(kind) else {
        return Err(FormatError::invalid("an array has no dtype"));
    };
    let kind = kind.clone();
    let Some(dtype) = element_type(&kind.code) else {
        // Texts, objects, structures: kept by name, refused if somebody needs them.
        let none = tree.add(Value::List(Vec::new()))?;
        return tree.add(Value::Record(Record {
            name: format!("numpy.ndarray of dtype {}", kind.code),
            called: true,
            arguments: none,
            state: None,
            items: Vec::new(),
            elements: Vec::new(),
        }));
    };
    let span = match tree.get(bytes) {
        Value::Bytes(span) => span.clone(),
        // Raw numbers of a Python 2 file that happen to be a text.
        Value::Text(text) => {
            let bytes = text.clone().into_bytes();
            known::memory(tree, bytes)?
        }
        other => {
            return Err(FormatError::invalid(format!(
                "an array's numbers are {}",
                other.kind()
            )));
        }
    };
    view(tree, dtype, kind.big_endian, span, shape, fortran)
}

/// A tensor over bytes that hold exactly its numbers.
///
/// # Errors
/// If they do not.
pub fn view(
    tree: &mut Tree,
    dtype: Dtype,
    big_endian: bool,
    span: Span,
    shape: Vec<u64>,
    fortran: bool,
) -> Result<Id, FormatError> {
    let size = (dtype.bitsize() / 8) as u64;
    let elements = shape
        .iter()
        .try_fold(1u64, |all, &side| all.checked_mul(side));
    let length = elements.and_then(|elements| elements.checked_mul(size));
    if length != Some(span.length()) {
        return Err(FormatError::invalid(format!(
            "an array of {dtype} and shape {shape:?} has {} bytes",
            span.length()
        )));
    }
    let mut strides = vec![1u64; shape.len()];
    if fortran {
        for axis in 1..shape.len() {
            strides[axis] = strides[axis - 1].saturating_mul(shape[axis - 1]);
        }
    } else {
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
        }
    }
    let storage = tree.add_storage(Storage {
        elements: elements.unwrap_or_default(),
        bytes: Some(span),
        dtype: Some(dtype),
        big_endian,
    });
    let shape = shape.into_iter().map(|side| side as usize).collect();
    tree.add(Value::Tensor(View {
        storage,
        dtype,
        shape,
        strides,
        offset: 0,
    }))
}

/// Element type by NumPy's code or name.
pub fn element_type(code: &str) -> Option<Dtype> {
    Some(match code {
        "f4" | "float32" => Dtype::F32,
        "f8" | "float64" => Dtype::F64,
        "f2" | "float16" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        "i1" | "int8" => Dtype::I8,
        "i2" | "int16" => Dtype::I16,
        "i4" | "int32" => Dtype::I32,
        "i8" | "int64" => Dtype::I64,
        "u1" | "uint8" => Dtype::U8,
        "u2" | "uint16" => Dtype::U16,
        "u4" | "uint32" => Dtype::U32,
        "u8" | "uint64" => Dtype::U64,
        "b1" | "bool" | "bool_" => Dtype::BOOL,
        "c8" | "complex64" => Dtype::C64,
        _ => return None,
    })
}
