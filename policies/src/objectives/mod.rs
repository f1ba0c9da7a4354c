//! Auxiliary objectives that an image encoder can host.

pub mod inverse_dynamics;
pub mod spr;

pub use inverse_dynamics::InverseDynamics;
