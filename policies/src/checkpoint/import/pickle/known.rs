//! The functions of Python that only describe data, and everything else as records.

use super::super::blob::{Blob, Span};
use super::super::error::FormatError;
use super::super::tree::{Id, Record, Tree, Value};
use super::{numpy, tensor};

/// What a file gets when it asks to call `callee` with `arguments`. Nothing is called.
///
/// # Errors
/// If a known function is given something that it cannot take.
pub fn call(tree: &mut Tree, callee: Id, arguments: Id) -> Result<Id, FormatError> {
    let name = match tree.get(callee) {
        Value::Global(name) => name.clone(),
        Value::Record(record) => record.name.clone(),
        other => {
            return Err(FormatError::invalid(format!(
                "{} is called like a function",
                other.kind()
            )));
        }
    };
    let given = tree
        .list(arguments)
        .ok_or_else(|| FormatError::invalid(format!("`{name}` is not given a tuple")))?
        .to_vec();
    tree.link(given.len())?;
    let list = given.as_slice();
    match name.as_str() {
        "collections.OrderedDict" | "builtins.dict" | "__builtin__.dict" => dict(tree, list),
        "collections.defaultdict" => dict(tree, list.get(1..).unwrap_or_default()),
        "collections.Counter" | "flax.core.frozen_dict.FrozenDict" | "types.MappingProxyType" => {
            dict(tree, list)
        }
        "builtins.set"
        | "builtins.frozenset"
        | "builtins.list"
        | "builtins.tuple"
        | "__builtin__.set"
        | "__builtin__.frozenset"
        | "__builtin__.list"
        | "__builtin__.tuple"
        | "collections.deque"
        | "torch.Size" => sequence(tree, list),
        "builtins.bytes"
        | "builtins.bytearray"
        | "__builtin__.bytes"
        | "__builtin__.bytearray"
        | "_codecs.encode" => encoded(tree, list),
        "copyreg._reconstructor" | "copy_reg._reconstructor" => reconstructed(tree, list),
        "copyreg.__newobj__" | "copy_reg.__newobj__" => newobj(tree, list),
        _ if name.starts_with("torch.") => match tensor::rebuild(tree, &name, list)? {
            Some(id) => Ok(id),
            None => record(tree, name, true, arguments),
        },
        _ => match numpy::rebuild(tree, &name, list)? {
            Some(id) => Ok(id),
            None => record(tree, name, true, arguments),
        },
    }
}

/// An instance of a class whose constructor the file does not ask to run.
///
/// # Errors
/// If `class` is no class.
pub fn instance(tree: &mut Tree, class: Id, arguments: Id) -> Result<Id, FormatError> {
    let name = match tree.get(class) {
        Value::Global(name) => name.clone(),
        Value::Record(record) => record.name.clone(),
        other => {
            return Err(FormatError::invalid(format!(
                "{} is used like a class",
                other.kind()
            )));
        }
    };
    match name.as_str() {
        "collections.OrderedDict" | "collections.defaultdict" | "collections.Counter" => {
            tree.add(Value::Dict(Vec::new()))
        }
        _ => record(tree, name, false, arguments),
    }
}

/// Gives an object its state.
///
/// # Errors
/// If an array's or dtype's state is not what NumPy writes.
pub fn build(tree: &mut Tree, object: Id, state: Id) -> Result<(), FormatError> {
    match tree.get_mut(object) {
        Value::Record(record) => {
            record.state = Some(state);
            Ok(())
        }
        Value::EmptyArray => numpy::fill(tree, object, state),
        Value::NumpyType(_) => numpy::set_type(tree, object, state),
        // Attributes of a container or tensor: PyTorch keeps versions and hooks there.
        Value::Dict(_) | Value::List(_) | Value::Tensor(_) | Value::Global(_) => Ok(()),
        other => Err(FormatError::invalid(format!(
            "{} is given attributes",
            other.kind()
        ))),
    }
}

/// Bytes that were made while reading.
///
/// # Errors
/// If the file makes more of them than it has itself.
pub fn memory(tree: &mut Tree, bytes: Vec<u8>) -> Result<Span, FormatError> {
    tree.make(bytes.len() as u64)?;
    Ok(Blob::memory(&tree.path, bytes).whole())
}

fn record(tree: &mut Tree, name: String, called: bool, arguments: Id) -> Result<Id, FormatError> {
    tree.add(Value::Record(Record {
        name,
        called,
        arguments,
        state: None,
        items: Vec::new(),
        elements: Vec::new(),
    }))
}

fn dict(tree: &mut Tree, list: &[Id]) -> Result<Id, FormatError> {
    let items = match list.first().map(|&id| tree.get(id)) {
        None => Vec::new(),
        Some(Value::Dict(items)) => items.clone(),
        Some(Value::List(pairs)) => pairs
            .iter()
            .map(|&pair| match tree.list(pair) {
                Some(&[key, value]) => Ok((key, value)),
                _ => Err(FormatError::invalid("a dictionary is not made of pairs")),
            })
            .collect::<Result<_, _>>()?,
        Some(Value::Record(record)) => record.items.clone(),
        Some(other) => {
            return Err(FormatError::invalid(format!(
                "a dictionary cannot be made of {}",
                other.kind()
            )));
        }
    };
    tree.link(items.len())?;
    tree.add(Value::Dict(items))
}

fn sequence(tree: &mut Tree, list: &[Id]) -> Result<Id, FormatError> {
    let entries = match list.first().map(|&id| tree.get(id)) {
        None => Vec::new(),
        Some(Value::List(entries)) => entries.clone(),
        Some(other) => {
            return Err(FormatError::invalid(format!(
                "a list cannot be made of {}",
                other.kind()
            )));
        }
    };
    tree.link(entries.len())?;
    tree.add(Value::List(entries))
}

/// `bytes()`, `bytearray(b)`, `_codecs.encode(text, "latin1")`: how older protocols write bytes.
fn encoded(tree: &mut Tree, list: &[Id]) -> Result<Id, FormatError> {
    let span = match list.first().map(|&id| tree.get(id)) {
        None => memory(tree, Vec::new())?,
        Some(Value::Bytes(span)) => span.clone(),
        Some(Value::Text(text)) => {
            let latin = text.chars().map(|letter| u8::try_from(u32::from(letter)));
            let bytes = latin
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| FormatError::invalid("bytes are not written as Latin-1"))?;
            memory(tree, bytes)?
        }
        Some(other) => {
            return Err(FormatError::invalid(format!(
                "bytes cannot be made of {}",
                other.kind()
            )));
        }
    };
    tree.add(Value::Bytes(span))
}

/// `_reconstructor(class, base, state)`: how protocols 0 and 1 write instances.
fn reconstructed(tree: &mut Tree, list: &[Id]) -> Result<Id, FormatError> {
    let &[class, _, state] = list else {
        return Err(FormatError::invalid(
            "an instance is not class, base, state",
        ));
    };
    let arguments = tree.add(Value::List(Vec::new()))?;
    let id = instance(tree, class, arguments)?;
    let items = match tree.get(state) {
        Value::Dict(items) => items.clone(),
        _ => Vec::new(),
    };
    tree.link(items.len())?;
    if let Value::Record(Record { items: own, .. }) | Value::Dict(own) = tree.get_mut(id) {
        *own = items;
    }
    Ok(id)
}

fn newobj(tree: &mut Tree, list: &[Id]) -> Result<Id, FormatError> {
    let (&class, rest) = list
        .split_first()
        .ok_or_else(|| FormatError::invalid("an instance without a class"))?;
    let arguments = tree.add(Value::List(rest.to_vec()))?;
    instance(tree, class, arguments)
}
