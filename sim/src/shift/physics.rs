//! Knobs that change the physics and the way of commands.

use rand::Rng;

use super::{Knob, Shift};
use crate::physics::PhysicsSettings;
use crate::random::chance;

/// The physics knobs of one episode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PhysicsShift {
    /// Settings of the world.
    pub settings: PhysicsSettings,
    /// Ticks by which commands are late.
    pub action_latency: usize,
    /// Probability that a command is lost.
    pub dropped: f64,
}

impl PhysicsShift {
    /// Draws the strengths. The same number of values is drawn at every level.
    pub(crate) fn draw<R: Rng + ?Sized>(shift: &Shift, grip_force: f32, rng: &mut R) -> Self {
        let mut settings = PhysicsSettings::nominal(grip_force);
        let mut pick = |knob, choices: [[f32; 2]; 3]| {
            let up = chance(rng, 0.5);
            let level = usize::from(shift.level(knob));
            level
                .checked_sub(1)
                .and_then(|index| choices.get(index))
                .map(|pair| pair[usize::from(up)])
        };
        if let Some(mass) = pick(Knob::Mass, [[0.5, 1.5], [2.5, 2.5], [4.0, 4.0]]) {
            settings.mass = mass;
        }
        if let Some(friction) = pick(Knob::Friction, [[0.5, 1.2], [0.25, 0.25], [0.1, 0.1]]) {
            settings.friction = friction;
        }
        if let Some(gain) = pick(Knob::MotorGain, [[0.7, 1.5], [0.5, 2.0], [0.3, 3.0]]) {
            settings.motor_gain = gain;
        }
        if let Some(share) = pick(Knob::GripForce, [[0.5, 2.0], [0.3, 0.3], [0.15, 0.15]]) {
            settings.grip_force *= share;
        }
        let by_level = |knob, values: [f64; 4]| values[usize::from(shift.level(knob)).min(3)];
        Self {
            settings,
            action_latency: by_level(Knob::ActionLatency, [0.0, 1.0, 2.0, 4.0]) as usize,
            dropped: by_level(Knob::DroppedCommands, [0.0, 0.05, 0.15, 0.3]),
        }
    }
}
