//! From nested values to tensors by name.

use std::collections::BTreeSet;

use safetensors::tensor::Dtype;

use super::error::FormatError;
use super::state::{Entry, StateDict};
use super::tree::{Id, Record, Tree, Value};

/// Deepest nesting. Modules of modules have a few dozen levels.
const MAX_DEPTH: usize = 200;
/// Most values looked at: a value that is shared is looked at once per name.
const MAX_VISITS: usize = 1 << 22;

/// Longest name.
const MAX_NAME: usize = 4096;
/// All tensors together may be this many times as large as the file (tensors may share numbers).
const MAX_GROWTH: u64 = 16;
/// They may always have this many bytes.
const LEAST_GROWTH: u64 = 1 << 26;

/// Tensors of a file, and what in it is none.
#[derive(Debug, Default)]
pub struct Flat {
    /// Tensors, in the order of the file.
    pub state: StateDict,
    /// Calls that the file asks for and that were not made, by the name of their result.
    pub skipped: Vec<(String, String)>,
}

/// All tensors below `root`.
///
/// Names join dictionary keys, list positions and attribute names. A `torch.nn.Module` counts as its
/// state dict: parameters, buffers that are kept, and modules. Numbers in dictionaries are tensors
/// without axes, as they are leaves of the trees of JAX; numbers that are attributes of an object
/// are settings and left out.
///
/// # Errors
/// If two tensors have one name, a tensor reaches beyond its storage, the nesting is too deep, or a
/// tensor is the result of a function that is not known.
pub fn flatten(tree: &Tree, root: Id) -> Result<Flat, FormatError> {
    let mut walk = Walk {
        tree,
        flat: Flat::default(),
        open: BTreeSet::new(),
        objects: BTreeSet::new(),
        visits: 0,
        bytes: 0,
    };
    walk.visit(root, &mut String::new(), 0, false)?;
    Ok(walk.flat)
}

struct Walk<'a> {
    tree: &'a Tree,
    flat: Flat,
    /// Values on the way from the root: entering one again would go round in circles.
    open: BTreeSet<Id>,
    /// Objects that were seen. Each is entered once.
    objects: BTreeSet<Id>,
    visits: usize,
    bytes: u64,
}

impl Walk<'_> {
    fn visit(
        &mut self,
        id: Id,
        name: &mut String,
        depth: usize,
        attribute: bool,
    ) -> Result<(), FormatError> {
        self.visits += 1;
        if self.visits > MAX_VISITS {
            return Err(FormatError::Limit {
                what: "values by all their names",
                limit: MAX_VISITS as u64,
            });
        }
        if depth > MAX_DEPTH {
            return Err(FormatError::Limit {
                what: "levels of nesting",
                limit: MAX_DEPTH as u64,
            });
        }
        match self.tree.get(id) {
            Value::Tensor(view) => {
                let storage = self.tree.storage(view.storage);
                let bytes = storage.bytes.clone().ok_or_else(|| {
                    FormatError::invalid(format!(
                        "the numbers of tensor `{name}` are not in the file"
                    ))
                })?;
                let entry = Entry::new(
                    view.dtype,
                    view.shape.clone(),
                    bytes,
                    (view.strides.clone(), view.offset),
                    storage.big_endian,
                )
                .map_err(|error| FormatError::invalid(format!("tensor `{name}`: {error}")))?;
                self.insert(name, entry)
            }
            Value::Int(number) if !attribute => {
                let bytes = number.to_le_bytes().to_vec();
                self.insert(
                    name,
                    Entry::memory(&self.tree.path, Dtype::I64, Vec::new(), bytes),
                )
            }
            Value::Float(number) if !attribute => {
                let bytes = number.to_le_bytes().to_vec();
                self.insert(
                    name,
                    Entry::memory(&self.tree.path, Dtype::F64, Vec::new(), bytes),
                )
            }
            Value::List(_) | Value::Dict(_) | Value::Record(_) => {
                if !self.open.insert(id) {
                    return Ok(());
                }
                match self.tree.get(id) {
                    Value::List(entries) => self.entries(entries, name, depth, attribute)?,
                    Value::Dict(items) => self.items(items, name, depth, attribute)?,
                    Value::Record(record) => self.record(id, record, name, depth)?,
                    _ => {}
                }
                self.open.remove(&id);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn insert(&mut self, name: &str, entry: Entry) -> Result<(), FormatError> {
        // Shared storages may be large and seen by many tensors.
        self.bytes = self.bytes.saturating_add(entry.length() as u64);
        let limit = self
            .tree
            .length
            .saturating_mul(MAX_GROWTH)
            .max(LEAST_GROWTH);
        if self.bytes > limit {
            return Err(FormatError::Limit {
                what: "bytes of all tensors",
                limit,
            });
        }
        let key = if name.is_empty() { "tensor" } else { name };
        self.flat.state.insert(key.to_owned(), entry)
    }

    fn entries(
        &mut self,
        entries: &[Id],
        name: &mut String,
        depth: usize,
        attribute: bool,
    ) -> Result<(), FormatError> {
        // Lists of numbers are settings, not parameters.
        let is_number = |&id: &Id| matches!(self.tree.get(id), Value::Int(_) | Value::Float(_));
        let settings = attribute || entries.iter().all(is_number);
        for (index, &entry) in entries.iter().enumerate() {
            self.below(&index.to_string(), entry, name, depth, settings)?;
        }
        Ok(())
    }

    fn items(
        &mut self,
        items: &[(Id, Id)],
        name: &mut String,
        depth: usize,
        attribute: bool,
    ) -> Result<(), FormatError> {
        for &(key, value) in items {
            // Other keys (tensors of an optimizer's table, tuples) name nothing.
            match self.tree.get(key) {
                Value::Text(key) => self.below(key, value, name, depth, attribute)?,
                Value::Int(key) => self.below(&key.to_string(), value, name, depth, attribute)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn below(
        &mut self,
        key: &str,
        value: Id,
        name: &mut String,
        depth: usize,
        attribute: bool,
    ) -> Result<(), FormatError> {
        let length = name.len();
        if length + key.len() > MAX_NAME {
            return Err(FormatError::Limit {
                what: "letters of a tensor's name",
                limit: MAX_NAME as u64,
            });
        }
        if !name.is_empty() {
            name.push(self.tree.separator);
        }
        name.push_str(key);
        self.visit(value, name, depth + 1, attribute)?;
        name.truncate(length);
        Ok(())
    }

    fn record(
        &mut self,
        id: Id,
        record: &Record,
        name: &mut String,
        depth: usize,
    ) -> Result<(), FormatError> {
        if record.called {
            // The result of a call is unknown. If tensors went in, one may have come out.
            if self.holds_tensor(record) {
                return Err(FormatError::invalid(format!(
                    "`{name}` is made of tensors by the function `{}`, which is not known here and was not called",
                    record.name
                )));
            }
            self.flat.skipped.push((name.clone(), record.name.clone()));
            return Ok(());
        }
        if let Some(module) = Module::of(self.tree, record) {
            return self.module(&module, name, depth);
        }
        if !self.objects.insert(id) {
            return Ok(());
        }
        self.entries(&record.elements, name, depth, true)?;
        self.items(&record.items, name, depth, true)?;
        // Attributes, or attributes and slots.
        let states = match record.state.map(|state| (state, self.tree.get(state))) {
            Some((_, Value::List(parts))) => parts.clone(),
            Some((state, _)) => vec![state],
            None => Vec::new(),
        };
        for state in states {
            if let Value::Dict(items) = self.tree.get(state) {
                self.items(items, name, depth, true)?;
            }
        }
        Ok(())
    }

    fn module(
        &mut self,
        module: &Module<'_>,
        name: &mut String,
        depth: usize,
    ) -> Result<(), FormatError> {
        for &(key, value) in module.parameters.iter().chain(module.buffers) {
            let Some(key) = self.tree.text(key) else {
                continue;
            };
            if matches!(self.tree.get(value), Value::Tensor(_)) && !module.forgets(self.tree, key) {
                self.below(key, value, name, depth, true)?;
            }
        }
        self.items(module.modules, name, depth, true)
    }

    /// Whether tensors or storages went into a call, looking a few levels deep.
    fn holds_tensor(&self, record: &Record) -> bool {
        let mut queue = vec![record.arguments];
        queue.extend(record.state);
        queue.extend(&record.elements);
        queue.extend(record.items.iter().map(|(_, value)| value));
        let mut looked = 0;
        while let Some(id) = queue.pop() {
            looked += 1;
            if looked > 4096 {
                return true;
            }
            match self.tree.get(id) {
                Value::Tensor(_) | Value::Storage(_) | Value::EmptyArray => return true,
                Value::List(entries) => queue.extend(entries),
                Value::Dict(items) => queue.extend(items.iter().map(|(_, value)| value)),
                _ => {}
            }
        }
        false
    }
}

/// The tables of a `torch.nn.Module`.
struct Module<'a> {
    parameters: &'a [(Id, Id)],
    buffers: &'a [(Id, Id)],
    modules: &'a [(Id, Id)],
    forgotten: &'a [Id],
}

impl<'a> Module<'a> {
    fn of(tree: &'a Tree, record: &Record) -> Option<Self> {
        let state = record.state?;
        let table = |name: &str| match tree.get(tree.entry(state, name)?) {
            Value::Dict(items) => Some(items.as_slice()),
            _ => None,
        };
        let forgotten = tree
            .entry(state, "_non_persistent_buffers_set")
            .and_then(|set| tree.list(set));
        Some(Self {
            parameters: table("_parameters")?,
            buffers: table("_buffers")?,
            modules: table("_modules")?,
            forgotten: forgotten.unwrap_or_default(),
        })
    }

    /// Whether a buffer is not part of the state dict.
    fn forgets(&self, tree: &Tree, name: &str) -> bool {
        self.forgotten.iter().any(|&id| tree.text(id) == Some(name))
    }
}
