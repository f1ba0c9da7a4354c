//! What pictures must look like.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::tabletop::{front, tabletop, wrist};
use super::{draw, picture, random, reference};
use crate::render::{Camera, Renderer, Scene};

/// The same bytes on every machine, in every profile, serial and parallel.
#[test]
fn golden_pictures() {
    let scene = tabletop();
    let cameras = [front(96, 96), wrist(96, 96), front(131, 77)];
    let hashes =
        cameras.map(|camera| blake3::hash(&picture(&scene, &camera)).to_hex()[..16].to_owned());
    assert_eq!(
        hashes,
        ["2c48456a87799ca8", "d84fc85a5fec68d5", "e179dd354d1723d3"]
    );
}

#[test]
fn threads_change_nothing() {
    let scene = tabletop();
    for camera in [front(96, 96), wrist(224, 224), front(61, 35), front(3, 2)] {
        let parallel = draw(Renderer::new().with_threads(true), &scene, &camera);
        assert!(parallel == picture(&scene, &camera), "{camera:?}");
    }
}

#[test]
fn a_used_renderer_draws_as_a_new_one() {
    let scene = tabletop();
    let mut renderer = Renderer::new();
    for camera in [front(96, 96), wrist(64, 64), front(128, 40), front(96, 96)] {
        let mut image = vec![7; camera.image_len()];
        renderer.render(&scene, &camera, &mut image).unwrap();
        assert!(image == picture(&scene, &camera), "{camera:?}");
    }
}

/// Compares the picture without smoothing to the marching renderer.
fn compare(scene: &Scene, camera: &Camera, label: &str) {
    let image = draw(Renderer::new().with_smoothing(false), scene, camera);
    let (mut wrong, mut seen) = (0, 0);
    for (index, got) in image.chunks_exact(3).enumerate() {
        let index = index as u32;
        let Some(wanted) =
            reference::pixel(scene, camera, index % camera.width, index / camera.width)
        else {
            continue;
        };
        seen += 1;
        if got.iter().zip(wanted).any(|(&a, b)| a.abs_diff(b) > 2) {
            wrong += 1;
        }
    }
    let pixels = camera.width * camera.height;
    assert!(
        seen * 100 > pixels * 97,
        "{label}: only {seen} of {pixels} pixels are clear"
    );
    // Pixels whose ray passes an edge within a hair may fall on either side.
    assert!(
        wrong * 400 <= seen,
        "{label}: {wrong} of {seen} pixels differ"
    );
}

#[test]
fn every_primitive_agrees_with_marching() {
    for kind in 0..4 {
        let mut rng = ChaCha8Rng::seed_from_u64(kind as u64);
        for turn in 0..6 {
            let mut scene = random::scene(&mut rng, 0);
            scene.shapes[0].material = crate::render::Material::plain([0.5, 0.6, 0.4]);
            scene.shapes.push(random::shape(&mut rng, kind));
            let camera = random::camera(&mut rng, 48, 40);
            compare(&scene, &camera, &format!("primitive {kind}, turn {turn}"));
        }
    }
}

#[test]
fn crowds_agree_with_marching() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for turn in 0..4 {
        let mut scene = random::scene(&mut rng, 20);
        scene.shapes[0].material = crate::render::Material::plain([0.5, 0.6, 0.4]);
        let camera = random::camera(&mut rng, 48, 48);
        compare(&scene, &camera, &format!("turn {turn}"));
    }
}

#[test]
fn smoothing_touches_edges_only() {
    let scene = tabletop();
    for camera in [front(96, 96), wrist(96, 96)] {
        let hard = draw(Renderer::new().with_smoothing(false), &scene, &camera);
        let smooth = picture(&scene, &camera);
        let changed = hard
            .chunks(3)
            .zip(smooth.chunks(3))
            .filter(|(hard, smooth)| hard != smooth)
            .count();
        let pixels = hard.len() / 3;
        assert!(
            changed * 100 > pixels * 3 && changed * 100 < pixels * 30,
            "{changed}"
        );
    }
    // A wall that fills the picture has no edge at all.
    let mut wall = tabletop();
    wall.shapes.truncate(1);
    let down = Camera::look_at(glam::Vec3::Z, glam::Vec3::ZERO, glam::Vec3::X, 0.6, 50, 50);
    let hard = draw(Renderer::new().with_smoothing(false), &wall, &down);
    assert!(hard == picture(&wall, &down));
}

#[test]
fn shadows_can_be_turned_off() {
    let mut scene = tabletop();
    let with = picture(&scene, &front(64, 64));
    scene.shadows = false;
    let without = picture(&scene, &front(64, 64));
    let sum = |image: &[u8]| image.iter().map(|&v| u64::from(v)).sum::<u64>();
    assert!(sum(&without) > sum(&with));
}

/// A block of 4 cm must be large enough to recognise in the picture that policies get.
#[test]
fn blocks_are_recognisable() {
    let image = picture(&tabletop(), &front(96, 96));
    let red = image
        .chunks_exact(3)
        .filter(|p| p[0] > 120 && p[1] < 80 && p[2] < 80)
        .count();
    let green = image
        .chunks_exact(3)
        .filter(|p| p[1] > 80 && p[0] < 70 && p[2] < 100)
        .count();
    assert!(red >= 25 && green >= 25, "red {red}, green {green} pixels");
}
