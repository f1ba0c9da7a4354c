//! Voltron's V-Cond image encoder (Karamcheti et al., arXiv 2302.12766), frozen, as MDT-V uses it.
//!
//! The encoder reads image patches and twenty tokens of a sentence together. MDT-V never gives it a
//! sentence, so that those tokens are the same for every image: [`language`] computes them once from
//! a checkpoint, and the encoder here ([`VCond`]) holds the result in place of the language model.

pub mod language;
pub mod preprocess;
pub mod vcond;

pub use language::{DistilBert, DistilBertConfig};
pub use vcond::{VCond, VCondConfig};
