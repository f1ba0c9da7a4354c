//! Inverse kinematics by damped least squares, with the redundant motion drawn to a posture.

use crate::jacobian::{ARM, Cholesky};
use crate::{Jacobian, Joints, Pose, Robot};

/// How hard to look for joints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InverseConfig {
    /// Most iterations.
    pub iterations: usize,
    /// Damping at a distance of one metre or radian; it shrinks with the square root of the
    /// distance. Larger is slower but calmer near singular postures.
    pub damping: f64,
    /// Share of the way to the rest posture that the redundant motion takes per iteration, 0 to 1.
    pub posture_gain: f64,
    /// Largest change of any joint per iteration (rad).
    pub step: f64,
    /// Position error that counts as reached (m).
    pub position_tolerance: f64,
    /// Orientation error that counts as reached (rad).
    pub rotation_tolerance: f64,
}

impl InverseConfig {
    /// For a target near the start, once per control tick.
    pub const SERVO: Self = Self {
        iterations: 24,
        damping: 0.02,
        posture_gain: 0.5,
        step: 0.25,
        position_tolerance: 2e-4,
        rotation_tolerance: 1e-3,
    };
    /// For a target anywhere.
    pub const FAR: Self = Self {
        iterations: 300,
        damping: 0.05,
        ..Self::SERVO
    };
}

/// Iterations without progress after which a search is given up.
const STALLED: u32 = 4;

/// What the search found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Solution {
    /// Joints within their limits; the gripper as in the start.
    pub joints: Joints,
    /// Distance left to the target (m).
    pub position_error: f64,
    /// Angle left to the target (rad).
    pub rotation_error: f64,
    /// Whether both errors are within tolerance.
    pub reached: bool,
}

impl Robot {
    /// Joints that bring the tool to `target`, searched from `start`.
    ///
    /// Each iteration solves `dq = Jᵀ (J Jᵀ + λ² I)⁻¹ (e - J n) + n`, where `e` is what is left to
    /// the target and `n` points to the home posture: the second part moves the redundant joint
    /// only, so that a pose leads to one posture whatever the way there. Does not allocate.
    pub fn inverse(&self, target: &Pose, start: &Joints, config: &InverseConfig) -> Solution {
        let mut joints = self.clamp(start);
        let mut solution = self.judge(target, &joints, config);
        let mut stalled = 0;
        for _ in 0..config.iterations {
            let (tool, jacobian) = self.jacobian(&joints);
            let (translation, rotation) = tool.difference(target);
            let mut wanted = [0.0; 6];
            wanted[..3].copy_from_slice(&translation.to_array());
            wanted[3..].copy_from_slice(&rotation.to_array());

            let mut posture = [0.0; ARM];
            // Full damping far away, almost none at the target, so that it leaves no error there.
            let far = (translation.length() + rotation.length()).min(1.0);
            let damping = config.damping * far.sqrt() + 1e-5;
            for ((pull, home), now) in posture
                .iter_mut()
                .zip(self.home())
                .zip(&joints)
                .take(self.arm_dof())
            {
                *pull = config.posture_gain * (home - now);
            }
            let change = self.step(&joints, &jacobian, &wanted, &posture, damping);
            let largest = change
                .iter()
                .fold(0.0_f64, |most, value| most.max(value.abs()));
            let scale = if largest > config.step {
                config.step / largest
            } else {
                1.0
            };
            for (joint, delta) in joints.iter_mut().zip(change) {
                *joint += scale * delta;
            }
            joints = self.clamp(&joints);
            let before = solution.position_error + solution.rotation_error;
            solution = self.judge(target, &joints, config);
            // Settled: the target is met and the posture no longer changes.
            if solution.reached && largest < 1e-4 {
                break;
            }
            // Stuck: the target is out of reach, and more of the same will not help.
            let after = solution.position_error + solution.rotation_error;
            stalled = if after > 0.98 * before {
                stalled + 1
            } else {
                0
            };
            if !solution.reached && stalled >= STALLED {
                break;
            }
        }
        solution
    }

    /// One step of damped least squares. Joints that would leave their limits stop there, and the
    /// others make up for it.
    fn step(
        &self,
        joints: &Joints,
        jacobian: &Jacobian,
        wanted: &[f64; 6],
        posture: &[f64; ARM],
        damping: f64,
    ) -> [f64; ARM] {
        let mut free = *jacobian;
        let mut left = *wanted;
        let mut stopped = [None; ARM];
        let mut change = [0.0; ARM];
        for _ in 0..=self.arm_dof() {
            let mut ask = left;
            for (value, spent) in ask.iter_mut().zip(free.apply(posture)) {
                *value -= spent;
            }
            let weights = Cholesky::new(&free.damped_square(damping)).solve(&ask);
            change = free.apply_transposed(&weights);
            let mut changed = false;
            for (index, limits) in self.limits().iter().take(self.arm_dof()).enumerate() {
                if let Some(fixed) = stopped[index] {
                    change[index] = fixed;
                    continue;
                }
                change[index] += posture[index];
                let next = joints[index] + change[index];
                let bounded = next.max(limits.lower).min(limits.upper);
                if bounded != next {
                    let fixed = bounded - joints[index];
                    for (value, speed) in left.iter_mut().zip(jacobian.columns[index]) {
                        *value -= speed * fixed;
                    }
                    free.columns[index] = [0.0; 6];
                    stopped[index] = Some(fixed);
                    change[index] = fixed;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        change
    }

    fn judge(&self, target: &Pose, joints: &Joints, config: &InverseConfig) -> Solution {
        let (translation, rotation) = self.forward(joints).difference(target);
        let position_error = translation.length();
        let rotation_error = rotation.length();
        Solution {
            joints: *joints,
            position_error,
            rotation_error,
            reached: position_error <= config.position_tolerance
                && rotation_error <= config.rotation_tolerance,
        }
    }
}
