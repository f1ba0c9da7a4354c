//! Python pickles, protocols 0 to 5, read as data.
//!
//! A pickle is a program for a small stack machine, and Python's own reader runs whatever function
//! the program names. This one calls nothing: a few functions that only describe data (how PyTorch,
//! NumPy, JAX and the standard library write tensors and containers) are understood in
//! [`known`], everything else stays a [`super::tree::Record`] under its name. A file that names a
//! function which could act on the machine is refused at once ([`forbidden`]).
//!
//! `pytorch-reader` (the crate behind burn's PyTorch import) is as careful but does not fit here: it
//! forgets the order of dictionaries, by which averaged weights are paired with their names; it does
//! not know NumPy and JAX arrays; and it refuses objects of unknown classes that hold tensors, such
//! as whole agents.

mod forbidden;
mod known;
mod machine;
mod numpy;
mod op;
mod tensor;
#[cfg(test)]
mod tests;

pub use machine::{PersistentIds, read};
pub use numpy::{element_type, view};
pub use tensor::storage_type;
