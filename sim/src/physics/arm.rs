//! The arm and its gripper as a multibody with position motors.

use cerebellum_kinematics::{Joints, MAX_DOF, Pose, Robot};
use rapier3d::dynamics::{
    GenericJointBuilder, JointAxesMask, JointAxis, MassProperties, MotorModel,
    MultibodyDofCoupling, MultibodyJointHandle, RigidBodyBuilder, RigidBodyHandle,
};
use rapier3d::math::{Pose as Transform, Rotation, Vector};
use rapier3d::pipeline::PhysicsWorld;

use super::part::{Drawn, Part, transform};
use super::settings::{PhysicsSettings, STEP, SUBSTEPS, robot_groups};
use crate::SimError;
use crate::render::Material;

/// Stiffness of the arm's motors (N m/rad), from the base to the wrist.
const STIFFNESS: [f32; 7] = [4500.0, 4500.0, 3500.0, 3500.0, 2000.0, 2000.0, 2000.0];
/// Damping of the arm's motors (N m s/rad).
const DAMPING: [f32; 7] = [450.0, 450.0, 350.0, 350.0, 200.0, 200.0, 200.0];
/// Largest torque of the arm's motors (N m).
const TORQUE: [f32; 7] = [87.0, 87.0, 87.0, 87.0, 40.0, 40.0, 40.0];
/// Inertia of the rotors as the joints feel it (kg m²).
const ARMATURE: f32 = 0.1;
const FINGER_STIFFNESS: f32 = 2000.0;
const FINGER_DAMPING: f32 = 60.0;
const FINGER_ARMATURE: f32 = 0.1;
const FINGER_MASS: f32 = 0.05;
/// Coulomb friction coefficient of the pads.
const PAD_FRICTION: f32 = 1.0;

/// Half extents of a finger: across the closing direction, along it, and along the tool (m).
pub(crate) const FINGER_HALF: [f32; 3] = [0.010, 0.006, 0.028];
/// How far the finger tips reach beyond the tool centre point (m).
pub(crate) const FINGER_TIP: f32 = 0.006;
/// Half extents of the palm and its distance behind the tool centre point (m).
const PALM_HALF: [f32; 3] = [0.025, 0.055, 0.02];
const PALM_BEHIND: f32 = 0.07;
/// How far behind the tool centre point the axis of the last link ends (m).
const WRIST_BEHIND: f32 = 0.125;

const WHITE: Material = Material::plain([0.78, 0.80, 0.82]);
const DARK: Material = Material::plain([0.05, 0.05, 0.06]);
const ACCENT: Material = Material::plain([0.45, 0.50, 0.55]);

/// Measured joints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ArmState {
    /// Positions (rad), the gripper's width (m) after the arm's joints.
    pub position: Joints,
    /// Velocities, in the same order.
    pub velocity: Joints,
}

/// Handles of the arm in the physics.
pub(crate) struct Arm {
    joints: Vec<MultibodyJointHandle>,
    fingers: [MultibodyJointHandle; 2],
    hand: RigidBodyHandle,
    tool: Transform,
    gain: f32,
    targets: Joints,
}

impl Arm {
    /// Builds the arm at rest in posture `home`.
    ///
    /// # Errors
    /// The engine refuses a joint.
    pub(crate) fn build(
        robot: &Robot,
        home: &Joints,
        settings: &PhysicsSettings,
        physics: &mut PhysicsWorld,
        drawn: &mut Vec<Drawn>,
    ) -> Result<Self, SimError> {
        let tool = transform(robot.tool());
        let base = physics.insert_body(RigidBodyBuilder::fixed());
        let first = robot
            .links()
            .first()
            .map_or(Vector::ZERO, |link| transform(&link.origin).translation);
        let foot = Part::cylinder(0.02, 0.11, DARK).at(Vector::new(0.0, 0.0, 0.02));
        let column = Part::link(Vector::new(0.0, 0.0, 0.04), first, 0.065, WHITE);
        drawn.extend([foot, column].map(|part| Drawn { body: base, part }));

        // A revolute joint of the engine turns about x; ours turn about z.
        let x_to_z =
            Transform::from_rotation(Rotation::from_rotation_y(-core::f32::consts::FRAC_PI_2));
        let mut joints = Vec::with_capacity(robot.arm_dof());
        let mut parent = base;
        for (index, (link, limits)) in robot.links().iter().zip(robot.limits()).enumerate() {
            let next = robot.links().get(index + 1);
            let end = next.map_or(
                tool.transform_point(Vector::new(0.0, 0.0, -WRIST_BEHIND)),
                |next| transform(&next.origin).translation,
            );
            let radius = link.radius as f32;
            let mass = link.mass as f32;
            let body = physics.insert_body(
                RigidBodyBuilder::dynamic()
                    .gravity_scale(0.0)
                    .can_sleep(false)
                    .additional_mass_properties(rod(mass, end, radius)),
            );
            let material = if index % 2 == 0 { ACCENT } else { WHITE };
            let part = Part::link(Vector::ZERO, end, radius, material);
            drawn.push(Drawn { body, part });
            if let Some(collider) = part.collider() {
                physics.insert_collider(collider.collision_groups(robot_groups()), Some(body));
            }
            let index = index.min(STIFFNESS.len() - 1);
            let joint = GenericJointBuilder::new(JointAxesMask::LOCKED_REVOLUTE_AXES)
                .local_frame1(transform(&link.origin) * x_to_z)
                .local_frame2(x_to_z)
                .limits(JointAxis::AngX, [limits.lower as f32, limits.upper as f32])
                .motor_model(JointAxis::AngX, MotorModel::ForceBased)
                .motor_max_force(JointAxis::AngX, TORQUE[index]);
            let name = || robot.names().get(index).cloned().unwrap_or_default();
            let handle = physics
                .insert_multibody_joint(parent, body, joint.build())
                .ok_or_else(|| SimError::Joint(name()))?;
            joints.push(handle);
            parent = body;
        }
        let hand = parent;
        let palm = Part::cuboid(PALM_HALF, DARK).at(Vector::new(0.0, 0.0, -PALM_BEHIND));
        let palm = Part {
            local: tool * palm.local,
            ..palm
        };
        drawn.push(Drawn {
            body: hand,
            part: palm,
        });
        if let Some(collider) = palm.collider() {
            physics.insert_collider(collider.collision_groups(robot_groups()), Some(hand));
        }
        let opening = robot.gripper_open() as f32;
        let left = finger(1.0, tool, opening, settings, hand, physics, drawn)?;
        let right = finger(-1.0, tool, opening, settings, hand, physics, drawn)?;
        let mut arm = Self {
            joints,
            fingers: [left, right],
            hand,
            tool,
            gain: settings.motor_gain,
            targets: [0.0; MAX_DOF],
        };
        arm.settle(home, physics);
        Ok(arm)
    }

    /// Couples the fingers, sets the rotors' inertia and puts the joints at `home`.
    fn settle(&mut self, home: &Joints, physics: &mut PhysicsWorld) {
        let width = home.get(self.joints.len()).copied().unwrap_or_default();
        let half = 0.5 * width as f32;
        let Some((multibody, _)) = physics.multibody_joints.get(self.fingers[0]) else {
            return;
        };
        let mut start = vec![0.0; multibody.ndofs()];
        let mut armature = vec![ARMATURE; multibody.ndofs()];
        let mut place = |handle: MultibodyJointHandle, value: f32, inertia: f32| {
            let (multibody, link) = physics.multibody_joints.get(handle)?;
            let dof = multibody.link(link)?.assembly_id();
            *start.get_mut(dof)? = value;
            *armature.get_mut(dof)? = inertia;
            Some(link)
        };
        for (handle, angle) in self.joints.iter().zip(home) {
            place(*handle, *angle as f32, ARMATURE);
        }
        let links = self
            .fingers
            .map(|handle| place(handle, half, FINGER_ARMATURE));
        if let Some((multibody, _)) = physics.multibody_joints.get_mut(self.fingers[0]) {
            for (slot, value) in multibody.armature_mut().iter_mut().zip(&armature) {
                *slot = *value;
            }
            if let [Some(link1), Some(link2)] = links {
                multibody.add_dof_coupling(MultibodyDofCoupling {
                    link1,
                    dof1: 0,
                    axis1: 0,
                    link2,
                    dof2: 0,
                    axis2: 0,
                    coeff: 1.0,
                    offset: 0.0,
                });
            }
            multibody.apply_displacements(&start);
            multibody.forward_kinematics(&physics.bodies, true);
            multibody.update_rigid_bodies(&mut physics.bodies, true);
        }
        self.targets = *home;
    }

    /// The joints that are commanded (rad, m).
    pub(crate) fn targets(&self) -> &Joints {
        &self.targets
    }

    /// Moves the motors' set points from the last targets towards `next`: substep `index` of
    /// [`SUBSTEPS`]. With the last substep `next` becomes the targets.
    pub(crate) fn drive(&mut self, next: &Joints, index: u32, physics: &mut PhysicsWorld) {
        let share = f64::from(index + 1) / f64::from(SUBSTEPS);
        let duration = f64::from(SUBSTEPS) * f64::from(STEP);
        let set_point = |joint: usize| {
            let (from, to) = (
                self.targets.get(joint).copied().unwrap_or_default(),
                next.get(joint).copied().unwrap_or_default(),
            );
            let position = from + share * (to - from);
            (position as f32, ((to - from) / duration) as f32)
        };
        for (joint, handle) in self.joints.iter().enumerate() {
            let gains = joint.min(STIFFNESS.len() - 1);
            let (position, velocity) = set_point(joint);
            motor(
                physics,
                *handle,
                JointAxis::AngX,
                [
                    position,
                    velocity,
                    self.gain * STIFFNESS[gains],
                    self.gain * DAMPING[gains],
                ],
            );
        }
        let (width, speed) = set_point(self.joints.len());
        for handle in self.fingers {
            motor(
                physics,
                handle,
                JointAxis::LinX,
                [0.5 * width, 0.5 * speed, FINGER_STIFFNESS, FINGER_DAMPING],
            );
        }
        if index + 1 >= SUBSTEPS {
            self.targets = *next;
        }
    }

    /// What ideal encoders would read.
    pub(crate) fn measure(&self, physics: &PhysicsWorld) -> ArmState {
        let mut state = ArmState {
            position: [0.0; MAX_DOF],
            velocity: [0.0; MAX_DOF],
        };
        let slots = state.position.iter_mut().zip(state.velocity.iter_mut());
        let mut handles = self.joints.iter();
        let [left, right] = self.fingers;
        for (position, velocity) in slots.take(self.joints.len() + 1) {
            (*position, *velocity) = match handles.next() {
                Some(handle) => read(physics, *handle),
                None => {
                    let (a, b) = (read(physics, left), read(physics, right));
                    (a.0 + b.0, a.1 + b.1)
                }
            };
        }
        state
    }

    /// Pose of the tool centre point in the world.
    pub(crate) fn tool(&self, physics: &PhysicsWorld) -> Pose {
        let hand = physics.bodies.get(self.hand);
        let hand = hand.map_or(Transform::IDENTITY, |body| *body.position());
        super::part::pose(&(hand * self.tool))
    }
}

fn finger(
    side: f32,
    tool: Transform,
    opening: f32,
    settings: &PhysicsSettings,
    hand: RigidBodyHandle,
    physics: &mut PhysicsWorld,
    drawn: &mut Vec<Drawn>,
) -> Result<MultibodyJointHandle, SimError> {
    let inertia = Vector::splat(2e-5);
    let centre = Vector::new(0.0, side * FINGER_HALF[1], FINGER_TIP - FINGER_HALF[2]);
    let body = physics.insert_body(
        RigidBodyBuilder::dynamic()
            .gravity_scale(0.0)
            .can_sleep(false)
            .additional_mass_properties(MassProperties::new(centre, FINGER_MASS, inertia)),
    );
    let part = Part::cuboid(FINGER_HALF, DARK).at(centre);
    drawn.push(Drawn { body, part });
    if let Some(collider) = part.collider() {
        let collider = collider
            .friction(PAD_FRICTION)
            .collision_groups(robot_groups());
        physics.insert_collider(collider, Some(body));
    }
    let outwards = Transform::from_rotation(Rotation::from_rotation_z(
        side * core::f32::consts::FRAC_PI_2,
    ));
    let joint = GenericJointBuilder::new(JointAxesMask::LOCKED_PRISMATIC_AXES)
        .local_frame1(tool * outwards)
        .local_frame2(outwards)
        .limits(JointAxis::LinX, [0.0, 0.5 * opening])
        .motor_model(JointAxis::LinX, MotorModel::ForceBased)
        .motor_max_force(JointAxis::LinX, settings.grip_force);
    physics
        .insert_multibody_joint(hand, body, joint.build())
        .ok_or_else(|| SimError::Joint("finger".to_owned()))
}

/// Mass properties of a rod from the origin to `end`.
fn rod(mass: f32, end: Vector, radius: f32) -> MassProperties {
    let across = 0.4 * mass * radius * radius;
    let along = across + mass * end.length_squared() / 12.0;
    MassProperties::new(0.5 * end, mass, Vector::splat(along))
}

fn motor(physics: &mut PhysicsWorld, handle: MultibodyJointHandle, axis: JointAxis, set: [f32; 4]) {
    if let Some((multibody, link)) = physics.multibody_joints.get_mut(handle)
        && let Some(link) = multibody.link_mut(link)
    {
        let [position, velocity, stiffness, damping] = set;
        link.joint
            .data
            .set_motor(axis, position, velocity, stiffness, damping);
    }
}

fn read(physics: &PhysicsWorld, handle: MultibodyJointHandle) -> (f64, f64) {
    let found = physics.multibody_joints.get(handle);
    let Some((multibody, link)) = found.and_then(|(m, id)| Some((m, m.link(id)?))) else {
        return (0.0, 0.0);
    };
    let position: f32 = link.joint().coords().iter().sum();
    let velocity = multibody.generalized_velocity();
    let velocity = velocity
        .get(link.assembly_id())
        .copied()
        .unwrap_or_default();
    (f64::from(position), f64::from(velocity))
}
