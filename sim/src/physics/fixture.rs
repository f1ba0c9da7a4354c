//! Furniture with one moving part: drawers, buttons, levers.

use rapier3d::dynamics::{
    GenericJointBuilder, JointAxesMask, JointAxis, MotorModel, MultibodyJointHandle,
    RigidBodyHandle,
};
use rapier3d::math::{Pose as Transform, Rotation, Vector};

use super::World;
use crate::SimError;

/// How the moving part moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Motion {
    /// Along the axis (m).
    Slide,
    /// About the axis (rad).
    Turn,
}

/// What holds the moving part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slider {
    pub motion: Motion,
    /// Direction of the axis in the frame of the fixed part.
    pub axis: Vector,
    /// Where the moving part's frame is in the fixed part's frame, at coordinate zero.
    pub origin: Vector,
    /// Range of the coordinate (m or rad).
    pub limits: [f32; 2],
    /// Coordinate at the start.
    pub start: f32,
    /// Viscous damping (N s/m or N m s/rad).
    pub damping: f32,
    /// Dry friction (N or N m).
    pub friction: f32,
    /// Spring to coordinate zero (N/m or N m/rad); zero for none.
    pub spring: f32,
}

impl World {
    /// Joins `moving` to `fixed`; both must have been added, and `fixed` must not move.
    ///
    /// # Errors
    /// The engine refuses the joint.
    pub(crate) fn join(
        &mut self,
        fixed: RigidBodyHandle,
        moving: RigidBodyHandle,
        slider: &Slider,
    ) -> Result<MultibodyJointHandle, SimError> {
        let turn = Rotation::from_rotation_arc(Vector::X, slider.axis.normalize_or(Vector::X));
        let (axis, locked) = match slider.motion {
            Motion::Slide => (JointAxis::LinX, JointAxesMask::LOCKED_PRISMATIC_AXES),
            Motion::Turn => (JointAxis::AngX, JointAxesMask::LOCKED_REVOLUTE_AXES),
        };
        let mut joint = GenericJointBuilder::new(locked)
            .local_frame1(Transform::from_parts(slider.origin, turn))
            .local_frame2(Transform::from_rotation(turn))
            .limits(axis, slider.limits)
            .contacts_enabled(false);
        if slider.spring > 0.0 {
            joint = joint.motor_model(axis, MotorModel::ForceBased).set_motor(
                axis,
                0.0,
                0.0,
                slider.spring,
                slider.damping,
            );
        }
        let physics = &mut self.physics;
        let handle = physics
            .multibody_joints
            .insert(fixed, moving, joint.build(), true)
            .ok_or_else(|| SimError::Joint("fixture".to_owned()))?;
        if let Some((multibody, link)) = physics.multibody_joints.get_mut(handle) {
            let dof = multibody.link(link).map_or(0, |link| link.assembly_id());
            if let Some(value) = multibody.damping_mut().get_mut(dof) {
                *value = slider.damping;
            }
            if let Some(value) = multibody.frictions_mut().get_mut(dof) {
                *value = slider.friction;
            }
            let mut displacement = vec![0.0; multibody.ndofs()];
            if let Some(value) = displacement.get_mut(dof) {
                *value = slider.start;
            }
            multibody.apply_displacements(&displacement);
            multibody.forward_kinematics(&physics.bodies, true);
            multibody.update_rigid_bodies(&mut physics.bodies, true);
        }
        Ok(handle)
    }

    /// Coordinate of a joint made by [`World::join`] (m or rad).
    pub(crate) fn coordinate(&self, joint: MultibodyJointHandle) -> f64 {
        let found = self.physics.multibody_joints.get(joint);
        let link = found.and_then(|(multibody, link)| multibody.link(link));
        link.map_or(0.0, |link| {
            // One of the six is free; the others stay zero.
            let coordinates = link.joint().coords();
            coordinates.iter().map(|value| f64::from(*value)).sum()
        })
    }
}
