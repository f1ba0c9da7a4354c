//! The embedded tabletop world: an arm with a gripper, colored things, ten tasks in plain words,
//! scripted experts, two cameras, and knobs for domain shift. Equal seeds give equal episodes, bit
//! for bit.
//!
//! ```
//! use cerebellum_kinematics::TcpServo;
//! use cerebellum_sim::{Episode, EpisodeConfig, Expert, Outcome, Split, Task};
//! use glam::DVec3;
//!
//! # fn main() -> Result<(), cerebellum_sim::SimError> {
//! let config = EpisodeConfig::new(Task::PressButton, Split::Train, 1).blind();
//! let mut episode = Episode::new(&config)?;
//! let mut servo = TcpServo::new(episode.robot().clone());
//! servo.reset(episode.commanded());
//! while !episode.outcome().is_over() {
//!     let [x, y, z, u, v, w, gripper] = Expert.act(&episode).map(f64::from);
//!     let step = servo.advance(
//!         DVec3::new(x, y, z) * cerebellum_sim::TRANSLATION_SCALE,
//!         DVec3::new(u, v, w) * cerebellum_sim::ROTATION_SCALE,
//!         gripper > 0.0,
//!     );
//!     episode.step(&step.joints)?;
//! }
//! assert_eq!(episode.outcome(), Outcome::Succeeded);
//! # Ok(())
//! # }
//! ```

mod bench;
mod color;
mod demonstrate;
mod episode;
mod error;
mod expert;
pub mod maze;
mod physics;
mod play;
mod random;
pub mod render;
mod sensors;
mod shift;
mod task;
mod thing;
mod view;

pub use bench::{BenchConfig, BenchReport, DemonstrationCost, PictureRate, bench};
pub use color::Color;
pub use demonstrate::{Demonstration, Disturbance, Step, demonstrate};
pub use episode::{Episode, EpisodeConfig, Outcome};
pub use error::SimError;
pub use expert::{Expert, Phase, ROTATION_SCALE, TRANSLATION_SCALE};
pub use physics::{CONTROL_PERIOD_NANOS, SUBSTEPS, StateHash};
pub use play::play;
pub use shift::{Knob, Shift};
pub use task::{Split, Task, WORLD_DIM, Wording, instructions};
pub use thing::{Thing, ThingKind};
pub use view::{CameraConfig, View};
