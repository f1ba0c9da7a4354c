//! What goes on, for eyes: a rerun recording, a live rerun viewer, or both.

mod config;
mod event;
mod tap;

pub use config::{LOCAL_VIEWER, ViewerConfig};
pub use event::{Event, Moment, Timing};
pub use tap::ViewerTap;
