//! Joint state in, joint commands out.

use serde::{Deserialize, Serialize};

use crate::Stamp;

/// Measured joints (`sensor_msgs/JointState`). Radians and metres.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JointState {
    /// Time of measurement.
    pub stamp: Stamp,
    /// Joint names, in the order of the arrays below.
    pub names: Vec<String>,
    /// Positions [rad or m], one per name.
    pub position: Vec<f64>,
    /// Velocities [rad/s or m/s]; empty if not measured.
    pub velocity: Vec<f64>,
    /// Efforts [N m or N]; empty if not measured.
    pub effort: Vec<f64>,
}

/// One point of a joint trajectory (`trajectory_msgs/JointTrajectoryPoint`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrajectoryPoint {
    /// Target positions [rad or m].
    pub positions: Vec<f64>,
    /// Target velocities; may be empty.
    pub velocities: Vec<f64>,
    /// Target accelerations; may be empty.
    pub accelerations: Vec<f64>,
    /// Target efforts; may be empty.
    pub effort: Vec<f64>,
    /// When the point is to be reached, in nanoseconds after the command's stamp.
    pub time_from_start_nanos: i64,
}

/// What the robot is to do next (`trajectory_msgs/JointTrajectory`): one point per control tick.
///
/// The stamp is that of the newest observation behind the command, so that a lockstep world can
/// pair the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// See the type's documentation.
    pub stamp: Stamp,
    /// Joint names, in the order of the points' arrays.
    pub joint_names: Vec<String>,
    /// Points in time order; never empty in a valid command.
    pub points: Vec<TrajectoryPoint>,
}
