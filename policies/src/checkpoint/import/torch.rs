//! The two containers of `torch.save`: a zip archive, and before PyTorch 1.6 a run of pickles.

use std::collections::BTreeMap;

use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipLocator};
use safetensors::tensor::Dtype;

use super::blob::{Blob, Span};
use super::error::FormatError;
use super::input::Input;
use super::pickle;
use super::tree::{Id, Storage, StorageId, Tree, Value};

/// Most files in an archive. There is one per storage.
const MAX_ENTRIES: usize = 1 << 20;
/// Largest pickle of an archive; the numbers lie beside it.
const MAX_PICKLE: u64 = 1 << 30;

/// How every zip archive begins.
pub const ZIP_MAGIC: &[u8] = b"PK\x03\x04";
/// The number that the older container begins with, as pickle protocol 2 and later write it.
pub const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Reads the archive of `torch.save`: `<name>/data.pkl`, `<name>/data/<key>`, `<name>/byteorder`.
///
/// # Errors
/// If it is damaged, compressed, or its pickle is refused.
pub fn read_archive(blob: &Blob) -> Result<Tree, FormatError> {
    let entries = entries(blob)?;
    let mut pickles = entries.keys().filter(|name| name.ends_with("/data.pkl"));
    let (Some(name), None) = (pickles.next(), pickles.next()) else {
        return Err(FormatError::invalid(
            "the archive has no single `data.pkl`: it was not written by `torch.save` (a TorchScript archive, or another zip file)",
        ));
    };
    let folder = name.trim_end_matches("data.pkl").to_owned();
    let big_endian = match entries.get(&format!("{folder}byteorder")) {
        Some(span) if span.length() < 16 => span.read()? == b"big",
        _ => false,
    };
    let program = entries[name].clone();
    if program.length() > MAX_PICKLE {
        return Err(FormatError::Limit {
            what: "bytes of the pickle",
            limit: MAX_PICKLE,
        });
    }
    let mut tree = Tree::new(blob.path().to_owned(), blob.whole().length(), '.');
    let mut known = BTreeMap::<String, StorageId>::new();
    let root = pickle::read(
        &mut tree,
        &mut Input::new(program),
        &mut |tree, identifier| {
            let (key, dtype, elements) = storage(tree, identifier)?;
            let id = match known.get(&key) {
                Some(&id) => id,
                None => {
                    let span = entries.get(&format!("{folder}data/{key}")).ok_or_else(|| {
                        FormatError::invalid(format!("the archive has no storage `{key}`"))
                    })?;
                    let id = tree.add_storage(Storage {
                        bytes: Some(span.clone()),
                        dtype,
                        elements,
                        big_endian,
                    });
                    known.insert(key, id);
                    id
                }
            };
            tree.add(Value::Storage(id))
        },
    )?;
    tree.root = Some(root);
    Ok(tree)
}

/// Where the files of an archive lie.
fn entries(blob: &Blob) -> Result<BTreeMap<String, Span>, FormatError> {
    let damaged = |error: rawzip::Error| {
        FormatError::invalid(format!(
            "not a whole zip archive ({error}): was it cut short?"
        ))
    };
    let whole = blob.whole();
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipLocator::new()
        .locate_in_reader(blob.clone(), &mut buffer, whole.length())
        .map_err(|(_, error)| damaged(error))?;
    let mut found = BTreeMap::new();
    let mut wanted = Vec::new();
    let mut records = archive.entries(&mut buffer);
    while let Some(record) = records.next_entry().map_err(damaged)? {
        if wanted.len() >= MAX_ENTRIES {
            return Err(FormatError::Limit {
                what: "files of the archive",
                limit: MAX_ENTRIES as u64,
            });
        }
        let name = String::from_utf8_lossy(record.file_path().as_bytes()).into_owned();
        // PyTorch never compresses, and what is not compressed cannot blow up.
        let stored = record.compression_method() == CompressionMethod::STORE
            && record.compressed_size_hint() == record.uncompressed_size_hint();
        if !stored {
            return Err(FormatError::invalid(format!(
                "file `{name}` of the archive is compressed, which `torch.save` never does: unpack it and pack it without compression (`zip -0`)"
            )));
        }
        wanted.push((name, record.wayfinder()));
    }
    for (name, wayfinder) in wanted {
        let entry = archive.get_entry(wayfinder).map_err(damaged)?;
        let (start, end) = entry.compressed_data_range();
        let span = end
            .checked_sub(start)
            .and_then(|length| whole.part(start, length))
            .ok_or(FormatError::Truncated(whole.length()))?;
        if found.insert(name.clone(), span).is_some() {
            return Err(FormatError::invalid(format!(
                "the archive has two files `{name}`"
            )));
        }
    }
    Ok(found)
}

/// Reads the container before PyTorch 1.6: a magic number, a version, facts about the machine, the
/// object, the keys of its storages, then the storages.
///
/// # Errors
/// If it is damaged, written on a big-endian machine, or a pickle is refused.
pub fn read_legacy(blob: &Blob) -> Result<Tree, FormatError> {
    let whole = blob.whole();
    let mut tree = Tree::new(blob.path().to_owned(), whole.length(), '.');
    let mut input = Input::new(whole);
    let refuse = &mut |_: &mut Tree, _: Id| {
        Err(FormatError::invalid(
            "a storage before the object that uses it",
        ))
    };
    let magic = pickle::read(&mut tree, &mut input, refuse)?;
    if !matches!(tree.get(magic), Value::Long(bytes) if bytes.starts_with(&LEGACY_MAGIC)) {
        return Err(FormatError::invalid("not a file of `torch.save`"));
    }
    let version = pickle::read(&mut tree, &mut input, refuse)?;
    if !matches!(tree.get(version), Value::Int(1001)) {
        return Err(FormatError::invalid("an unknown version of `torch.save`"));
    }
    let machine = pickle::read(&mut tree, &mut input, refuse)?;
    let little = tree.entry(machine, "little_endian");
    let big_endian = little.is_some_and(|id| matches!(tree.get(id), Value::Bool(false)));

    let mut known = BTreeMap::<String, StorageId>::new();
    let root = pickle::read(&mut tree, &mut input, &mut |tree, identifier| {
        let (key, dtype, elements) = storage(tree, identifier)?;
        let id = *known.entry(key).or_insert_with(|| {
            tree.add_storage(Storage {
                bytes: None,
                dtype,
                elements,
                big_endian,
            })
        });
        tree.add(Value::Storage(id))
    })?;
    tree.root = Some(root);

    let keys = pickle::read(&mut tree, &mut input, refuse)?;
    let keys = tree.list(keys).unwrap_or_default().to_vec();
    for key in keys {
        let id = tree.text(key).and_then(|key| known.get(key)).copied();
        let id = id.ok_or_else(|| FormatError::invalid("a storage that no tensor uses"))?;
        let count = u64::from_le_bytes(input.array()?);
        let storage = tree.storage_mut(id);
        let size = storage.dtype.map_or(1, |dtype| dtype.bitsize() / 8) as u64;
        let length = count
            .checked_mul(size)
            .ok_or(FormatError::Truncated(input.position()))?;
        storage.bytes = Some(input.skip(length)?);
    }
    Ok(tree)
}

/// `("storage", class, key, device, elements[, view])` to key, type and number of elements.
fn storage(tree: &Tree, identifier: Id) -> Result<(String, Option<Dtype>, u64), FormatError> {
    let odd = || FormatError::invalid("a storage is not named as `torch.save` names it");
    let Some(&[kind, class, key, _, elements, ref view @ ..]) = tree.list(identifier) else {
        return Err(odd());
    };
    if tree.text(kind) != Some("storage") {
        return Err(odd());
    }
    if view
        .iter()
        .any(|&view| !matches!(tree.get(view), Value::None))
    {
        return Err(FormatError::invalid(
            "a storage is a view of another one, as PyTorch before 0.4 wrote it: load and save it with a newer PyTorch",
        ));
    }
    let Value::Global(class) = tree.get(class) else {
        return Err(odd());
    };
    let key = match tree.get(key) {
        Value::Text(key) => key.clone(),
        Value::Int(key) => key.to_string(),
        _ => return Err(odd()),
    };
    let dtype = pickle::storage_type(class)?;
    Ok((key, dtype, tree.count(elements, "a storage's length")?))
}
