//! Flax checkpoints: MessagePack with arrays as extensions (`flax/serialization.py`).
//!
//! `rmpv` would read the same but holds the whole file in memory; here arrays stay where they are.

use super::blob::{Blob, Span};
use super::error::FormatError;
use super::input::Input;
use super::pickle::{element_type, view};
use super::tree::{Id, Tree, Value};

/// Deepest nesting. Trees of parameters have about fifteen levels.
const MAX_DEPTH: usize = 128;
/// Extension of an array.
const ARRAY: i8 = 1;
/// Extension of a complex number.
const COMPLEX: i8 = 2;
/// Extension of a NumPy scalar.
const SCALAR: i8 = 3;
/// Key that marks an array in pieces, which Flax writes beyond 2^30 bytes.
const CHUNKED: &str = "__msgpack_chunked_array__";

/// Most pieces of an array: a tebibyte and more.
const MAX_PIECES: usize = 4096;

/// Reads a whole file.
///
/// # Errors
/// If it is damaged, too deep, or has something after its value.
pub fn read(blob: &Blob) -> Result<Tree, FormatError> {
    let whole = blob.whole();
    let mut tree = Tree::new(blob.path().to_owned(), whole.length(), '/');
    let mut input = Input::new(whole);
    let root = value(&mut tree, &mut input, 0)?;
    if input.left() > 0 {
        return Err(FormatError::invalid(format!(
            "{} bytes follow the value: not a Flax checkpoint",
            input.left()
        )));
    }
    tree.root = Some(root);
    Ok(tree)
}

fn value(tree: &mut Tree, input: &mut Input, depth: usize) -> Result<Id, FormatError> {
    if depth > MAX_DEPTH {
        return Err(FormatError::Limit {
            what: "levels of nesting",
            limit: MAX_DEPTH as u64,
        });
    }
    let marker = input.byte()?;
    let plain = match marker {
        0x00..=0x7f => Value::Int(marker.into()),
        0xe0..=0xff => Value::Int((marker as i8).into()),
        0x80..=0x8f => return map(tree, input, (marker & 0x0f).into(), depth),
        0x90..=0x9f => return list(tree, input, (marker & 0x0f).into(), depth),
        0xa0..=0xbf => text(input, (marker & 0x1f).into())?,
        0xc0 => Value::None,
        0xc2 => Value::Bool(false),
        0xc3 => Value::Bool(true),
        0xc4..=0xc6 => {
            let length = length(input, marker - 0xc4)?;
            Value::Bytes(input.skip(length)?)
        }
        0xc7..=0xc9 => {
            let length = length(input, marker - 0xc7)?;
            return extension(tree, input, length, depth);
        }
        0xca => Value::Float(f32::from_be_bytes(input.array()?).into()),
        0xcb => Value::Float(f64::from_be_bytes(input.array()?)),
        0xcc..=0xce => Value::Int(length(input, marker - 0xcc)? as i64),
        0xcf => {
            let number = u64::from_be_bytes(input.array()?);
            i64::try_from(number).map_or_else(
                |_| Value::Long([number.to_le_bytes().as_slice(), &[0]].concat()),
                Value::Int,
            )
        }
        0xd0 => Value::Int(i8::from_be_bytes(input.array()?).into()),
        0xd1 => Value::Int(i16::from_be_bytes(input.array()?).into()),
        0xd2 => Value::Int(i32::from_be_bytes(input.array()?).into()),
        0xd3 => Value::Int(i64::from_be_bytes(input.array()?)),
        0xd4..=0xd8 => return extension(tree, input, 1 << (marker - 0xd4), depth),
        0xd9..=0xdb => {
            let length = length(input, marker - 0xd9)?;
            text(input, length)?
        }
        0xdc | 0xdd => {
            let length = length(input, marker - 0xdc + 1)?;
            return list(tree, input, length, depth);
        }
        0xde | 0xdf => {
            let length = length(input, marker - 0xde + 1)?;
            return map(tree, input, length, depth);
        }
        0xc1 => return Err(FormatError::invalid("byte 0xc1 is not MessagePack")),
    };
    tree.add(plain)
}

/// A length of 1, 2 or 4 bytes for `width` 0, 1, 2.
fn length(input: &mut Input, width: u8) -> Result<u64, FormatError> {
    Ok(match width {
        0 => input.byte()?.into(),
        1 => u16::from_be_bytes(input.array()?).into(),
        _ => u32::from_be_bytes(input.array()?).into(),
    })
}

fn text(input: &mut Input, length: u64) -> Result<Value, FormatError> {
    let bytes = input.text(length)?;
    String::from_utf8(bytes)
        .map(Value::Text)
        .map_err(|_| FormatError::invalid("a text is not UTF-8"))
}

fn list(tree: &mut Tree, input: &mut Input, count: u64, depth: usize) -> Result<Id, FormatError> {
    let mut entries = Vec::new();
    for _ in 0..count {
        tree.link(1)?;
        entries.push(value(tree, input, depth + 1)?);
    }
    tree.add(Value::List(entries))
}

fn map(tree: &mut Tree, input: &mut Input, count: u64, depth: usize) -> Result<Id, FormatError> {
    let mut items = Vec::new();
    for _ in 0..count {
        tree.link(2)?;
        let key = value(tree, input, depth + 1)?;
        items.push((key, value(tree, input, depth + 1)?));
    }
    let dict = tree.add(Value::Dict(items))?;
    if tree.entry(dict, CHUNKED).is_some() {
        return chunked(tree, dict);
    }
    Ok(dict)
}

fn extension(
    tree: &mut Tree,
    input: &mut Input,
    length: u64,
    depth: usize,
) -> Result<Id, FormatError> {
    let kind = input.byte()? as i8;
    let content = input.skip(length)?;
    match kind {
        ARRAY | SCALAR => array(tree, content, depth),
        COMPLEX => tree.add(Value::Bytes(content)),
        _ => Err(FormatError::invalid(format!(
            "MessagePack extension {kind} is none of Flax"
        ))),
    }
}

/// `[shape, name of the type, bytes]`.
fn array(tree: &mut Tree, content: Span, depth: usize) -> Result<Id, FormatError> {
    let parts = value(tree, &mut Input::new(content), depth + 1)?;
    let Some(&[shape, kind, bytes]) = tree.list(parts) else {
        return Err(FormatError::invalid(
            "an array is not shape, type and bytes",
        ));
    };
    let shape = tree.counts(shape, "a shape")?;
    let name = tree.text(kind).unwrap_or_default();
    let dtype = element_type(name).ok_or_else(|| {
        FormatError::invalid(format!("numbers of type `{name}` cannot be held here"))
    })?;
    let Value::Bytes(bytes) = tree.get(bytes) else {
        return Err(FormatError::invalid("an array's numbers are no bytes"));
    };
    let bytes = bytes.clone();
    view(tree, dtype, false, bytes, shape, false)
}

/// `{"shape": {"0": rows, ...}, "chunks": {"0": flat array, ...}}`: the pieces follow one another.
fn chunked(tree: &mut Tree, dict: Id) -> Result<Id, FormatError> {
    let odd = || FormatError::invalid("an array in pieces lacks its shape or its pieces");
    let ordered = |key: &str| -> Option<Vec<Id>> {
        let list = tree.entry(dict, key)?;
        let count = tree.items(list)?.len();
        (0..count.min(MAX_PIECES))
            .map(|index| tree.entry(list, &index.to_string()))
            .collect()
    };
    let shape = ordered("shape").ok_or_else(odd)?;
    let pieces = ordered("chunks").ok_or_else(odd)?;
    let shape = shape
        .into_iter()
        .map(|side| tree.count(side, "a shape"))
        .collect::<Result<Vec<_>, _>>()?;
    let mut spans = Vec::new();
    let mut dtype = None;
    for piece in pieces {
        let Value::Tensor(piece) = tree.get(piece) else {
            return Err(odd());
        };
        if *dtype.get_or_insert(piece.dtype) != piece.dtype {
            return Err(FormatError::invalid("pieces of an array differ in type"));
        }
        spans.push(tree.storage(piece.storage).bytes.clone().ok_or_else(odd)?);
    }
    let dtype = dtype.ok_or_else(odd)?;
    let joined = Blob::joined(&tree.path, spans).whole();
    view(tree, dtype, false, joined, shape, false)
}
