//! A renderer allocates for its first picture and never again.
//!
//! A test of its own, because the allocator of a process can be counted only once.
#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use cerebellum_sim::render::{
    Camera, EffectLevels, Effects, Geometry, Material, Renderer, Scene, Shape, Texture,
};
use glam::{Quat, Vec3};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is passed on unchanged to the allocator of the system, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of this method, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn scene(spread: f32) -> Scene {
    let mut scene = Scene::default();
    for index in 0..40 {
        let angle = index as f32;
        let geometry = match index % 4 {
            0 => Geometry::Cuboid {
                half: Vec3::new(0.05, 0.02, 0.08),
            },
            1 => Geometry::Ball { radius: 0.05 },
            2 => Geometry::Cylinder {
                half_height: 0.1,
                radius: 0.03,
            },
            _ => Geometry::Capsule {
                half_height: 0.1,
                radius: 0.03,
            },
        };
        scene.shapes.push(Shape {
            geometry,
            position: spread * Vec3::new(angle.sin(), (2.0 * angle).cos(), 0.01 * angle),
            rotation: Quat::from_rotation_x(angle),
            material: Material::textured([0.5, 0.4, 0.3], Texture::ALL[index % 5], 20.0),
        });
    }
    scene
}

#[test]
fn pictures_after_the_first_do_not_allocate() {
    let camera = Camera::look_at(Vec3::new(1.5, 0.0, 0.8), Vec3::ZERO, Vec3::Z, 0.8, 96, 96);
    let smaller = Camera {
        width: 64,
        height: 80,
        ..camera
    };
    let mut image = vec![0; camera.image_len()];
    let scenes = [0.9, 0.4, 0.05].map(scene);
    let mut renderer = Renderer::new();
    let levels = EffectLevels {
        noise: 3,
        blur: 3,
        occlusion: 3,
        brightness: 3,
    };
    let mut effects = Effects::new(levels, 1);
    renderer.render(&scenes[0], &camera, &mut image).unwrap();
    effects
        .apply(&mut image, camera.width, camera.height, 0)
        .unwrap();

    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for (frame, scene) in scenes.iter().enumerate() {
        renderer.render(scene, &camera, &mut image).unwrap();
        effects
            .apply(&mut image, camera.width, camera.height, frame as u64)
            .unwrap();
        renderer
            .render(scene, &smaller, &mut image[..smaller.image_len()])
            .unwrap();
    }
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed), before);
}
