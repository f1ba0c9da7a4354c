//! The words that every part of Cerebellum speaks, and their wire format.
//!
//! Plain data, no I/O. The wire format of each message is the one ROS 2 uses (CDR, XCDR1, little
//! endian), so that robots on `rmw_zenoh`, Foxglove, MCAP and rerun read it without a bridge.

mod chunk;
mod episode;
mod frame;
mod goal;
mod joints;
mod latent;
mod learner;
mod observation;
mod status;
mod time;

pub use chunk::{ActionChunk, ActionSpace, TCP_DELTA_DIM};
pub use episode::{ClockKind, EpisodePhase, EpisodeRequest, EpisodeStatus};
pub use frame::Frame;
pub use goal::{Goal, GoalKind, GoalSpec};
pub use joints::{Command, JointState, TrajectoryPoint};
pub use latent::LatentSample;
pub use learner::{LearnerReport, Verdict};
pub use observation::{Observation, TcpPose};
pub use status::{RuntimeState, RuntimeStatus};
pub use time::{Stamp, Tick};
