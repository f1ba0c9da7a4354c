//! How ROS 2 nodes on `rmw_zenoh` name topics and announce themselves. Strings and bytes only.
//!
//! A publisher of `rmw_zenoh_cpp` puts CDR on a [`TopicKey`], with an [`Attachment`], and declares
//! a liveliness token, an [`Entity`], by which `ros2 topic list` and the like find it. A sample
//! without an attachment is dropped by ROS 2 subscribers.
//!
//! Source: `docs/design.md`, `liveliness_utils.cpp`, `attachment_helpers.cpp` and `qos.cpp` of
//! <https://github.com/ros2/rmw_zenoh>, from release 0.6 (Kilted) on; Jazzy is the same.

mod attachment;
mod entity;
mod error;
mod key;
mod qos;

pub use attachment::{Attachment, Gid};
pub use entity::{Endpoint, Entity, EntityKind};
pub use error::NameError;
pub use key::{HASH_NOT_SUPPORTED, TopicKey, qualify};
pub use qos::{Durability, History, Liveliness, Qos, Reliability};
