//! Culling loses nothing, buffers are kept, and no input is too strange.

use glam::{Quat, Vec3};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::random;
use crate::render::{
    Camera, Geometry, Light, MAX_SHAPES, Material, RenderError, Renderer, Scene, Shape, Texture,
};

/// Tiles that look at all shapes must give the same picture.
#[test]
fn culling_loses_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for turn in 0..60 {
        let shapes = [3, 12, 40][turn % 3];
        let mut scene = random::scene(&mut rng, shapes);
        // Long thin shapes lie diagonally across many tiles.
        for shape in scene.shapes.iter_mut().skip(1).step_by(3) {
            if let Geometry::Cuboid { half } = &mut shape.geometry {
                *half *= Vec3::new(0.1, 3.0, 0.1);
            }
        }
        let camera = if turn % 2 == 0 {
            random::camera(&mut rng, 90, 70)
        } else {
            random::camera_inside(&mut rng, 90, 70)
        };
        let mut culled = vec![0; camera.image_len()];
        let mut full = culled.clone();
        Renderer::new()
            .render(&scene, &camera, &mut culled)
            .unwrap();
        let mut renderer = Renderer::new();
        renderer.cull = false;
        renderer.render(&scene, &camera, &mut full).unwrap();
        assert!(culled == full, "turn {turn}: {camera:?}");
    }
}

#[test]
fn refuses_what_it_cannot_draw() {
    let camera = Camera::look_at(Vec3::X, Vec3::ZERO, Vec3::Z, 0.8, 8, 8);
    let scene = Scene::default();
    let mut image = [0; 8 * 8 * 3];
    let mut draw =
        |scene: &Scene, camera: Camera| Renderer::new().render(scene, &camera, &mut image);
    assert_eq!(draw(&scene, camera), Ok(()));
    for (width, height) in [(0, 8), (8, 0), (9000, 8)] {
        let wrong = Camera {
            width,
            height,
            ..camera
        };
        assert_eq!(
            draw(&scene, wrong),
            Err(RenderError::ImageSize { width, height })
        );
    }
    let taller = Camera {
        height: 9,
        ..camera
    };
    assert_eq!(
        draw(&scene, taller),
        Err(RenderError::BufferLength {
            expected: 216,
            got: 192
        })
    );
    let blind = Camera {
        fov_y: 3.2,
        ..camera
    };
    assert_eq!(draw(&scene, blind), Err(RenderError::FieldOfView(3.2)));
    let lost = Camera {
        position: Vec3::NAN,
        ..camera
    };
    assert_eq!(draw(&scene, lost), Err(RenderError::CameraPose));
    let untrue = Camera {
        rotation: Quat::from_xyzw(0.0, 0.0, 0.0, 0.0),
        ..camera
    };
    assert_eq!(draw(&scene, untrue), Err(RenderError::CameraPose));
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let crowd = Scene {
        shapes: vec![random::shape(&mut rng, 0); MAX_SHAPES + 1],
        ..scene
    };
    assert_eq!(
        draw(&crowd, camera),
        Err(RenderError::TooManyShapes(MAX_SHAPES + 1))
    );
}

#[test]
fn degenerate_shapes_are_not_drawn() {
    let camera = Camera::look_at(Vec3::X, Vec3::ZERO, Vec3::Z, 0.8, 16, 16);
    let good = Shape {
        geometry: Geometry::Ball { radius: 0.1 },
        position: Vec3::ZERO,
        rotation: Quat::IDENTITY,
        material: Material::plain([1.0, 0.0, 0.0]),
    };
    let empty = super::picture(&Scene::default(), &camera);
    let only = |shape: Shape| {
        super::picture(
            &Scene {
                shapes: vec![shape],
                ..Scene::default()
            },
            &camera,
        ) == empty
    };
    assert!(!only(good));
    assert!(!only(Shape {
        rotation: Quat::from_xyzw(0.0, 0.0, 0.0, 9.0),
        ..good
    }));
    assert!(only(Shape {
        geometry: Geometry::Ball { radius: 0.0 },
        ..good
    }));
    assert!(only(Shape {
        geometry: Geometry::Ball { radius: f32::NAN },
        ..good
    }));
    assert!(only(Shape {
        geometry: Geometry::Cuboid {
            half: Vec3::new(0.1, -0.1, 0.1)
        },
        ..good
    }));
    assert!(only(Shape {
        position: Vec3::INFINITY,
        ..good
    }));
    assert!(only(Shape {
        rotation: Quat::from_xyzw(f32::NAN, 0.0, 0.0, 1.0),
        ..good
    }));
}

/// Any float, with the nasty ones often.
fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -2.0_f32..2.0,
        1 => any::<f32>(),
        1 => prop::sample::select(vec![
            0.0, -0.0, 1e-30, -1e-7, 1e6, 1e20, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN,
        ]),
    ]
}

fn vector() -> impl Strategy<Value = Vec3> {
    [number(), number(), number()].prop_map(Vec3::from)
}

fn rotation() -> impl Strategy<Value = Quat> {
    [number(), number(), number(), number()].prop_map(Quat::from_array)
}

fn geometry() -> impl Strategy<Value = Geometry> {
    prop_oneof![
        vector().prop_map(|half| Geometry::Cuboid { half }),
        number().prop_map(|radius| Geometry::Ball { radius }),
        (number(), number()).prop_map(|(half_height, radius)| Geometry::Cylinder {
            half_height,
            radius
        }),
        (number(), number()).prop_map(|(half_height, radius)| Geometry::Capsule {
            half_height,
            radius
        }),
        Just(Geometry::Plane),
    ]
}

fn shape() -> impl Strategy<Value = Shape> {
    let texture = prop::sample::select(Texture::ALL.to_vec());
    (
        geometry(),
        vector(),
        rotation(),
        [number(), number(), number()],
        texture,
        number(),
    )
        .prop_map(
            |(geometry, position, rotation, color, texture, scale)| Shape {
                geometry,
                position,
                rotation,
                material: Material::textured(color, texture, scale),
            },
        )
}

proptest! {
    #[test]
    fn no_input_panics(
        shapes in prop::collection::vec(shape(), 0..12),
        light in vector(),
        intensity in number(),
        ambient in number(),
        eye in vector(),
        pose in rotation(),
        fov_y in number(),
        width in 0_u32..20,
        height in 0_u32..20,
    ) {
        let light = Light { direction: light, intensity };
        let scene = Scene { shapes, light, ambient, ..Scene::default() };
        let mut image = vec![0; (width * height * 3) as usize];
        for camera in [
            Camera { position: eye, rotation: pose, fov_y, width, height },
            Camera::look_at(eye, light.direction, scene.light.direction, 0.9, width, height),
        ] {
            let drawn = Renderer::new().render(&scene, &camera, &mut image);
            let right_size = width > 0 && height > 0;
            prop_assert!(right_size || drawn.is_err());
        }
    }
}
