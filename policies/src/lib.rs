//! Learned robot policies: networks, losses, samplers, checkpoints, training.
//!
//! Everything here is mathematics on tensors: no threads, sockets, clocks or simulator.

pub mod device;
pub mod error;
pub mod online;
pub mod policy;
