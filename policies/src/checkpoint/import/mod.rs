//! Checkpoints of others: PyTorch, Flax, pickles and safetensors, read as data.
//!
//! [`open`] tells the kind of a file by its first bytes and gives a [`Checkpoint`]: tensors by name,
//! in the file's order, still in the file ([`state::StateDict`]). Nothing in a file is executed, and
//! lengths, counts and nesting found in it are bounded before memory is spent ([`pickle`]).
//!
//! | kind | written by | read by |
//! |---|---|---|
//! | safetensors | `safetensors` | [`state`] |
//! | zip archive, `.pt` `.pth` `.ckpt` | `torch.save` since 1.6, Lightning | [`torch`] |
//! | run of pickles | `torch.save` before 1.6 | [`torch`] |
//! | pickle, `.pkl` | `pickle.dump` of NumPy, JAX or Flax trees | [`pickle`] |
//! | MessagePack | Flax, alone or as `checkpoint` in an Orbax folder | [`msgpack`] |
//!
//! Orbax folders that hold their arrays as TensorStore are not read, nor are TorchScript archives.

pub mod blob;
pub mod error;
pub mod export;
pub mod flatten;
pub mod input;
pub mod lightning;
pub mod msgpack;
pub mod pickle;
pub mod record;
pub mod settings;
pub mod state;
#[cfg(test)]
mod tests;
pub mod torch;
pub mod transfer;
pub mod tree;

use std::path::Path;

use crate::error::CheckpointError;
use blob::Blob;
use error::FormatError;
pub use export::export;
use flatten::flatten;
use input::Input;
pub use lightning::WeightsChoice;
pub use state::{Entry, StateDict};
use tree::{Tree, Value};

/// Kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Safetensors.
    Safetensors,
    /// Zip archive of `torch.save`.
    Torch,
    /// Run of pickles of `torch.save`.
    TorchLegacy,
    /// Pickle.
    Pickle,
    /// MessagePack of Flax.
    Flax,
}

/// The tensors of a file.
#[derive(Debug)]
pub struct Checkpoint {
    /// What the file is.
    pub kind: Kind,
    /// Its tensors.
    pub state: StateDict,
    /// Which of several sets of weights that is, in words; empty if there is one.
    pub chosen: String,
    /// Results of calls that were not made, by name: not part of the tensors.
    pub skipped: Vec<(String, String)>,
    /// All values of the file, for what is not a tensor; `None` for safetensors.
    pub tree: Option<Tree>,
}

impl Checkpoint {
    /// Settings of the training, if it pickled them (`hyper_parameters` of Lightning); else null.
    pub fn settings(&self) -> serde_json::Value {
        let found = self.tree.as_ref().and_then(|tree| {
            let settings = tree.entry(tree.root?, "hyper_parameters")?;
            Some(settings::settings(tree, settings))
        });
        found.unwrap_or_default()
    }
}

/// Opens a file with all its tensors, under their full names.
///
/// # Errors
/// If it cannot be read, is of no known kind, is damaged, or asks to run code.
pub fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
    read(path, None).map_err(|error| error.at(path))
}

/// Opens a file and picks one set of weights: of a Lightning checkpoint or training state the state
/// dict alone (see [`lightning`]), of other files everything.
///
/// # Errors
/// As [`open`], or if the file does not hold the weights that are asked for.
pub fn open_weights(path: &Path, choice: WeightsChoice) -> Result<Checkpoint, CheckpointError> {
    read(path, Some(choice)).map_err(|error| error.at(path))
}

fn read(path: &Path, choice: Option<WeightsChoice>) -> Result<Checkpoint, FormatError> {
    let blob = Blob::open(&file_of(path)?)?;
    let kind = kind(&blob)?;
    let tree = match kind {
        Kind::Safetensors => {
            return Ok(Checkpoint {
                kind,
                state: StateDict::open_safetensors(&blob)?.0,
                chosen: String::new(),
                skipped: Vec::new(),
                tree: None,
            });
        }
        Kind::Torch => torch::read_archive(&blob)?,
        Kind::TorchLegacy => torch::read_legacy(&blob)?,
        Kind::Pickle => read_pickle(&blob)?,
        Kind::Flax => msgpack::read(&blob)?,
    };
    let root = tree
        .root
        .ok_or_else(|| FormatError::invalid("the file is empty"))?;
    let (flat, chosen) = match choice {
        Some(choice) => lightning::choose(&tree, root, choice)?,
        None => (flatten(&tree, root)?, String::new()),
    };
    if flat.state.is_empty() {
        return Err(FormatError::invalid(
            match (tree.get(root), flat.skipped.first()) {
                (_, Some((_, function))) => format!(
                    "it holds no tensors that can be read; what it holds would be made by `{function}`, which was not called"
                ),
                (value, None) => format!("it holds no tensors, only {}", value.kind()),
            },
        ));
    }
    Ok(Checkpoint {
        kind,
        state: flat.state,
        chosen,
        skipped: flat.skipped,
        tree: Some(tree),
    })
}

/// The file itself, or the one inside a folder of Flax with Orbax.
fn file_of(path: &Path) -> Result<std::path::PathBuf, FormatError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let inner = path.join("checkpoint");
    if inner.is_file() {
        return Ok(inner);
    }
    Err(FormatError::invalid(
        "the folder has no file `checkpoint`: Orbax folders of TensorStore arrays are not read; restore it in Python and save `flax.serialization.to_bytes` of it",
    ))
}

/// What a file is, by its first bytes.
fn kind(blob: &Blob) -> Result<Kind, FormatError> {
    let whole = blob.whole();
    let mut head = vec![0; whole.length().min(64) as usize];
    whole.read_at(0, &mut head)?;
    if head.is_empty() {
        return Err(FormatError::invalid("the file is empty"));
    }
    if head.starts_with(torch::ZIP_MAGIC) {
        return Ok(Kind::Torch);
    }
    // A length, then JSON.
    if head.get(8) == Some(&b'{') && head.get(4..8) == Some(&[0; 4]) {
        return Ok(Kind::Safetensors);
    }
    let contains = |magic: &[u8]| head.windows(magic.len()).any(|window| window == magic);
    if contains(&torch::LEGACY_MAGIC) {
        return Ok(Kind::TorchLegacy);
    }
    match head.as_slice() {
        // A pickle of protocol 2 or later names its protocol.
        [0x80, 2..=5, ..] => Ok(Kind::Pickle),
        // Before, it begins with a mark, an empty container, a class or a number. A Flax file
        // begins with a map.
        [b'(' | b']' | b'}' | b'c', ..] => Ok(Kind::Pickle),
        [0x80..=0x8f | 0xde | 0xdf, ..] => Ok(Kind::Flax),
        _ => Err(FormatError::invalid(
            "this is neither safetensors, nor a file of `torch.save`, nor a pickle, nor a Flax checkpoint",
        )),
    }
}

fn read_pickle(blob: &Blob) -> Result<Tree, FormatError> {
    let whole = blob.whole();
    let mut tree = Tree::new(blob.path().to_owned(), whole.length(), '/');
    let mut input = Input::new(whole);
    let root = pickle::read(&mut tree, &mut input, &mut |_, _| {
        Err(FormatError::invalid(
            "a part of it is kept outside the file, as only `torch.save` knows",
        ))
    })?;
    if matches!(tree.get(root), Value::Record(record) if record.called) && input.left() > 0 {
        return Err(FormatError::invalid(format!(
            "{} bytes follow the value",
            input.left()
        )));
    }
    tree.root = Some(root);
    Ok(tree)
}
