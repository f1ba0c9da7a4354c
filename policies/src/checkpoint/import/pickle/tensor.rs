//! How PyTorch writes tensors (`torch/_utils.py`).

use safetensors::tensor::Dtype;

use super::super::error::FormatError;
use super::super::tree::{Id, Tree, Value, View};
use super::known;

/// Type of the elements of a typed storage class, given as `torch.FloatStorage`; `None` within for
/// a storage without a type.
///
/// # Errors
/// If the class is of a type that safetensors cannot hold.
pub fn storage_type(class: &str) -> Result<Option<Dtype>, FormatError> {
    let name = class.rsplit('.').next().unwrap_or_default();
    Ok(Some(match name {
        "UntypedStorage" => return Ok(None),
        "FloatStorage" => Dtype::F32,
        "DoubleStorage" => Dtype::F64,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        "ComplexFloatStorage" => Dtype::C64,
        _ => {
            return Err(FormatError::invalid(format!(
                "numbers of a `{class}` cannot be held here"
            )));
        }
    }))
}

/// As [`storage_type`], of `torch.float32` and its like.
fn element_type(name: &str) -> Result<Dtype, FormatError> {
    Ok(match name {
        "torch.float32" => Dtype::F32,
        "torch.float64" => Dtype::F64,
        "torch.float16" => Dtype::F16,
        "torch.bfloat16" => Dtype::BF16,
        "torch.int64" => Dtype::I64,
        "torch.int32" => Dtype::I32,
        "torch.int16" => Dtype::I16,
        "torch.int8" => Dtype::I8,
        "torch.uint8" => Dtype::U8,
        "torch.uint16" => Dtype::U16,
        "torch.uint32" => Dtype::U32,
        "torch.uint64" => Dtype::U64,
        "torch.bool" => Dtype::BOOL,
        "torch.complex64" => Dtype::C64,
        "torch.float8_e4m3fn" => Dtype::F8_E4M3,
        "torch.float8_e5m2" => Dtype::F8_E5M2,
        _ => {
            return Err(FormatError::invalid(format!(
                "numbers of type `{name}` cannot be held here"
            )));
        }
    })
}

/// The tensor that a function of PyTorch describes; `None` if it is none of those.
///
/// # Errors
/// If a known function is given something that it cannot take.
pub fn rebuild(tree: &mut Tree, name: &str, list: &[Id]) -> Result<Option<Id>, FormatError> {
    let short = |what: &str| FormatError::invalid(format!("`{name}` is not given {what}"));
    match name {
        "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" => {
            view(tree, list, None).map(Some)
        }
        // For types that have no storage class of their own.
        "torch._utils._rebuild_tensor_v3" => {
            let dtype = list.get(6).ok_or_else(|| short("a dtype"))?;
            let Value::Global(dtype) = tree.get(*dtype) else {
                return Err(short("a dtype"));
            };
            let dtype = element_type(dtype)?;
            view(tree, list, Some(dtype)).map(Some)
        }
        "torch._utils._rebuild_parameter"
        | "torch._utils._rebuild_parameter_with_state"
        | "torch._utils._rebuild_device_tensor_from_numpy" => list
            .first()
            .copied()
            .ok_or_else(|| short("a tensor"))
            .map(Some),
        // A subclass of Tensor: (function, class, its arguments, attributes).
        "torch._tensor._rebuild_from_type_v2" => {
            let &[function, _, arguments, ..] = list else {
                return Err(short("a function and its arguments"));
            };
            // Only functions of this list can follow, so this does not go on for ever.
            match tree.get(function) {
                Value::Global(inner) if inner != name => {
                    known::call(tree, function, arguments).map(Some)
                }
                _ => Err(short("a function that makes tensors")),
            }
        }
        _ => Ok(None),
    }
}

/// (storage, offset, shape, strides, ...).
fn view(tree: &mut Tree, list: &[Id], dtype: Option<Dtype>) -> Result<Id, FormatError> {
    let &[storage, offset, shape, strides, ..] = list else {
        return Err(FormatError::invalid(
            "a tensor is not given storage, offset, shape and strides",
        ));
    };
    let Value::Storage(storage) = *tree.get(storage) else {
        return Err(FormatError::invalid(format!(
            "a tensor is given {} as its storage",
            tree.get(storage).kind()
        )));
    };
    let dtype = dtype
        .or(tree.storage(storage).dtype)
        .ok_or_else(|| FormatError::invalid("a tensor has no type of numbers"))?;
    let shape = tree.counts(shape, "a shape")?;
    let strides = tree.counts(strides, "strides")?;
    if shape.len() != strides.len() {
        return Err(FormatError::invalid(format!(
            "a tensor has shape {shape:?} and strides {strides:?}"
        )));
    }
    let offset = tree.count(offset, "an offset")?;
    let shape = shape.into_iter().map(|side| side as usize).collect();
    tree.add(Value::Tensor(View {
        storage,
        dtype,
        shape,
        strides,
        offset,
    }))
}
