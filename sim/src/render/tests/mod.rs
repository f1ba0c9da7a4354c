#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod pictures;
mod random;
mod reference;
mod robustness;
mod tabletop;

use super::{Camera, Renderer, Scene};

/// One picture by a new renderer.
fn picture(scene: &Scene, camera: &Camera) -> Vec<u8> {
    draw(Renderer::new(), scene, camera)
}

fn draw(mut renderer: Renderer, scene: &Scene, camera: &Camera) -> Vec<u8> {
    let mut image = vec![0; camera.image_len()];
    renderer.render(scene, camera, &mut image).unwrap();
    image
}
