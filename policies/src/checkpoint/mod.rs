//! Weights on disk and in motion.

pub mod file;
pub mod import;
pub mod key_map;
pub mod layout;
pub mod package;
#[cfg(test)]
mod tests;
pub mod tree;

pub use file::{read_tensors, write_tensors};
pub use key_map::{Joined, KeyMap};
pub use layout::Layout;
pub use package::{Card, PolicyPackage};
pub use tree::{TensorSpec, apply, collect, specs};
