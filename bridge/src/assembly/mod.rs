//! From separate sensor messages to one time-synchronised set.

mod assembler;
mod set;
mod slots;

pub use assembler::{Exact, ObservationAssembler};
pub use set::SensorSet;
pub use slots::SensorSlots;
