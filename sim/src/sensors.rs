//! Joint encoders and their errors.

use cerebellum_kinematics::{Joints, MAX_DOF, Robot};
use cerebellum_messages::{JointState, Stamp};
use rand_chacha::ChaCha8Rng;

use crate::physics::ArmState;
use crate::random::{between, normal};
use crate::{Knob, Shift};

/// The encoders of an episode.
pub(crate) struct Encoders {
    noise: [f64; 2],
    bias: Joints,
    arm_dof: usize,
    names: Vec<String>,
    rng: ChaCha8Rng,
}

impl Encoders {
    /// Encoders under a shift.
    pub(crate) fn new(robot: &Robot, shift: &Shift, mut rng: ChaCha8Rng) -> Self {
        let level = |knob| usize::from(shift.level(knob)).min(3);
        // For angles [rad] and for the gripper's width [m].
        let noise = [
            [0.0, 0.5e-3, 2e-3, 5e-3][level(Knob::EncoderNoise)],
            [0.0, 0.1e-3, 0.3e-3, 1e-3][level(Knob::EncoderNoise)],
        ];
        let most = [
            [0.0, 5e-3, 10e-3, 20e-3][level(Knob::EncoderBias)],
            [0.0, 0.3e-3, 0.6e-3, 1.2e-3][level(Knob::EncoderBias)],
        ];
        let arm_dof = robot.arm_dof();
        let mut bias = [0.0; MAX_DOF];
        for (index, value) in bias.iter_mut().enumerate() {
            *value = between(&mut rng, -1.0, 1.0) * most[usize::from(index >= arm_dof)];
        }
        Self {
            noise,
            bias,
            arm_dof,
            names: robot.names().to_vec(),
            rng,
        }
    }

    /// Reads the joints. Call once per tick: noise is new in each reading.
    pub(crate) fn read(&mut self, arm: &ArmState) -> Joints {
        let mut position = arm.position;
        for (index, value) in position.iter_mut().enumerate().take(self.names.len()) {
            let kind = usize::from(index >= self.arm_dof);
            let error = if self.noise[kind] > 0.0 {
                self.noise[kind] * normal(&mut self.rng)
            } else {
                0.0
            };
            *value += self.bias[index] + error;
        }
        position
    }

    /// A message with a reading.
    pub(crate) fn message(&self, position: &Joints, arm: &ArmState, stamp: Stamp) -> JointState {
        let count = self.names.len();
        JointState {
            stamp,
            names: self.names.clone(),
            position: position.iter().take(count).copied().collect(),
            velocity: arm.velocity.iter().take(count).copied().collect(),
            effort: Vec::new(),
        }
    }
}
