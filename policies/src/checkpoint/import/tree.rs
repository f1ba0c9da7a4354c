//! What a foreign file holds, as data: values of Python without Python.

use std::path::PathBuf;

use safetensors::tensor::Dtype;

use super::blob::Span;
use super::error::FormatError;

/// Most values in one file. A checkpoint with optimizer state has about 30 per tensor.
const MAX_VALUES: usize = 1 << 22;
/// Most links between values (entries of lists and dictionaries).
const MAX_LINKS: usize = 1 << 24;

/// Most axes of a tensor.
const MAX_AXES: usize = 64;

/// A value of a [`Tree`]. Values may be shared and may contain themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u32);

/// A storage of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageId(u32);

/// Raw numbers that tensors look at.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Where they lie; `None` until a container has told.
    pub bytes: Option<Span>,
    /// Type of its elements; `None` if it has none of its own.
    pub dtype: Option<Dtype>,
    /// Number of elements that the file declares.
    pub elements: u64,
    /// Whether the bytes of each number come in big-endian order.
    pub big_endian: bool,
}

/// A view of a storage.
#[derive(Clone, Debug)]
pub struct View {
    /// The storage.
    pub storage: StorageId,
    /// Type of the elements.
    pub dtype: Dtype,
    /// Shape.
    pub shape: Vec<usize>,
    /// Elements from one entry to the next, per axis.
    pub strides: Vec<u64>,
    /// Element of the storage that the first entry is.
    pub offset: u64,
}

/// Type of the numbers of a NumPy array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumpyType {
    /// As NumPy writes it, without the byte order: `f4`.
    pub code: String,
    /// Whether the bytes of each number come in big-endian order.
    pub big_endian: bool,
}

/// An object of a class that is known by name only, or the result of a call that was not made.
#[derive(Clone, Debug)]
pub struct Record {
    /// Module and name of the class or function.
    pub name: String,
    /// Whether the file asks to call it (else it only asks for an instance with given content).
    pub called: bool,
    /// What the file would give it.
    pub arguments: Id,
    /// Attributes, as far as the file sets them.
    pub state: Option<Id>,
    /// Items, if it acts as a dictionary.
    pub items: Vec<(Id, Id)>,
    /// Elements, if it acts as a list.
    pub elements: Vec<Id>,
}

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    None,
    /// Truth.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number beyond 64 bits, two's complement, little-endian.
    Long(Vec<u8>),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Span),
    /// A tuple, list or set.
    List(Vec<Id>),
    /// A dictionary, in the order of the file.
    Dict(Vec<(Id, Id)>),
    /// A class or function that the file names.
    Global(String),
    /// A storage.
    Storage(StorageId),
    /// A tensor.
    Tensor(View),
    /// A NumPy array whose content the file has not told yet.
    EmptyArray,
    /// Type of a NumPy array.
    NumpyType(NumpyType),
    /// Anything else.
    Record(Record),
}

impl Value {
    /// What it is, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) | Self::Long(_) => "an int",
            Self::Float(_) => "a float",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dictionary",
            Self::Global(_) => "a class",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
            Self::EmptyArray => "an array without content",
            Self::NumpyType(_) => "a dtype",
            Self::Record(_) => "an object",
        }
    }
}

/// All values of a file.
#[derive(Debug, Default)]
pub struct Tree {
    values: Vec<Value>,
    storages: Vec<Storage>,
    links: usize,
    made: u64,
    /// Bytes of the file.
    pub length: u64,
    /// The outermost value.
    pub root: Option<Id>,
    /// Joins the names of nested values: `.` as in PyTorch, `/` as in Flax.
    pub separator: char,
    /// The file, for messages.
    pub path: PathBuf,
}

impl Tree {
    /// Empty, for a file of `length` bytes.
    pub fn new(path: PathBuf, length: u64, separator: char) -> Self {
        Self {
            separator,
            path,
            length,
            ..Self::default()
        }
    }

    /// Adds a value.
    ///
    /// # Errors
    /// If there are too many.
    pub fn add(&mut self, value: Value) -> Result<Id, FormatError> {
        if self.values.len() >= MAX_VALUES {
            return Err(FormatError::Limit {
                what: "values",
                limit: MAX_VALUES as u64,
            });
        }
        let id = Id(self.values.len() as u32);
        self.values.push(value);
        Ok(id)
    }

    /// Counts links that are about to be made.
    ///
    /// # Errors
    /// If there are too many.
    pub fn link(&mut self, count: usize) -> Result<(), FormatError> {
        self.links = self.links.saturating_add(count);
        if self.links > MAX_LINKS {
            return Err(FormatError::Limit {
                what: "entries of lists and dictionaries",
                limit: MAX_LINKS as u64,
            });
        }
        Ok(())
    }

    /// Counts bytes that are copied out of a text of the file.
    ///
    /// # Errors
    /// If there are more than the file has.
    pub fn make(&mut self, count: u64) -> Result<(), FormatError> {
        self.made = self.made.saturating_add(count);
        if self.made > self.length {
            return Err(FormatError::Limit {
                what: "bytes of arrays written as text",
                limit: self.length,
            });
        }
        Ok(())
    }

    /// Adds a storage.
    pub fn add_storage(&mut self, storage: Storage) -> StorageId {
        self.storages.push(storage);
        StorageId((self.storages.len() - 1) as u32)
    }

    /// The value.
    pub fn get(&self, id: Id) -> &Value {
        &self.values[id.0 as usize]
    }

    /// The value, to change.
    pub fn get_mut(&mut self, id: Id) -> &mut Value {
        &mut self.values[id.0 as usize]
    }

    /// The storage.
    pub fn storage(&self, id: StorageId) -> &Storage {
        &self.storages[id.0 as usize]
    }

    /// The storage, to change.
    pub fn storage_mut(&mut self, id: StorageId) -> &mut Storage {
        &mut self.storages[id.0 as usize]
    }

    /// Number of values so far.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The text that a value is.
    pub fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a list or tuple.
    pub fn list(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::List(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a dictionary, or of an object that acts as one.
    pub fn items(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.get(id) {
            Value::Dict(items) => Some(items),
            Value::Record(record) if !record.items.is_empty() => Some(&record.items),
            _ => None,
        }
    }

    /// The value under a text key; the last one if a file says it twice, as Python has it.
    pub fn entry(&self, id: Id, key: &str) -> Option<Id> {
        let items = self.items(id)?.iter().rev();
        let mut found = items.filter(|(name, _)| self.text(*name) == Some(key));
        found.next().map(|(_, value)| *value)
    }

    /// A whole number that is not negative.
    ///
    /// # Errors
    /// If the value is none; `what` says which.
    pub fn count(&self, id: Id, what: &str) -> Result<u64, FormatError> {
        match self.get(id) {
            Value::Int(number) if *number >= 0 => Ok(*number as u64),
            other => Err(FormatError::invalid(format!(
                "{what} must be a whole number, not {}",
                other.kind()
            ))),
        }
    }

    /// A list of such numbers.
    ///
    /// # Errors
    /// If the value is none; `what` says which.
    pub fn counts(&self, id: Id, what: &str) -> Result<Vec<u64>, FormatError> {
        match self.get(id) {
            Value::List(entries) if entries.len() <= MAX_AXES => entries
                .iter()
                .map(|&entry| self.count(entry, what))
                .collect(),
            Value::List(entries) => Err(FormatError::invalid(format!(
                "{what} has {} entries, more than {MAX_AXES}",
                entries.len()
            ))),
            other => Err(FormatError::invalid(format!(
                "{what} must be a list, not {}",
                other.kind()
            ))),
        }
    }
}
