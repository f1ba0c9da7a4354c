//! Everything that crosses the process boundary: the network (zenoh, as ROS 2 nodes on
//! `rmw_zenoh` speak it) and eyes (rerun).
//!
//! | part | feature | what it does |
//! |---|---|---|
//! | [`zenoh`] | `zenoh` | [`zenoh::RobotLink`] for the runtime, [`zenoh::WorldLink`] for a robot or simulator |
//! | [`ObservationAssembler`] | | newest message of each sensor → one time-synchronised set |
//! | [`viewer`] | `rerun` | what goes on, to a file or a live viewer; never in the way |
//! | [`Counters`] | | what arrived, left or was lost, by name |
//!
//! Every queue is bounded, drops by a named policy and counts what it drops. Nothing that comes
//! from outside can make this crate panic.
//!
//! The two ends of a lockstep tick:
//!
//! ```no_run
//! # #[cfg(feature = "zenoh")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::{Duration, Instant};
//!
//! use cerebellum_bridge::zenoh::{RobotLink, RobotLinkConfig, WorldLink, WorldLinkConfig};
//! use cerebellum_bridge::{Counters, Exact};
//! use cerebellum_messages::{Command, JointState, Stamp};
//!
//! let counters = Counters::new();
//! let world = WorldLink::open(&WorldLinkConfig::default(), &counters)?;
//! let robot = RobotLink::open(&RobotLinkConfig::default(), &counters)?;
//! let soon = || Instant::now() + Duration::from_secs(1);
//!
//! let stamp = Stamp::from_nanos(0);
//! world.publish_joints(&JointState { stamp, ..JointState::default() })?;
//! match robot.observations().wait_exact(soon()) {
//!     Exact::Complete(set) => {
//!         let command = Command { stamp: set.stamp(), ..Command::default() };
//!         robot.commands().publish(&command)?;
//!     }
//!     Exact::Repeated(_) => println!("the last command was lost: send it again"),
//!     Exact::TimedOut { missing } => println!("nothing from {missing:?}"),
//! }
//! let command = world.wait_command(stamp, soon());
//! # drop(command);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "zenoh"))]
//! # fn main() {}
//! ```

pub mod sync;
pub mod topics;
pub mod viewer;
#[cfg(feature = "zenoh")]
pub mod zenoh;

mod alarm;
mod assembly;
mod counters;
mod error;
mod session_config;

pub use alarm::Alarm;
pub use assembly::{Exact, ObservationAssembler, SensorSet, SensorSlots};
pub use counters::{Counter, Counters, DROPPED};
pub use error::BridgeError;
pub use session_config::{LOCAL_ENDPOINT, SessionConfig, SessionMode, free_endpoint};
