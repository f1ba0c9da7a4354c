//! Instructions to vectors.
//!
//! [`StaticTable`] is the default encoder: a table of token embeddings distilled from a sentence
//! model, small enough to be part of the program and fast enough to be free. It reads an
//! instruction in microseconds and puts paraphrases near each other, but it does not see word order.
//!
//! ```
//! use cerebellum_policies::language::{SentenceEncoder, StaticTable};
//!
//! let encoder = StaticTable::embedded()?;
//! let one = encoder.encode("pick up the red block")?;
//! let other = encoder.encode("grab the red cube")?;
//! let likeness = one.iter().zip(&other).map(|(a, b)| a * b).sum::<f32>() / encoder.dim() as f32;
//! assert!(likeness > 0.8);
//! # Ok::<(), cerebellum_policies::error::PolicyError>(())
//! ```

pub mod encoder;
pub mod static_table;
pub mod text;

pub use encoder::SentenceEncoder;
pub use static_table::StaticTable;
pub use text::TextError;
