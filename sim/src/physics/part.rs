//! Primitives that bodies are made of: one description for the collision shape and for the picture.

use cerebellum_kinematics::Pose;
use rapier3d::dynamics::RigidBodyHandle;
use rapier3d::geometry::ColliderBuilder;
use rapier3d::math::{Pose as Transform, Rotation, Vector};

use crate::render::{Geometry, Material};

/// One primitive of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Its shape.
    pub geometry: Geometry,
    /// Its pose in the frame of the body.
    pub local: Transform,
    /// Its looks.
    pub material: Material,
    /// Whether things collide with it; if not it is only seen.
    pub solid: bool,
    /// Whether it is seen; if not it is only felt.
    pub visible: bool,
}

impl Part {
    /// A primitive in the middle of the body.
    pub(crate) fn new(geometry: Geometry, material: Material) -> Self {
        Self {
            geometry,
            local: Transform::IDENTITY,
            material,
            solid: true,
            visible: true,
        }
    }

    /// A box with half extents `half` (m).
    pub(crate) fn cuboid(half: [f32; 3], material: Material) -> Self {
        Self::new(
            Geometry::Cuboid {
                half: Vector::from_array(half),
            },
            material,
        )
    }

    /// An upright cylinder.
    pub(crate) fn cylinder(half_height: f32, radius: f32, material: Material) -> Self {
        Self::new(
            Geometry::Cylinder {
                half_height,
                radius,
            },
            material,
        )
    }

    /// A capsule between two points of the body; a ball if they are one.
    pub(crate) fn link(from: Vector, to: Vector, radius: f32, material: Material) -> Self {
        let along = to - from;
        let length = along.length();
        if length < 1e-4 {
            return Self::new(Geometry::Ball { radius }, material).at(from);
        }
        let geometry = Geometry::Capsule {
            half_height: 0.5 * length,
            radius,
        };
        let mut part = Self::new(geometry, material).at(0.5 * (from + to));
        part.local.rotation = Rotation::from_rotation_arc(Vector::Z, along / length);
        part
    }

    /// The part moved to `position` in the frame of the body (m).
    #[must_use]
    pub(crate) fn at(mut self, position: Vector) -> Self {
        self.local.translation = position;
        self
    }

    /// The part seen but not felt.
    #[must_use]
    pub(crate) fn painted(mut self) -> Self {
        self.solid = false;
        self
    }

    /// The collision shape, without mass. `None` for what has none.
    pub(crate) fn collider(&self) -> Option<ColliderBuilder> {
        if !self.solid {
            return None;
        }
        let mut local = self.local;
        let builder = match self.geometry {
            Geometry::Cuboid { half } => ColliderBuilder::cuboid(half.x, half.y, half.z),
            Geometry::Ball { radius } => ColliderBuilder::ball(radius),
            Geometry::Cylinder {
                half_height,
                radius,
            } => {
                // rapier's cylinders stand along y.
                local.rotation *= Rotation::from_rotation_x(core::f32::consts::FRAC_PI_2);
                ColliderBuilder::cylinder(half_height, radius)
            }
            Geometry::Capsule {
                half_height,
                radius,
            } => ColliderBuilder::capsule_z(half_height, radius),
            Geometry::Plane => return None,
        };
        Some(builder.position(local).density(0.0))
    }
}

/// A part on its body, for the picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn {
    pub body: RigidBodyHandle,
    pub part: Part,
}

/// A pose in the numbers of the physics engine.
pub(crate) fn transform(pose: &Pose) -> Transform {
    Transform::from_parts(pose.position.as_vec3(), pose.orientation.as_quat())
}

/// A transform of the physics engine in the numbers of kinematics.
pub(crate) fn pose(transform: &Transform) -> Pose {
    Pose::new(
        transform.translation.as_dvec3(),
        transform.rotation.as_dquat().normalize(),
    )
}
