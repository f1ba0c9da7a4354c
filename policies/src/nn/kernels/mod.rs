//! Operations of image encoders that are written out for the CPU.
//!
//! Small images make convolution a chain of passes over memory when it is composed of general
//! operations. Here each is one pass per image, in channels-last layout, parallel over images, with
//! its own backward pass. On other devices the same functions are composed of burn's operations;
//! tests hold the two against each other.
//!
//! Sums over a batch are taken in a fixed order, so that results do not depend on the number of
//! threads.

mod columns;
pub mod conv;
mod conv_cpu;
mod flex;
pub mod norm;
mod norm_cpu;
#[cfg(test)]
mod tests;

pub use conv::{ConvShape, conv2d};
pub use norm::{Affine, group_norm};
