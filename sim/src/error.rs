//! What can go wrong in the world.

use cerebellum_kinematics::RobotError;

use crate::render::RenderError;

/// Why an episode cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// No task has this name.
    #[error("unknown task `{found}`; the tasks are {known}")]
    UnknownTask {
        /// The name that was given.
        found: String,
        /// Names that exist.
        known: String,
    },
    /// No split has this name.
    #[error("unknown split `{0}`; the splits are train, eval and shift")]
    UnknownSplit(String),
    /// A part of a shift is not of the form `knob=level`.
    #[error("`{0}` is not of the form knob=level")]
    ShiftSyntax(String),
    /// No knob has this name.
    #[error("unknown knob `{found}`; the knobs are {known}")]
    UnknownKnob {
        /// The name that was given.
        found: String,
        /// Names that exist.
        known: String,
    },
    /// A knob does not have this level.
    #[error("knob `{knob}` takes levels 0 to {highest}, not `{found}`")]
    KnobLevel {
        /// Name of the knob.
        knob: &'static str,
        /// Its highest level.
        highest: u8,
        /// The level that was given.
        found: String,
    },
    /// The robot's description is unusable.
    #[error(transparent)]
    Robot(#[from] RobotError),
    /// A camera cannot make pictures as configured.
    #[error("camera `{camera}`: {source}")]
    Camera {
        /// Name of the camera.
        camera: String,
        /// The renderer's reason.
        source: RenderError,
    },
    /// The state of the physics is no longer finite. The episode is lost; begin another.
    #[error("the physics diverged at tick {tick}")]
    Diverged {
        /// The tick.
        tick: u64,
    },
    /// The physics engine refused a joint, which points to a robot description with a loop.
    #[error("the physics engine refused the joint `{0}`")]
    Joint(String),
}
