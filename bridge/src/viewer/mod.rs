//! What goes on, for eyes: a rerun recording, a live rerun viewer, or both.
//!
//! Recorder and viewer each have a thread and a bounded queue of their own, so that neither a full
//! disk nor a stuck viewer is felt by the other or by whoever offers events. The types are there
//! in every build; without the feature `rerun`, asking for a recording is an error.

mod config;
mod event;
mod running;
mod tap;

#[cfg(feature = "rerun")]
mod blueprint;
#[cfg(feature = "rerun")]
mod file;
#[cfg(feature = "rerun")]
mod live;
#[cfg(feature = "rerun")]
mod projection;
#[cfg(feature = "rerun")]
mod scribe;

pub use config::{LOCAL_VIEWER, ViewerConfig};
pub use event::{Event, Moment, Timing};
pub use running::Viewer;
pub use tap::ViewerTap;

#[cfg(all(test, feature = "rerun"))]
mod tests;
