//! A second renderer that shares no formula with the first: it marches along each ray by the distance
//! to the nearest surface, in double precision, and takes normals from differences.

use glam::{DQuat, DVec2, DVec3};

use crate::render::{Camera, Geometry, Scene, Shape};

/// Distance from a point to the surface, negative inside.
fn distance(shape: &Shape, point: DVec3) -> f64 {
    let rotation = DQuat::from_xyzw(
        shape.rotation.x.into(),
        shape.rotation.y.into(),
        shape.rotation.z.into(),
        shape.rotation.w.into(),
    )
    .normalize();
    let p = rotation.inverse() * (point - shape.position.as_dvec3());
    match shape.geometry {
        Geometry::Cuboid { half } => {
            let q = p.abs() - half.as_dvec3();
            q.max(DVec3::ZERO).length() + q.max_element().min(0.0)
        }
        Geometry::Ball { radius } => p.length() - f64::from(radius),
        Geometry::Cylinder {
            half_height,
            radius,
        } => {
            let q = DVec2::new(
                p.truncate().length() - f64::from(radius),
                p.z.abs() - f64::from(half_height),
            );
            q.max(DVec2::ZERO).length() + q.max_element().min(0.0)
        }
        Geometry::Capsule {
            half_height,
            radius,
        } => {
            let h = f64::from(half_height);
            (p - DVec3::Z * p.z.clamp(-h, h)).length() - f64::from(radius)
        }
        Geometry::Plane => p.z,
    }
}

fn nearest(shapes: &[Shape], point: DVec3) -> (usize, f64) {
    shapes
        .iter()
        .map(|shape| distance(shape, point))
        .enumerate()
        .fold((usize::MAX, f64::MAX), |best, next| {
            if next.1 < best.1 { next } else { best }
        })
}

/// What a ray meets: `None` when that is too close to call.
fn march(
    shapes: &[Shape],
    from: DVec3,
    along: DVec3,
    start: f64,
) -> Option<Option<(usize, DVec3)>> {
    let mut t = start;
    for _ in 0..2000 {
        let point = from + along * t;
        let (shape, gap) = nearest(shapes, point);
        if gap < 1e-7 {
            return Some(Some((shape, point)));
        }
        t += gap;
        if t > 1e5 {
            return Some(None);
        }
    }
    None
}

fn normal(shape: &Shape, point: DVec3) -> DVec3 {
    let step = 1e-6;
    let slope =
        |axis: DVec3| distance(shape, point + axis * step) - distance(shape, point - axis * step);
    DVec3::new(slope(DVec3::X), slope(DVec3::Y), slope(DVec3::Z)).normalize()
}

/// Color bytes of the pixel in the middle of column `x` and row `y`, if the picture is clear there.
/// Materials must be plain.
pub fn pixel(scene: &Scene, camera: &Camera, x: u32, y: u32) -> Option<[u8; 3]> {
    let scale = 2.0 * (f64::from(camera.fov_y) * 0.5).tan() / f64::from(camera.height);
    let view = DVec3::new(
        (f64::from(x) + 0.5 - f64::from(camera.width) * 0.5) * scale,
        (f64::from(y) + 0.5 - f64::from(camera.height) * 0.5) * scale,
        1.0,
    );
    let rotation = camera.rotation.as_dquat().normalize();
    let (eye, along) = (camera.position.as_dvec3(), (rotation * view).normalize());
    let linear = match march(&scene.shapes, eye, along, 0.0)? {
        None => scene.background.map(f64::from),
        Some((index, point)) => {
            let shape = &scene.shapes[index];
            let normal = normal(shape, point);
            let lamp = scene.light.direction.as_dvec3().normalize();
            let cosine = normal.dot(lamp);
            let casters: Vec<Shape> = scene
                .shapes
                .iter()
                .enumerate()
                .filter(|&(other, shape)| other != index && shape.geometry != Geometry::Plane)
                .map(|(_, shape)| *shape)
                .collect();
            let shaded = scene.shadows
                && cosine > 0.0
                && march(&casters, point + normal * 1e-6, lamp, 0.0)?.is_some();
            let direct = if shaded {
                0.0
            } else {
                cosine.max(0.0) * f64::from(scene.light.intensity)
            };
            let sky = 0.78 + 0.22 * normal.dot(DVec3::new(0.4, -0.3, 0.866));
            shape
                .material
                .color
                .map(|c| f64::from(c) * (f64::from(scene.ambient) * sky + direct))
        }
    };
    Some(linear.map(|value| (value.clamp(0.0, 1.0).sqrt() * 255.0 + 0.5) as u8))
}
