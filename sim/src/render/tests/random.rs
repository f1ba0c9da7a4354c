//! Scenes and cameras drawn at random.

use glam::{Quat, Vec3};
use rand_chacha::ChaCha8Rng;

use crate::render::shift::between;
use crate::render::{Camera, Geometry, Light, Material, Scene, Shape, Texture};

fn vector(rng: &mut ChaCha8Rng, reach: f32) -> Vec3 {
    Vec3::new(
        between(rng, -reach, reach),
        between(rng, -reach, reach),
        between(rng, -reach, reach),
    )
}

pub fn rotation(rng: &mut ChaCha8Rng) -> Quat {
    let mut part = || between(rng, -1.0, 1.0);
    Quat::from_xyzw(part(), part(), part(), part() + 1e-3).normalize()
}

pub fn geometry(rng: &mut ChaCha8Rng, kind: usize) -> Geometry {
    let radius = between(rng, 0.03, 0.2);
    let half_height = between(rng, 0.02, 0.5);
    match kind % 4 {
        0 => Geometry::Cuboid {
            half: Vec3::splat(0.22) + vector(rng, 0.2),
        },
        1 => Geometry::Ball { radius },
        2 => Geometry::Cylinder {
            half_height,
            radius,
        },
        _ => Geometry::Capsule {
            half_height,
            radius,
        },
    }
}

pub fn shape(rng: &mut ChaCha8Rng, kind: usize) -> Shape {
    let color = (vector(rng, 0.4) + Vec3::splat(0.5)).to_array();
    Shape {
        geometry: geometry(rng, kind),
        position: vector(rng, 0.6),
        rotation: rotation(rng),
        material: Material::plain(color),
    }
}

/// A floor and shapes of all kinds over it, some of them into each other.
pub fn scene(rng: &mut ChaCha8Rng, shapes: usize) -> Scene {
    let mut scene = Scene {
        light: Light {
            direction: vector(rng, 0.9) + Vec3::Z,
            intensity: 0.6,
        },
        ..Scene::default()
    };
    let tilt =
        Quat::from_xyzw(between(rng, -0.1, 0.1), between(rng, -0.1, 0.1), 0.0, 1.0).normalize();
    scene.shapes.push(Shape {
        geometry: Geometry::Plane,
        position: Vec3::Z * -0.8,
        rotation: tilt,
        material: Material::textured([0.6, 0.6, 0.5], Texture::Checker, 3.0),
    });
    scene
        .shapes
        .extend((0..shapes).map(|kind| shape(rng, kind)));
    scene
}

/// A camera outside of the shapes that looks at their middle.
pub fn camera(rng: &mut ChaCha8Rng, width: u32, height: u32) -> Camera {
    let side = vector(rng, 1.0).normalize_or(Vec3::X);
    let eye = Vec3::new(side.x, side.y, side.z.abs() + 0.05).normalize() * between(rng, 1.8, 2.6);
    Camera::look_at(
        eye,
        vector(rng, 0.2),
        Vec3::Z,
        between(rng, 0.5, 1.0),
        width,
        height,
    )
}

/// A camera that may be among the shapes or inside of one.
pub fn camera_inside(rng: &mut ChaCha8Rng, width: u32, height: u32) -> Camera {
    let fov_y = between(rng, 0.3, 2.2);
    Camera {
        position: vector(rng, 0.7),
        rotation: rotation(rng),
        fov_y,
        width,
        height,
    }
}
