//! From changes of the tool's pose to joint targets.

use std::sync::Arc;
use std::time::Duration;

use glam::{DQuat, DVec3};

use crate::{InverseConfig, Joints, Pose, Robot, Workspace};

/// Period of the control loop that [`TcpServo::new`] assumes.
pub const CONTROL_PERIOD: Duration = Duration::from_millis(50);

/// How often a step that cannot be made is halved before it is given up.
const HALVINGS: usize = 3;

/// Pulls to the home posture, tried in this order until one keeps the joints slow enough.
const POSTURE_GAINS: [f64; 3] = [InverseConfig::SERVO.posture_gain, 0.02, 0.0];

/// What to send to the joints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServoStep {
    /// Targets of all joints, the gripper last (rad, m).
    pub joints: Joints,
    /// Whether the whole step was made. If not, the target moved by a part of it or not at all.
    pub reached: bool,
    /// Whether the step led out of the workspace and was cut at its border.
    pub clamped: bool,
}

/// Integrates changes of the tool's pose on a target and follows it with the joints.
///
/// The target is what was commanded, not what was measured, so that a steady load does not make
/// the tool sink. It never leaves the workspace, and never goes where the joints cannot follow
/// within their limits of position and velocity.
#[derive(Clone, Debug)]
pub struct TcpServo {
    robot: Arc<Robot>,
    period: f64,
    target: Pose,
    joints: Joints,
}

impl TcpServo {
    /// A servo at the robot's home posture, for the usual [`CONTROL_PERIOD`].
    pub fn new(robot: impl Into<Arc<Robot>>) -> Self {
        Self::with_period(robot, CONTROL_PERIOD)
    }

    /// A servo at the robot's home posture that is advanced once per `period`.
    pub fn with_period(robot: impl Into<Arc<Robot>>, period: Duration) -> Self {
        let robot = robot.into();
        let joints = *robot.home();
        Self {
            period: period.as_secs_f64(),
            target: robot.forward(&joints),
            joints,
            robot,
        }
    }

    /// Takes up `joints` as the posture that is commanded now. Values that are not finite are
    /// replaced by the home posture's.
    pub fn reset(&mut self, joints: &Joints) {
        let mut usable = *joints;
        for (value, home) in usable.iter_mut().zip(self.robot.home()) {
            if !value.is_finite() {
                *value = *home;
            }
        }
        self.joints = self.robot.clamp(&usable);
        self.target = self.robot.forward(&self.joints);
    }

    /// Takes over the commanded motion of another servo of the same robot. Does not allocate.
    pub fn mirror(&mut self, other: &Self) {
        self.target = other.target;
        self.joints = other.joints;
    }

    /// The commanded pose of the tool.
    pub fn target(&self) -> Pose {
        self.target
    }
    /// The commanded joints.
    pub fn joints(&self) -> &Joints {
        &self.joints
    }
    /// The robot that is driven.
    pub fn robot(&self) -> &Robot {
        &self.robot
    }

    /// Moves the target by `translation` (m) and the rotation vector `rotation` (rad), both in the
    /// base frame, and the gripper towards open or closed. Values that are not finite count as
    /// zero. Does not allocate.
    pub fn advance(
        &mut self,
        translation: DVec3,
        rotation: DVec3,
        gripper_open: bool,
    ) -> ServoStep {
        let translation = finite(translation);
        let rotation = finite(rotation);
        let mut step = ServoStep {
            joints: self.joints,
            reached: false,
            clamped: false,
        };
        let mut share = 1.0;
        for attempt in 0..=HALVINGS {
            let wanted = self.target.moved(translation * share, rotation * share);
            let (target, clamped) = bounded(&wanted, self.robot.workspace());
            step.clamped |= clamped;
            if let Some(joints) = self.joints_for(&target) {
                self.target = target;
                self.joints = joints;
                step.reached = attempt == 0;
                break;
            }
            share *= 0.5;
        }
        self.drive_gripper(gripper_open);
        step.joints = self.joints;
        step
    }

    /// Joints for `target` that can be had within one period, with as much of the way back to the
    /// home posture as the speed limits leave room for.
    fn joints_for(&self, target: &Pose) -> Option<Joints> {
        for posture_gain in POSTURE_GAINS {
            let config = InverseConfig {
                posture_gain,
                ..InverseConfig::SERVO
            };
            let solution = self.robot.inverse(target, &self.joints, &config);
            if !solution.reached {
                return None;
            }
            if self.within_speed(&solution.joints) {
                return Some(solution.joints);
            }
        }
        None
    }

    fn within_speed(&self, joints: &Joints) -> bool {
        let arm = self.robot.limits().iter().take(self.robot.arm_dof());
        arm.zip(joints.iter().zip(&self.joints))
            .all(|(limits, (next, now))| (next - now).abs() <= limits.velocity * self.period)
    }

    fn drive_gripper(&mut self, open: bool) {
        let index = self.robot.arm_dof();
        let end = if open {
            self.robot.gripper_open()
        } else {
            self.robot.gripper_closed()
        };
        if let (Some(width), Some(limits)) =
            (self.joints.get_mut(index), self.robot.limits().get(index))
        {
            let most = limits.velocity * self.period;
            *width += (end - *width).max(-most).min(most);
        }
    }
}

fn finite(vector: DVec3) -> DVec3 {
    if vector.is_finite() {
        vector
    } else {
        DVec3::ZERO
    }
}

/// `pose` brought into the workspace, and whether that changed it.
fn bounded(pose: &Pose, workspace: &Workspace) -> (Pose, bool) {
    let position = pose.position.max(workspace.min).min(workspace.max);
    let axis = pose.orientation * DVec3::Z;
    let down = DVec3::NEG_Z;
    let lean = axis.angle_between(down);
    let mut orientation = pose.orientation;
    let leans = lean > workspace.tilt;
    if leans {
        let about = axis.cross(down);
        let about = about.try_normalize().unwrap_or(DVec3::X);
        let back = DQuat::from_axis_angle(about, lean - workspace.tilt);
        orientation = (back * orientation).normalize();
    }
    let changed = leans || position != pose.position;
    (Pose::new(position, orientation), changed)
}
