//! The network: zenoh sessions that ROS 2 nodes on `rmw_zenoh` see as one of their own.

mod follow;
mod gaps;
mod intake;
pub mod limit;
mod node;
mod presence;
mod publisher;
mod qos;
mod robot;
mod session;
mod settings;
mod subscriber;
mod wall;
mod world;

pub use follow::Senders;
pub use intake::Received;
pub use presence::{Peer, Presence};
pub use publisher::Publisher;
pub use qos::{Qos, Stream};
pub use robot::{RobotLink, RobotLinkConfig};
pub use session::Session;
pub use subscriber::{Latest, Queued, Subscriber};
pub use world::{WorldLink, WorldLinkConfig};

#[cfg(test)]
mod tests;
