//! Puts the parts together: a run in real time, a run in lockstep, the world beside it.

pub mod harness;
