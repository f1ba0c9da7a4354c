//! Robot descriptions, forward and inverse kinematics, and the servo that turns tool motions into
//! joint targets. Nothing here allocates once a [`Robot`] is loaded, so all of it may run in a
//! control loop.
//!
//! ```
//! use cerebellum_kinematics::{Robot, TcpServo};
//! use glam::DVec3;
//!
//! # fn main() -> Result<(), cerebellum_kinematics::RobotError> {
//! let robot = Robot::tabletop()?;
//! let mut servo = TcpServo::new(robot.clone());
//! let before = servo.target();
//! // Two centimetres up, gripper closing.
//! let step = servo.advance(DVec3::new(0.0, 0.0, 0.02), DVec3::ZERO, false);
//! assert!(step.reached);
//! let tool = robot.forward(&step.joints);
//! assert!((tool.position.z - before.position.z - 0.02).abs() < 1e-3);
//! # Ok(())
//! # }
//! ```

mod description;
mod error;
mod inverse;
mod jacobian;
mod pose;
mod robot;
mod servo;
#[cfg(test)]
mod tests;

/// Most joints a robot may have, the gripper included.
pub const MAX_DOF: usize = 8;

/// Positions of all joints (rad), then the gripper's width (m), then zeros up to [`MAX_DOF`].
pub type Joints = [f64; MAX_DOF];

pub use error::RobotError;
pub use inverse::{InverseConfig, Solution};
pub use jacobian::Jacobian;
pub use pose::Pose;
pub use robot::{Limits, Link, Robot, Workspace};
pub use servo::{CONTROL_PERIOD, ServoStep, TcpServo};
