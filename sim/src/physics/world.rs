//! The bodies of an episode and how time passes for them.

use cerebellum_kinematics::{Joints, Pose, Robot};
use rapier3d::dynamics::{MassProperties, RigidBodyBuilder, RigidBodyHandle};
use rapier3d::math::Vector;
use rapier3d::parry::shape::{Ball, Capsule, Cuboid, Cylinder, Shape as _};
use rapier3d::pipeline::PhysicsWorld;

use super::part::{pose, transform};
use super::settings::{SUBSTEPS, integration_parameters, thing_groups};
use super::{Arm, ArmState, Drawn, Part, PhysicsSettings};
use crate::SimError;
use crate::render::{Geometry, Shape};

/// Coulomb friction coefficient of the table and the furniture.
const FIXED_FRICTION: f32 = 0.6;

/// Digest of the whole state of a world: equal states give equal digests on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateHash(pub [u8; 32]);

impl std::fmt::Display for StateHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The physics of one episode.
pub(crate) struct World {
    pub(super) physics: PhysicsWorld,
    arm: Arm,
    drawn: Vec<Drawn>,
    settings: PhysicsSettings,
    finite: bool,
}

impl World {
    /// A world with nothing but the arm, at rest in posture `home`.
    ///
    /// # Errors
    /// The engine refuses a joint of the robot.
    pub(crate) fn new(
        robot: &Robot,
        home: &Joints,
        settings: PhysicsSettings,
    ) -> Result<Self, SimError> {
        let mut physics = PhysicsWorld {
            gravity: Vector::new(0.0, 0.0, -9.81),
            integration_parameters: integration_parameters(),
            ..PhysicsWorld::default()
        };
        let mut drawn = Vec::new();
        let arm = Arm::build(robot, home, &settings, &mut physics, &mut drawn)?;
        Ok(Self {
            physics,
            arm,
            drawn,
            settings,
            finite: true,
        })
    }

    /// Adds a body that never moves.
    pub(crate) fn add_fixed(&mut self, at: &Pose, parts: &[Part]) -> RigidBodyHandle {
        let body = RigidBodyBuilder::fixed().pose(transform(at));
        let body = self.physics.insert_body(body);
        self.attach(body, parts, FIXED_FRICTION);
        body
    }

    /// Adds a body that can be moved, with the mass in kilograms of a homogeneous first part.
    pub(crate) fn add_free(&mut self, at: &Pose, parts: &[Part], mass: f32) -> RigidBodyHandle {
        self.add_dynamic(at, parts, mass * self.settings.mass, 1.0)
    }

    /// Adds the moving part of furniture: like a free body, but weightless and always the same.
    pub(crate) fn add_moving(&mut self, at: &Pose, parts: &[Part], mass: f32) -> RigidBodyHandle {
        self.add_dynamic(at, parts, mass, 0.0)
    }

    fn add_dynamic(
        &mut self,
        at: &Pose,
        parts: &[Part],
        mass: f32,
        gravity: f32,
    ) -> RigidBodyHandle {
        let properties = parts.first().map_or_else(MassProperties::default, |part| {
            mass_properties(&part.geometry, mass)
        });
        let body = RigidBodyBuilder::dynamic()
            .pose(transform(at))
            .gravity_scale(gravity)
            .can_sleep(false)
            .additional_mass_properties(properties);
        let body = self.physics.insert_body(body);
        let friction = if gravity > 0.0 {
            self.settings.friction
        } else {
            FIXED_FRICTION
        };
        self.attach(body, parts, friction);
        body
    }

    fn attach(&mut self, body: RigidBodyHandle, parts: &[Part], friction: f32) {
        for part in parts {
            if let Some(collider) = part.collider() {
                let collider = collider.friction(friction).collision_groups(thing_groups());
                self.physics.insert_collider(collider, Some(body));
            }
            if part.visible {
                self.drawn.push(Drawn { body, part: *part });
            }
        }
    }

    /// Lets one control tick pass while the motors follow `targets`.
    pub(crate) fn tick(&mut self, targets: &Joints) {
        for index in 0..SUBSTEPS {
            self.arm.drive(targets, index, &mut self.physics);
            self.physics.step();
            self.finite &= self.physics.quarantine().bodies().is_empty();
        }
    }

    /// Whether the state has been finite all the time.
    pub(crate) fn is_finite(&self) -> bool {
        self.finite
    }

    /// Pose of a body.
    pub(crate) fn pose(&self, body: RigidBodyHandle) -> Pose {
        let body = self.physics.bodies.get(body);
        body.map_or(Pose::IDENTITY, |body| pose(body.position()))
    }

    /// Speed of a body's centre (m/s).
    pub(crate) fn speed(&self, body: RigidBodyHandle) -> f64 {
        let body = self.physics.bodies.get(body);
        body.map_or(0.0, |body| f64::from(body.linvel().length()))
    }

    /// The joints that are commanded.
    pub(crate) fn targets(&self) -> &Joints {
        self.arm.targets()
    }
    /// Measured joints.
    pub(crate) fn arm(&self) -> ArmState {
        self.arm.measure(&self.physics)
    }
    /// Measured pose of the tool centre point.
    pub(crate) fn tool(&self) -> Pose {
        self.arm.tool(&self.physics)
    }

    /// Everything that can be seen, at its place.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = Shape> + '_ {
        self.drawn.iter().filter_map(|drawn| {
            let body = self.physics.bodies.get(drawn.body)?;
            let at = *body.position() * drawn.part.local;
            Some(Shape {
                geometry: drawn.part.geometry,
                position: at.translation,
                rotation: at.rotation,
                material: drawn.part.material,
            })
        })
    }

    /// Digest of poses and velocities of all bodies and of the commanded joints.
    pub(crate) fn hash(&self) -> StateHash {
        let mut hasher = blake3::Hasher::new();
        for (_, body) in self.physics.bodies.iter() {
            let at = body.position();
            let numbers = [
                at.translation.to_array().as_slice(),
                at.rotation.to_array().as_slice(),
                body.linvel().to_array().as_slice(),
                body.angvel().to_array().as_slice(),
            ]
            .concat();
            for number in numbers {
                hasher.update(&number.to_bits().to_le_bytes());
            }
        }
        for target in self.arm.targets() {
            hasher.update(&target.to_bits().to_le_bytes());
        }
        StateHash(*hasher.finalize().as_bytes())
    }
}

/// Mass properties of a homogeneous primitive.
fn mass_properties(geometry: &Geometry, mass: f32) -> MassProperties {
    let unit = match *geometry {
        Geometry::Cuboid { half } => Cuboid::new(half).mass_properties(1.0),
        Geometry::Ball { radius } => Ball::new(radius).mass_properties(1.0),
        Geometry::Cylinder {
            half_height,
            radius,
        } => Cylinder::new(half_height, radius).mass_properties(1.0),
        Geometry::Capsule {
            half_height,
            radius,
        } => Capsule::new_z(half_height, radius).mass_properties(1.0),
        Geometry::Plane => return MassProperties::default(),
    };
    let mut properties = unit;
    properties.set_mass(mass, true);
    properties
}
