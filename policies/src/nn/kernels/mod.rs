//! Operations that are written out for the CPU.
//!
//! Small images and short sequences make networks a chain of passes over memory when they are
//! composed of general operations. Here each operation is one pass per sample, parallel over
//! samples, with its own backward pass; images are channels-last. On other devices the same functions are composed of burn's operations;
//! tests hold the two against each other.
//!
//! Do not run training inside rayon's pool: a backward pass holds its tape's lock while it waits for
//! the pool, whose waiting threads take up other work, and that work may want the lock.
//!
//! Sums over a batch are taken in a fixed order, so that results do not depend on the number of
//! threads.

mod aligned;
pub mod attention;
mod attention_cpu;
pub mod conv;
mod conv_cpu;
mod conv_gradient;
mod conv_tiles;
mod flex;
pub mod gelu;
mod in_place;
pub mod inference;
mod lanes;
pub mod layer_norm;
mod layer_norm_cpu;
pub mod norm;
mod norm_cpu;
pub mod packed;
mod record;
pub mod residual;
pub mod swish;
#[cfg(test)]
mod tests;

pub use attention::{attend_cross, attend_self};
pub use attention_cpu::Sight;
pub(crate) use attention_cpu::{AttentionShape, Layout};
pub use conv::{ConvShape, KeptFilter, conv2d, conv2d_kept};
pub(crate) use flex::plain;
pub use gelu::{Gelu, gelu, gelu_in_place};
pub(crate) use in_place::{in_place, square_sum};
pub use layer_norm::{EPSILON as LAYER_NORM_EPSILON, layer_norm, layer_norm_with};
pub(crate) use layer_norm_cpu::normalise;
pub use norm::{Affine, group_norm};
pub use packed::{Packed, Part, Precision, Scratch};
pub use residual::gated_residual;
pub use swish::swish_gate;
