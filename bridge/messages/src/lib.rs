//! The words that every part of Cerebellum speaks, and their wire format.
//!
//! Plain data, no I/O. The wire format of each [`Message`] is the one ROS 2 uses ([CDR](cdr),
//! XCDR1, little endian), so that robots on `rmw_zenoh`, Foxglove, MCAP and rerun read it without a
//! bridge. [`rmw`] has the names under which ROS 2 nodes find each other, [`schema`] the `.msg`
//! definitions, [`limits`] what a receiver accepts.
//!
//! A payload may come from anyone. Decoding it never panics and allocates no more than it has
//! bytes for; what decodes may still make no sense, which `validate` finds out.
//!
//! ```
//! use cerebellum_messages::rmw::TopicKey;
//! use cerebellum_messages::{JointState, Message as _, Stamp};
//!
//! let sent = JointState {
//!     stamp: Stamp::from_nanos(50_000_000),
//!     names: vec!["joint1".to_owned(), "gripper".to_owned()],
//!     position: vec![0.3, 0.08],
//!     velocity: vec![],
//!     effort: vec![],
//! };
//! let mut buffer = Vec::new(); // kept by the sender: no allocation from the second message on
//! sent.encode_into(&mut buffer);
//! println!("{} bytes to {}", buffer.len(), TopicKey::of::<JointState>(0, "joint_states")?);
//!
//! let received = JointState::decode(&buffer)?;
//! received.validate()?;
//! assert_eq!(received, sent);
//! assert!(JointState::decode(&buffer[..40]).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cdr;
pub mod limits;
pub mod rmw;
pub mod ros;
pub mod schema;

mod chunk;
mod episode;
mod frame;
mod goal;
mod invalid;
mod joints;
mod latent;
mod learner;
mod message;
mod observation;
mod status;
mod time;

pub use cdr::DecodeError;
pub use chunk::{ActionChunk, ActionSpace, TCP_DELTA_DIM};
pub use episode::{ClockKind, EpisodePhase, EpisodeRequest, EpisodeStatus};
pub use frame::Frame;
pub use goal::{Goal, GoalKind, GoalSpec};
pub use invalid::Invalid;
pub use joints::{Command, JointState, TrajectoryPoint};
pub use latent::LatentSample;
pub use learner::{LearnerReport, Verdict};
pub use message::Message;
pub use observation::{Observation, TcpPose};
pub use ros::{Clock, CompressedImage, Header, Text};
pub use status::{RuntimeState, RuntimeStatus};
pub use time::{Stamp, Tick};
