//! Joint state in, joint commands out.

use serde::{Deserialize, Serialize};

use crate::invalid::Check;
use crate::{Invalid, Stamp};

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

impl JointState {
    /// Checks that names differ, that the arrays are as long as the names (velocities and efforts
    /// may be missing) and that all numbers are finite.
    ///
    /// # Errors
    /// [`Invalid`], naming the field.
    pub fn validate(&self) -> Result<(), Invalid> {
        let check = Check("JointState");
        check.names("names", &self.names)?;
        let count = self.names.len();
        check.values("position", &self.position, count, false)?;
        check.values("velocity", &self.velocity, count, true)?;
        check.values("effort", &self.effort, count, true)
    }

    /// Place of a joint in the arrays.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }
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

impl Command {
    /// Checks that names differ, that there is a point, that each point has as many positions as
    /// there are names (other targets may be missing), that all numbers are finite and that times
    /// do not run backwards.
    ///
    /// # Errors
    /// [`Invalid`], naming the field.
    pub fn validate(&self) -> Result<(), Invalid> {
        let check = Check("Command");
        check.names("joint_names", &self.joint_names)?;
        check.filled("points", self.points.len())?;
        let count = self.joint_names.len();
        let mut earliest = 0;
        for (index, point) in self.points.iter().enumerate() {
            check.values("points.positions", &point.positions, count, false)?;
            check.values("points.velocities", &point.velocities, count, true)?;
            check.values("points.accelerations", &point.accelerations, count, true)?;
            check.values("points.effort", &point.effort, count, true)?;
            if point.time_from_start_nanos < earliest {
                return Err(Invalid::Order {
                    message: "Command",
                    field: "points.time_from_start_nanos",
                    index,
                });
            }
            earliest = point.time_from_start_nanos;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> JointState {
        JointState {
            names: vec!["a".to_owned(), "b".to_owned()],
            position: vec![0.0, 1.0],
            ..JointState::default()
        }
    }

    fn command() -> Command {
        let point = TrajectoryPoint {
            positions: vec![0.0, 1.0],
            ..TrajectoryPoint::default()
        };
        Command {
            stamp: Stamp::default(),
            joint_names: state().names,
            points: vec![point.clone(), point],
        }
    }

    #[test]
    fn joint_states_must_be_whole() {
        assert_eq!(state().validate(), Ok(()));
        let broken = |change: fn(&mut JointState)| {
            let mut state = state();
            change(&mut state);
            state.validate()
        };
        let length = broken(|state| state.velocity.push(0.0));
        assert!(matches!(length, Err(Invalid::Length { found: 1, .. })));
        let missing = broken(|state| state.position.clear());
        assert!(matches!(missing, Err(Invalid::Length { expected: 2, .. })));
        let nan = broken(|state| state.position[1] = f64::NAN);
        assert!(matches!(nan, Err(Invalid::NotFinite { index: 1, .. })));
        let repeated = broken(|state| state.names[1] = "a".to_owned());
        assert!(matches!(repeated, Err(Invalid::Repeated { index: 1, .. })));
        assert!(JointState::default().validate().is_err());
    }

    #[test]
    fn commands_must_be_whole() {
        assert_eq!(command().validate(), Ok(()));
        let broken = |change: fn(&mut Command)| {
            let mut command = command();
            change(&mut command);
            command.validate()
        };
        let empty = broken(|command| command.points.clear());
        assert!(matches!(empty, Err(Invalid::Empty { .. })));
        let backwards = broken(|command| command.points[0].time_from_start_nanos = 1);
        assert!(matches!(backwards, Err(Invalid::Order { index: 1, .. })));
        let negative = broken(|command| command.points[0].time_from_start_nanos = -1);
        assert!(matches!(negative, Err(Invalid::Order { index: 0, .. })));
        let infinite = broken(|command| command.points[1].positions[0] = f64::INFINITY);
        assert!(matches!(infinite, Err(Invalid::NotFinite { .. })));
    }
}
