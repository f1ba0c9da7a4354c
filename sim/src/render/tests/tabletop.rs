//! A tabletop to draw: an arm over coloured blocks, a plate, a drawer and a button.

use glam::{Quat, Vec3};

use crate::render::{Camera, Geometry, Material, Scene, Shape, Texture};

const WHITE: [f32; 3] = [0.82, 0.83, 0.85];
const DARK: [f32; 3] = [0.06, 0.06, 0.07];

fn shape(geometry: Geometry, at: [f32; 3], rotation: Quat, material: Material) -> Shape {
    Shape {
        geometry,
        position: Vec3::from(at),
        rotation,
        material,
    }
}

fn cuboid(half: [f32; 3], at: [f32; 3], yaw: f32, material: Material) -> Shape {
    let geometry = Geometry::Cuboid {
        half: Vec3::from(half),
    };
    shape(geometry, at, Quat::from_rotation_z(yaw), material)
}

/// A capsule between two points.
fn link(from: Vec3, to: Vec3, radius: f32, color: [f32; 3]) -> Shape {
    let along = to - from;
    Shape {
        geometry: Geometry::Capsule {
            half_height: along.length() * 0.5,
            radius,
        },
        position: (from + to) * 0.5,
        rotation: Quat::from_rotation_arc(Vec3::Z, along.normalize()),
        material: Material::plain(color),
    }
}

/// Where the hand is.
pub const HAND: Vec3 = Vec3::new(0.42, 0.06, 0.30);

/// The picture that people see first.
pub fn tabletop() -> Scene {
    let upright = Quat::IDENTITY;
    let mut shapes = vec![
        shape(
            Geometry::Plane,
            [0.0, 0.0, -0.72],
            upright,
            Material::textured([0.36, 0.38, 0.40], Texture::Checker, 2.5),
        ),
        cuboid(
            [0.55, 0.62, 0.02],
            [0.40, 0.0, -0.02],
            0.0,
            Material::textured([0.72, 0.52, 0.33], Texture::Planks, 8.0),
        ),
    ];
    // The arm.
    let (base, shoulder) = (Vec3::new(0.0, 0.0, 0.02), Vec3::new(0.0, 0.0, 0.33));
    let elbow = Vec3::new(0.20, 0.10, 0.60);
    let wrist = HAND + Vec3::new(0.0, 0.0, 0.22);
    shapes.push(shape(
        Geometry::Cylinder {
            half_height: 0.02,
            radius: 0.11,
        },
        [0.0, 0.0, 0.02],
        upright,
        Material::plain(DARK),
    ));
    shapes.push(link(base, shoulder, 0.065, WHITE));
    shapes.push(link(shoulder, elbow, 0.055, WHITE));
    shapes.push(link(elbow, wrist, 0.047, [0.25, 0.45, 0.75]));
    shapes.push(link(wrist, HAND + Vec3::new(0.0, 0.0, 0.14), 0.042, WHITE));
    shapes.push(shape(
        Geometry::Ball { radius: 0.07 },
        elbow.to_array(),
        upright,
        Material::plain(DARK),
    ));
    let at = |dx: f32, dy: f32, dz: f32| [HAND.x + dx, HAND.y + dy, HAND.z + dz];
    shapes.push(cuboid(
        [0.03, 0.085, 0.03],
        at(0.0, 0.0, 0.09),
        0.0,
        Material::plain(WHITE),
    ));
    for side in [-1.0, 1.0] {
        let finger = at(0.0, side * 0.032, 0.02);
        shapes.push(cuboid(
            [0.010, 0.006, 0.045],
            finger,
            0.0,
            Material::plain(DARK),
        ));
    }
    // Things to handle.
    let block = [0.02, 0.02, 0.02];
    let mut put = |color, x, y, yaw| {
        shapes.push(cuboid(block, [x, y, 0.02], yaw, Material::plain(color)));
    };
    put([0.75, 0.05, 0.04], 0.42, 0.06, 0.3);
    put([0.05, 0.42, 0.10], 0.52, -0.10, 0.9);
    put([0.05, 0.13, 0.62], 0.36, -0.16, 0.1);
    put([0.85, 0.62, 0.04], 0.56, 0.10, -0.5);
    shapes.push(shape(
        Geometry::Cylinder {
            half_height: 0.006,
            radius: 0.075,
        },
        [0.58, 0.27, 0.006],
        upright,
        Material::plain([0.80, 0.80, 0.82]),
    ));
    shapes.push(shape(
        Geometry::Cylinder {
            half_height: 0.002,
            radius: 0.05,
        },
        [0.58, 0.27, 0.013],
        upright,
        Material::plain([0.45, 0.62, 0.80]),
    ));
    // A cabinet with its drawer a little open.
    let wood = Material::textured([0.45, 0.27, 0.15], Texture::Planks, 25.0);
    shapes.push(cuboid([0.08, 0.10, 0.06], [0.40, -0.38, 0.06], 0.0, wood));
    let front = Material::plain([0.62, 0.42, 0.25]);
    shapes.push(cuboid(
        [0.075, 0.012, 0.045],
        [0.40, -0.24, 0.06],
        0.0,
        front,
    ));
    shapes.push(cuboid(
        [0.065, 0.04, 0.03],
        [0.40, -0.28, 0.055],
        0.0,
        front,
    ));
    shapes.push(cuboid(
        [0.008, 0.012, 0.03],
        [0.40, -0.216, 0.06],
        0.0,
        Material::plain(DARK),
    ));
    // A button, a striped box and a ball.
    shapes.push(cuboid(
        [0.035, 0.035, 0.012],
        [0.30, 0.30, 0.012],
        0.0,
        Material::plain(DARK),
    ));
    shapes.push(shape(
        Geometry::Cylinder {
            half_height: 0.012,
            radius: 0.02,
        },
        [0.30, 0.30, 0.03],
        upright,
        Material::plain([0.80, 0.10, 0.08]),
    ));
    let stripes = Material::textured([0.85, 0.80, 0.70], Texture::Stripes, 50.0);
    shapes.push(cuboid(
        [0.03, 0.045, 0.03],
        [0.68, -0.28, 0.03],
        0.5,
        stripes,
    ));
    shapes.push(shape(
        Geometry::Ball { radius: 0.025 },
        [0.66, -0.02, 0.025],
        upright,
        Material::plain([0.55, 0.12, 0.50]),
    ));
    Scene {
        shapes,
        ..Scene::default()
    }
}

/// Sees the whole table and the arm from the front.
pub fn front(width: u32, height: u32) -> Camera {
    let eye = Vec3::new(1.25, 0.0, 0.85);
    Camera::look_at(
        eye,
        Vec3::new(0.36, 0.0, 0.12),
        Vec3::Z,
        0.75,
        width,
        height,
    )
}

/// Sits on the hand and sees the fingertips.
pub fn wrist(width: u32, height: u32) -> Camera {
    let eye = HAND + Vec3::new(0.075, 0.0, 0.13);
    Camera::look_at(
        eye,
        HAND + Vec3::new(0.01, 0.0, -0.10),
        Vec3::X,
        1.2,
        width,
        height,
    )
}
