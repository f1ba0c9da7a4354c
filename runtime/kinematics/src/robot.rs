//! A robot: its geometry and its limits.

use std::path::Path;

use glam::{DQuat, DVec3};

use crate::description::Description;
use crate::{Jacobian, Joints, MAX_DOF, Pose, RobotError};

/// The description of the built-in robot, `assets/robots/tabletop_arm.toml`.
const TABLETOP: &str = include_str!("../../../assets/robots/tabletop_arm.toml");

/// Limits of one joint, or of the gripper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Lowest position (rad or m).
    pub lower: f64,
    /// Highest position (rad or m).
    pub upper: f64,
    /// Highest speed (rad/s or m/s).
    pub velocity: f64,
    /// Highest acceleration (rad/s² or m/s²).
    pub acceleration: f64,
}

/// The body that a joint moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Pose of the joint's frame in the frame before, at joint position zero. The joint turns
    /// about z.
    pub origin: Pose,
    /// Mass (kg).
    pub mass: f64,
    /// Radius of the link (m).
    pub radius: f64,
}

/// The region in which the tool may be asked to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workspace {
    /// Lowest corner (m).
    pub min: DVec3,
    /// Highest corner (m).
    pub max: DVec3,
    /// Largest angle between the tool's z axis and straight down (rad).
    pub tilt: f64,
}

/// An arm of up to seven revolute joints with a gripper on its end.
///
/// Joint vectors hold the arm's joints first, then the opening width of the gripper, then zeros.
#[derive(Clone, Debug)]
pub struct Robot {
    name: String,
    names: Vec<String>,
    links: Vec<Link>,
    limits: Vec<Limits>,
    tool: Pose,
    workspace: Workspace,
    home: Joints,
    gripper_force: f64,
}

impl Robot {
    /// The built-in robot of the tabletop world.
    ///
    /// # Errors
    /// Never with the description that this crate was built with; the result spares a panic.
    pub fn tabletop() -> Result<Self, RobotError> {
        Self::from_toml(TABLETOP, "tabletop_arm.toml")
    }

    /// The robot described by a TOML file.
    ///
    /// # Errors
    /// The file cannot be read, or [`Robot::from_toml`] refuses its text.
    pub fn load(file: &Path) -> Result<Self, RobotError> {
        let text = std::fs::read_to_string(file).map_err(|source| RobotError::Read {
            file: file.to_owned(),
            source,
        })?;
        Self::from_toml(&text, &file.display().to_string())
    }

    /// The robot described by `text`; errors call it `file`.
    ///
    /// # Errors
    /// The text is no TOML, has missing or unknown keys, or values that make no sense.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, RobotError> {
        let description = Description::parse(text, file)?;
        let gripper = &description.gripper;
        let mut home = [0.0; MAX_DOF];
        let values = description
            .home
            .joints
            .iter()
            .chain([&description.home.gripper]);
        for (slot, value) in home.iter_mut().zip(values) {
            *slot = *value;
        }
        let joints = description.joint.iter();
        let mut names: Vec<String> = joints.clone().map(|joint| joint.name.clone()).collect();
        names.push(gripper.name.clone());
        let mut limits: Vec<Limits> = joints
            .clone()
            .map(|joint| Limits {
                lower: joint.position[0],
                upper: joint.position[1],
                velocity: joint.velocity,
                acceleration: joint.acceleration,
            })
            .collect();
        limits.push(Limits {
            lower: gripper.position[0],
            upper: gripper.position[1],
            velocity: gripper.velocity,
            acceleration: gripper.acceleration,
        });
        let links = joints
            .map(|joint| Link {
                origin: Pose::from_xyz_rpy(joint.xyz, joint.rpy),
                mass: joint.mass,
                radius: joint.radius,
            })
            .collect();
        Ok(Self {
            name: description.name,
            names,
            links,
            limits,
            tool: Pose::from_xyz_rpy(description.tool.xyz, description.tool.rpy),
            workspace: Workspace {
                min: DVec3::from_array(description.workspace.min),
                max: DVec3::from_array(description.workspace.max),
                tilt: description.workspace.tilt,
            },
            home,
            gripper_force: gripper.force,
        })
    }

    /// Name of the robot.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Names of the joints, the gripper last.
    pub fn names(&self) -> &[String] {
        &self.names
    }
    /// Number of joints of the arm: the gripper's index in a joint vector.
    pub fn arm_dof(&self) -> usize {
        self.links.len()
    }
    /// Number of joints with the gripper.
    pub fn dof(&self) -> usize {
        self.limits.len()
    }
    /// Limits, one per joint, the gripper last.
    pub fn limits(&self) -> &[Limits] {
        &self.limits
    }
    /// The bodies that the arm's joints move, from the base.
    pub fn links(&self) -> &[Link] {
        &self.links
    }
    /// Pose of the tool centre point in the frame of the last joint.
    pub fn tool(&self) -> &Pose {
        &self.tool
    }
    /// Where the tool may be asked to be.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }
    /// The posture at rest.
    pub fn home(&self) -> &Joints {
        &self.home
    }
    /// Largest force of the gripper (N).
    pub fn gripper_force(&self) -> f64 {
        self.gripper_force
    }
    /// Width of the open gripper (m).
    pub fn gripper_open(&self) -> f64 {
        self.limits.last().map_or(0.0, |limits| limits.upper)
    }
    /// Width of the closed gripper (m).
    pub fn gripper_closed(&self) -> f64 {
        self.limits.last().map_or(0.0, |limits| limits.lower)
    }

    /// Poses of the joints' frames in the base frame, after their rotation; unused entries are the
    /// identity.
    pub fn frames(&self, joints: &Joints) -> [Pose; MAX_DOF] {
        let mut frames = [Pose::IDENTITY; MAX_DOF];
        let mut frame = Pose::IDENTITY;
        for ((slot, link), angle) in frames.iter_mut().zip(&self.links).zip(joints) {
            frame = frame.compose(&link.origin);
            frame.orientation *= DQuat::from_rotation_z(*angle);
            *slot = frame;
        }
        frames
    }

    /// Pose of the tool centre point in the base frame. Does not allocate.
    pub fn forward(&self, joints: &Joints) -> Pose {
        let frames = self.frames(joints);
        self.end(&frames).compose(&self.tool)
    }

    /// Pose of the tool and its [`Jacobian`] in the base frame. Does not allocate.
    pub fn jacobian(&self, joints: &Joints) -> (Pose, Jacobian) {
        let frames = self.frames(joints);
        let tool = self.end(&frames).compose(&self.tool);
        let mut columns = [[0.0; 6]; MAX_DOF - 1];
        for ((column, frame), _) in columns.iter_mut().zip(&frames).zip(&self.links) {
            let axis = frame.orientation * DVec3::Z;
            let speed = axis.cross(tool.position - frame.position);
            *column = [speed.x, speed.y, speed.z, axis.x, axis.y, axis.z];
        }
        (tool, Jacobian { columns })
    }

    /// `joints` with every entry brought within its limits.
    #[must_use]
    pub fn clamp(&self, joints: &Joints) -> Joints {
        let mut clamped = [0.0; MAX_DOF];
        for ((slot, value), limits) in clamped.iter_mut().zip(joints).zip(&self.limits) {
            *slot = value.max(limits.lower).min(limits.upper);
        }
        clamped
    }

    fn end(&self, frames: &[Pose; MAX_DOF]) -> Pose {
        let last = self.links.len().saturating_sub(1);
        frames.get(last).copied().unwrap_or(Pose::IDENTITY)
    }
}
