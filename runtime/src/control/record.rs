//! What goes into a tick and what comes out: plain values of fixed size.

use cerebellum_kinematics::{Joints, MAX_DOF};
use cerebellum_messages::{
    ActionSpace, Command, JointState, RuntimeState, Stamp, Tick, TrajectoryPoint,
};

use super::chunk::{Action, MAX_ACTION_DIM, Source};
use super::limited::LimitKinds;
use crate::clock::{Period, Span};

/// Measured joints in the order of the robot's description.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Stamp of the joint state.
    pub stamp: Stamp,
    /// Positions [rad, m]; zeros beyond the robot's joints.
    pub position: Joints,
}

/// Why a joint state cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MeasureError {
    /// A joint of the robot is missing.
    #[error("the joint state has no joint `{0}`: does the robot description belong to this robot?")]
    Missing(String),
    /// A position is not finite.
    #[error("joint `{0}` has a position that is not finite")]
    NonFinite(String),
}

impl Measured {
    /// The positions of the joints named `names`, at most [`MAX_DOF`], wherever they stand in the
    /// message; other joints are passed over.
    ///
    /// # Errors
    /// If a joint is missing or its position is not finite.
    pub fn from_message(state: &JointState, names: &[String]) -> Result<Self, MeasureError> {
        let mut position = [0.0; MAX_DOF];
        for (index, (slot, name)) in position.iter_mut().zip(names).enumerate() {
            // Almost always the same order.
            let place = match state.names.get(index) {
                Some(same) if same == name => Some(index),
                _ => state.names.iter().position(|other| other == name),
            };
            let value = place.and_then(|place| state.position.get(place));
            let value = value.ok_or_else(|| MeasureError::Missing(name.clone()))?;
            if !value.is_finite() {
                return Err(MeasureError::NonFinite(name.clone()));
            }
            *slot = *value;
        }
        Ok(Self {
            stamp: state.stamp,
            position,
        })
    }
}

/// Everything that a tick depends on. A tick reads no clock: ages are computed by the caller, and
/// are zero in lockstep, where nothing ages.
#[derive(Clone, Copy, Debug)]
pub struct TickInput {
    /// Index of the tick.
    pub tick: Tick,
    /// Newest measured joints; none before the first.
    pub measured: Option<Measured>,
    /// Age of `measured`.
    pub joints_age: Span,
    /// Age of the oldest part of the newest observation; before the first one, of the program.
    pub observation_age: Span,
    /// Time since the inference thread last showed that it is alive.
    pub inference_age: Span,
    /// Goal in force; 0 for none.
    pub goal_id: u64,
    /// Generation of weights whose chunks must no longer be executed.
    pub withdrawn: Option<u64>,
    /// Whether the robot can be heard.
    pub peer_alive: bool,
    /// Whether the policy has failed and not given a chunk since.
    pub policy_fault: bool,
    /// Set for one tick when the robot is known to have been put elsewhere (a world was reset):
    /// the stamp from which on joint states tell where it is now. Until the first of them there is
    /// no command, and then motion begins anew from there.
    pub relocated: Option<Stamp>,
    /// Whether to come to a stop for good.
    pub stopping: bool,
}

impl TickInput {
    /// The input of a tick in which all is well and nothing has aged.
    pub const fn fresh(tick: Tick, measured: Measured, goal_id: u64) -> Self {
        Self {
            tick,
            measured: Some(measured),
            joints_age: Span::ZERO,
            observation_age: Span::ZERO,
            inference_age: Span::ZERO,
            goal_id,
            withdrawn: None,
            peer_alive: true,
            policy_fault: false,
            relocated: None,
            stopping: false,
        }
    }
}

/// A command as it leaves the control thread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CommandRecord {
    /// Tick that made it.
    pub tick: Tick,
    /// Stamp of the newest joint state behind it.
    pub stamp: Stamp,
    /// Target positions [rad, m].
    pub positions: Joints,
    /// Speeds on the way there [rad/s, m/s].
    pub velocities: Joints,
}

impl CommandRecord {
    /// The message for a robot whose joints, the gripper included, are named `names`; the target is
    /// to be reached one `period` after its stamp. Allocates: for the sending thread.
    pub fn to_message(&self, names: &[String], period: Period) -> Command {
        let dof = names.len().min(MAX_DOF);
        Command {
            stamp: self.stamp,
            joint_names: names.to_vec(),
            points: vec![TrajectoryPoint {
                positions: self.positions[..dof].to_vec(),
                velocities: self.velocities[..dof].to_vec(),
                time_from_start_nanos: period.span().nanos(),
                ..TrajectoryPoint::default()
            }],
        }
    }
}

/// What the loop fell back to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fallback {
    /// Nothing: an action was executed.
    None,
    /// No command could be given: where the robot stands is not known.
    #[default]
    Silent,
    /// The robot was held.
    Hold,
    /// The robot was moved towards its home posture.
    Retreat,
}

/// The explanation of one tick: from what, by what, and how it went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TickRecord {
    /// The tick.
    pub tick: Tick,
    /// What the loop was doing.
    pub state: RuntimeState,
    /// What it fell back to.
    pub fallback: Fallback,
    /// Goal in force; 0 for none.
    pub goal_id: u64,
    /// The newest chunk in the action; none if no action was executed.
    pub source: Option<Source>,
    /// How many chunks the action was blended from.
    pub contributors: u32,
    /// Ticks between observation and action, if this tick passed to a newer chunk.
    pub splice_index: Option<u64>,
    /// See [`super::Splice::jump`].
    pub splice_jump: Option<f32>,
    /// What the action's numbers mean.
    pub space: ActionSpace,
    /// The executed action, in the policy's own scale; zeros if none was.
    pub action: Action,
    /// The command; none if `fallback` is silent.
    pub command: Option<CommandRecord>,
    /// What the limits changed.
    pub limited: LimitKinds,
    /// How late the tick began. Zero in lockstep.
    pub lateness: Span,
    /// Time spent on the tick. Zero in lockstep.
    pub work: Span,
    /// Time left in the period when the work was done; negative if it took too long. Zero in
    /// lockstep.
    pub slack: Span,
}

const _: () = assert!(
    MAX_ACTION_DIM >= MAX_DOF,
    "a joint action must hold all joints"
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::clock::Period;

    fn names() -> Vec<String> {
        ["a", "b", "grip"].map(str::to_owned).to_vec()
    }

    #[test]
    fn joints_are_found_by_name() {
        let state = JointState {
            stamp: Stamp(5),
            names: ["grip", "tail", "b", "a"].map(str::to_owned).to_vec(),
            position: vec![0.3, 9.0, 0.2, 0.1],
            ..JointState::default()
        };
        let measured = Measured::from_message(&state, &names()).unwrap();
        assert_eq!(measured.position[..4], [0.1, 0.2, 0.3, 0.0]);

        let mut short = state.clone();
        short.position.pop();
        assert_eq!(
            Measured::from_message(&short, &names()),
            Err(MeasureError::Missing("a".to_owned()))
        );
        let mut broken = state;
        broken.position[2] = f64::NAN;
        assert_eq!(
            Measured::from_message(&broken, &names()),
            Err(MeasureError::NonFinite("b".to_owned()))
        );
    }

    #[test]
    fn a_command_names_its_joints() {
        let record = CommandRecord {
            tick: Tick(1),
            stamp: Stamp(50),
            positions: [0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0],
            velocities: [1.0; MAX_DOF],
        };
        let period = Period::from_hz(20.0).unwrap();
        let command = record.to_message(&names(), period);
        assert_eq!(command.joint_names, names());
        assert_eq!(command.points[0].positions, [0.1, 0.2, 0.3]);
        assert_eq!(command.points[0].velocities, [1.0; 3]);
        assert_eq!(command.points[0].time_from_start_nanos, 50_000_000);
        assert_eq!(command.stamp, Stamp(50));
    }
}
