//! Instructions to vectors.

pub mod encoder;

pub use encoder::SentenceEncoder;
