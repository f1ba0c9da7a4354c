//! Rigid bodies, joints and the arm, on rapier.

mod arm;
mod fixture;
mod part;
mod settings;
mod world;

pub(crate) use arm::{Arm, ArmState, FINGER_HALF, FINGER_TIP};
pub(crate) use fixture::{Motion, Slider};
pub(crate) use part::{Drawn, Part};
pub(crate) use settings::PhysicsSettings;
pub use settings::{CONTROL_PERIOD_NANOS, SUBSTEPS};
pub use world::StateHash;
pub(crate) use world::World;
