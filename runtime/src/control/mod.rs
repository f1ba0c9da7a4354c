//! The control loop: real-time, and explainable.
//!
//! ```text
//!  ChunkSender ──ring──►┐                                ┌──ring──► CommandReceiver
//!  MeasuredSender ─cell►│  Cycle: Schedule ─► TcpServo   │
//!  Signals ─────atomics►│         ─► Safety ─► command   ├──ring──► RecordReceiver
//!                       └────────────────────────────────┴─atomics► ControlStats
//! ```
//!
//! [`Controller`] is the tick as a pure step. In real time it runs inside a thread of its own
//! ([`ControlHandle`]), paced by [`Pacer`]; in lockstep with a simulator the caller ticks it. The
//! code of a tick allocates nothing, takes no lock, writes no log and never blocks.
//!
//! ```
//! use cerebellum::control::{ActionInterface, ControlConfig, Controller, Measured, TickInput};
//! use cerebellum_kinematics::Robot;
//! use cerebellum_messages::{ActionSpace, RuntimeState, Stamp, Tick};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let robot = Robot::tabletop()?;
//! let measured = Measured { stamp: Stamp(0), position: *robot.home() };
//! let actions = ActionInterface {
//!     space: ActionSpace::TcpDelta,
//!     dim: 7,
//!     translation_scale: 0.02,
//!     rotation_scale: 0.1,
//! };
//! let mut controller = Controller::new(robot, actions, ControlConfig::default())?;
//! let record = controller.tick(&TickInput::fresh(Tick(0), measured, 1));
//! // A goal but no chunk yet: the robot is held where it is.
//! assert_eq!(record.state, RuntimeState::Starved);
//! assert_eq!(record.command.map(|command| command.positions), Some(measured.position));
//! # Ok(())
//! # }
//! ```

mod axis;
pub mod bench;
mod blend;
mod chunk;
mod config;
mod controller;
mod counters;
mod cycle;
mod histogram;
mod limited;
mod links;
mod pacer;
mod record;
mod safety;
mod schedule;
mod stats;
mod thread;

pub use blend::{BlendRule, GripperRule};
pub use chunk::{Action, ChunkError, FixedChunk, MAX_ACTION_DIM, MAX_HORIZON, Source};
pub use config::{
    ActionInterface, ControlConfig, ControlError, PacingConfig, Response, Responses, Timeouts,
};
pub use controller::Controller;
pub use counters::{COUNTERS, Counter, Counters};
pub use cycle::Cycle;
pub use histogram::{Figures, Histogram, HistogramSnapshot};
pub use limited::LimitKinds;
pub use links::{
    Capacities, ChunkSender, CommandReceiver, ControlEnd, Ends, MeasuredSender, RecordReceiver,
    STANDBY, SendError, Signals, links,
};
pub use pacer::{Pacer, Wake};
pub use record::{CommandRecord, Fallback, MeasureError, Measured, TickInput, TickRecord};
pub use safety::{Limited, Safety, SafetyConfig};
pub use schedule::{Arrival, Schedule, ScheduleConfig, Scheduled, Splice};
pub use stats::{ControlFigures, ControlSnapshot, ControlStats};
pub use thread::{ControlExit, ControlHandle};
