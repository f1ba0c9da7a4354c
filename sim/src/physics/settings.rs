//! The numbers behind the physics.

use rapier3d::dynamics::{FrictionModel, IntegrationParameters, SpringCoefficients};
use rapier3d::geometry::{Group, InteractionGroups, InteractionTestMode};

/// Physics steps per control tick.
pub const SUBSTEPS: u32 = 25;
/// Length of a control tick in nanoseconds.
pub const CONTROL_PERIOD_NANOS: i64 = 50_000_000;
/// Length of a physics step (s).
pub(crate) const STEP: f32 = 1.0 / 500.0;

/// What may differ from episode to episode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PhysicsSettings {
    /// Factor on the stiffness and damping of the arm's motors.
    pub motor_gain: f32,
    /// Largest force of each finger (N).
    pub grip_force: f32,
    /// Coulomb friction coefficient of things that can be moved.
    pub friction: f32,
    /// Factor on the mass of things that can be moved.
    pub mass: f32,
}

impl PhysicsSettings {
    /// As the robot and the objects are built.
    pub(crate) fn nominal(grip_force: f32) -> Self {
        Self {
            motor_gain: 1.0,
            grip_force,
            friction: 0.8,
            mass: 1.0,
        }
    }
}

/// Parameters under which a squeezed block stays where it is held.
///
/// rapier's defaults are made for games: contacts soft enough to let fingers sink 2 cm into a
/// block, and contact points kept over small motions, which lets a held block creep and turn.
pub(crate) fn integration_parameters() -> IntegrationParameters {
    let stiff = SpringCoefficients::new(240.0, 2.0);
    IntegrationParameters {
        dt: STEP,
        num_solver_iterations: 1,
        friction_model: FrictionModel::Coulomb,
        length_unit: 0.1,
        contact_softness: stiff,
        static_contact_softness: stiff,
        contact_recycling: false,
        ..IntegrationParameters::default()
    }
}

const ROBOT: Group = Group::GROUP_1;
const THINGS: Group = Group::GROUP_2;

/// The robot touches things but not itself.
pub(crate) fn robot_groups() -> InteractionGroups {
    InteractionGroups::new(ROBOT, THINGS, InteractionTestMode::And)
}

/// Things touch each other and the robot.
pub(crate) fn thing_groups() -> InteractionGroups {
    InteractionGroups::new(THINGS, ROBOT.union(THINGS), InteractionTestMode::And)
}
