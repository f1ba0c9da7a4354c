//! The last word on every command.
//!
//! Whatever a policy asks for, what leaves here is finite, within each joint's range, speed and
//! acceleration, and keeps the tool in its workspace. Nothing here allocates.

use std::sync::Arc;

use cerebellum_kinematics::{Joints, MAX_DOF, Robot, Workspace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::axis::Axis;
use super::limited::LimitKinds;
use crate::clock::Period;

/// How far to go within the robot's own limits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SafetyConfig {
    /// Share of the joints' highest speed that is used, above 0 up to 1.
    pub velocity_share: f64,
    /// Share of the joints' highest acceleration that is used, above 0 up to 1.
    pub acceleration_share: f64,
    /// How many metres outside of the workspace the tool may be commanded before it is stopped:
    /// room for the servo, which stops exactly at the border, and for its remaining error.
    pub workspace_tolerance: f64,
}

impl Default for SafetyConfig {
    fn default() -> Self {
        Self {
            velocity_share: 1.0,
            acceleration_share: 1.0,
            workspace_tolerance: 0.01,
        }
    }
}

/// A command within the limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limited {
    /// Target positions [rad, m].
    pub joints: Joints,
    /// Speeds from the last command to this one [rad/s, m/s].
    pub velocities: Joints,
    /// What had to be limited.
    pub kinds: LimitKinds,
}

/// Shares of the asked motion that are tried when it would lead out of the workspace.
const SHARES: [f64; 4] = [1.0, 0.5, 0.25, 0.125];

/// See the module. Holds the motion commanded so far, because speed and acceleration are limited
/// from command to command.
#[derive(Clone, Debug)]
pub struct Safety {
    robot: Arc<Robot>,
    axes: [Axis; MAX_DOF],
    dof: usize,
    period: f64,
    tolerance: f64,
}

impl Safety {
    /// At rest in the robot's home posture. Shares outside of (0, 1] count as 1.
    pub fn new(robot: impl Into<Arc<Robot>>, config: &SafetyConfig, period: Period) -> Self {
        let robot = robot.into();
        let period = period.seconds();
        let share = |value: f64| {
            if value > 0.0 && value <= 1.0 {
                value
            } else {
                1.0
            }
        };
        let unused = cerebellum_kinematics::Limits {
            lower: 0.0,
            upper: 0.0,
            velocity: 1.0,
            acceleration: 1.0,
        };
        let mut axes = [Axis::new(&unused, period); MAX_DOF];
        for (axis, limits) in axes.iter_mut().zip(robot.limits()) {
            let mut limits = *limits;
            limits.velocity *= share(config.velocity_share);
            limits.acceleration *= share(config.acceleration_share);
            *axis = Axis::new(&limits, period);
        }
        let mut safety = Self {
            dof: robot.dof(),
            axes,
            period,
            tolerance: config.workspace_tolerance.max(0.0),
            robot,
        };
        let home = *safety.robot.home();
        safety.reset(&home);
        safety
    }

    /// Takes up `joints` (finite) as the command in force, at rest. For when the robot is known to
    /// stand elsewhere than it was commanded to: this is the one way to make a command jump.
    pub fn reset(&mut self, joints: &Joints) {
        for (axis, position) in self.used_mut().zip(joints) {
            axis.reset(*position);
        }
    }

    /// Takes over the commanded motion of another one of the same robot.
    pub(super) const fn mirror(&mut self, other: &Self) {
        self.axes = other.axes;
    }

    /// The command in force.
    pub fn joints(&self) -> Joints {
        self.read(Axis::position)
    }

    /// Whether the last command was a standstill.
    pub fn at_rest(&self) -> bool {
        self.axes.iter().all(Axis::at_rest)
    }

    /// The command nearest to `target` within the limits. If a number is not finite, as
    /// [`Safety::hold`].
    pub fn limit(&mut self, target: &Joints) -> Limited {
        self.follow(target, true)
    }

    fn follow(&mut self, target: &Joints, within_workspace: bool) -> Limited {
        if !target.iter().take(self.dof).all(|value| value.is_finite()) {
            let mut held = self.hold();
            held.kinds |= LimitKinds::NON_FINITE;
            return held;
        }
        let mut kinds = LimitKinds::NONE;
        let mut steps = [0.0; MAX_DOF];
        for ((step, axis), target) in steps.iter_mut().zip(&self.axes).zip(target).take(self.dof) {
            let (towards, limited) = axis.towards(*target);
            *step = towards;
            kinds |= limited;
        }
        let share = if within_workspace {
            self.share_in_workspace(&steps)
        } else {
            1.0
        };
        if share < 1.0 {
            kinds |= LimitKinds::WORKSPACE;
        }
        let arm = self.robot.arm_dof();
        for (index, (axis, step)) in self.axes.iter_mut().zip(steps).enumerate().take(self.dof) {
            // The gripper does not move the tool.
            let share = if index < arm { share } else { 1.0 };
            let braking = axis.braking();
            // What the workspace took away is given up, not made up for at the next tick.
            let target = target.get(index).copied().filter(|_| share == 1.0);
            axis.commit(braking + share * (step - braking), target);
        }
        self.command(kinds)
    }

    /// Comes to a stop as fast as the acceleration limits allow, and stays there.
    pub fn hold(&mut self) -> Limited {
        for axis in self.used_mut() {
            axis.commit(axis.braking(), None);
        }
        self.command(LimitKinds::NONE)
    }

    /// As [`Safety::limit`], at the share `speed` (0 to 1) of the velocity limits. From outside of
    /// the workspace every way is open: the shortest one back may lead further out at first.
    pub fn approach(&mut self, target: &Joints, speed: f64) -> Limited {
        let mut near = self.joints();
        for ((near, axis), target) in near.iter_mut().zip(&self.axes).zip(target).take(self.dof) {
            let most = axis.most() * speed.clamp(0.0, 1.0);
            *near += (target - *near).max(-most).min(most);
        }
        let inside = self.outside(&self.joints()) <= self.tolerance;
        self.follow(&near, inside)
    }

    /// The largest share of the way from braking to `steps` after which the tool is in the
    /// workspace and could still be stopped there.
    ///
    /// The stop point is what makes this lasting: the motion that brakes from an admitted step
    /// ends at the stop point that was looked at when the step was admitted.
    fn share_in_workspace(&self, steps: &Joints) -> f64 {
        let allowed = self
            .outside(&self.stop_point(|axis, _| axis.braking(), steps))
            .max(self.tolerance);
        SHARES
            .into_iter()
            .find(|share| {
                let part =
                    |axis: &Axis, step: f64| axis.braking() + share * (step - axis.braking());
                let mut next = self.joints();
                for ((next, axis), step) in
                    next.iter_mut().zip(&self.axes).zip(steps).take(self.dof)
                {
                    *next += part(axis, *step);
                }
                self.outside(&self.stop_point(part, steps)) <= allowed
                    && self.outside(&next) <= allowed.max(self.outside(&self.joints()))
            })
            .unwrap_or(0.0)
    }

    fn stop_point(&self, part: impl Fn(&Axis, f64) -> f64, steps: &Joints) -> Joints {
        let mut joints = [0.0; MAX_DOF];
        for ((joint, axis), step) in joints.iter_mut().zip(&self.axes).zip(steps).take(self.dof) {
            *joint = axis.stop_after(part(axis, *step));
        }
        joints
    }

    /// Metres by which the tool is outside of the workspace, along the axis where it is furthest.
    fn outside(&self, joints: &Joints) -> f64 {
        let Workspace { min, max, .. } = *self.robot.workspace();
        let tool = self.robot.forward(joints).position;
        (min - tool).max(tool - max).max_element().max(0.0)
    }

    fn command(&self, kinds: LimitKinds) -> Limited {
        Limited {
            joints: self.joints(),
            velocities: self.read(Axis::step).map(|step| step / self.period),
            kinds,
        }
    }

    fn read(&self, value: impl Fn(&Axis) -> f64) -> Joints {
        let mut joints = [0.0; MAX_DOF];
        for (joint, axis) in joints.iter_mut().zip(&self.axes).take(self.dof) {
            *joint = value(axis);
        }
        joints
    }

    fn used_mut(&mut self) -> impl Iterator<Item = &mut Axis> {
        self.axes.iter_mut().take(self.dof)
    }
}

#[cfg(test)]
mod tests;
