//! From separate sensor messages to one time-synchronised set.

mod assembler;
mod check;
mod set;
mod slots;

pub use assembler::{Exact, ObservationAssembler};
pub use check::{check_frame, check_joints};
pub use set::SensorSet;
pub use slots::SensorSlots;
