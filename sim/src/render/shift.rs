//! Shifts of what cameras see: their pose and lens, the light, colors and patterns.
//!
//! Levels are 0 (as it is) to 3 (strong); larger numbers count as 3. Each function takes the same
//! number of values from the generator at every level, so with one seed the levels differ in
//! strength only.

use glam::{Mat3, Quat, Vec3};
use rand::Rng;

use super::camera::rotation_matrix;
use super::{Camera, Material, Scene, Texture};

/// Moves a camera by up to 2, 5 or 10 cm along each axis of the world and turns it by up to 2, 5 or
/// 10 degrees about each of its own axes, one after the other.
pub fn perturb_camera<R: Rng + ?Sized>(camera: &Camera, level: u8, rng: &mut R) -> Camera {
    let metres = strength(level, [0.02, 0.05, 0.10]);
    let radians = strength(level, [2.0, 5.0, 10.0]) * (core::f32::consts::PI / 180.0);
    let shift = vector(rng, metres);
    let turn = vector(rng, radians);
    if level == 0 {
        return *camera;
    }
    let Some(pose) = rotation_matrix(camera.rotation) else {
        return *camera;
    };
    let turned = pose
        * Mat3::from_rotation_x(turn.x)
        * Mat3::from_rotation_y(turn.y)
        * Mat3::from_rotation_z(turn.z);
    Camera {
        position: camera.position + shift,
        rotation: Quat::from_mat3(&turned),
        ..*camera
    }
}

/// Multiplies the field of view by up to 1.05, 1.12 or 1.25, or divides by it.
pub fn perturb_field_of_view<R: Rng + ?Sized>(camera: &Camera, level: u8, rng: &mut R) -> Camera {
    let factor = ratio(rng, strength(level, [0.05, 0.12, 0.25]));
    Camera {
        fov_y: (camera.fov_y * factor).clamp(0.01, 2.8),
        ..*camera
    }
}

/// Changes the light of a scene.
///
/// The lamp moves sideways by up to 0.25, 0.6 or 1.2 of its height over the scene; its brightness
/// changes by up to 10, 25 or 45 %, the ambient light by up to 15, 35 or 60 %; and with a chance of
/// 0, 1/4 or 1/2 there are no shadows, as under a cloudy sky.
pub fn perturb_lighting<R: Rng + ?Sized>(scene: &mut Scene, level: u8, rng: &mut R) {
    let sideways = vector(rng, strength(level, [0.25, 0.6, 1.2]));
    let lamp = ratio(rng, strength(level, [0.10, 0.25, 0.45]));
    let ambient = ratio(rng, strength(level, [0.15, 0.35, 0.60]));
    let cloud = between(rng, 0.0, 1.0);
    let direction = scene.light.direction;
    if direction.is_finite() {
        let height = direction.z.abs();
        scene.light.direction = direction + Vec3::new(sideways.x, sideways.y, 0.0) * height;
    }
    scene.light.intensity *= lamp;
    scene.ambient *= ambient;
    if cloud < strength(level, [0.0, 0.25, 0.5]) {
        scene.shadows = false;
    }
}

/// Changes each linear component of a color by up to 0.05, 0.12 or 0.25 and keeps it in 0..=1.
pub fn perturb_color<R: Rng + ?Sized>(color: [f32; 3], level: u8, rng: &mut R) -> [f32; 3] {
    let change = vector(rng, strength(level, [0.05, 0.12, 0.25])).to_array();
    let sum = |channel: usize| (color[channel] + change[channel]).clamp(0.0, 1.0);
    if level == 0 {
        color
    } else {
        [sum(0), sum(1), sum(2)]
    }
}

/// Changes a color so that people still call it by its name: the hue stays, the brightness changes
/// by up to 15, 35 or 60 %, and up to 10, 25 or 40 % of the color fade to gray.
pub fn perturb_tone<R: Rng + ?Sized>(color: [f32; 3], level: u8, rng: &mut R) -> [f32; 3] {
    let brightness = ratio(rng, strength(level, [0.15, 0.35, 0.60]));
    let fade = between(rng, 0.0, strength(level, [0.10, 0.25, 0.40]));
    let [red, green, blue] = color;
    let gray = (red + green + blue) / 3.0;
    // Scaling may not cut one component off before the others: that would change the hue.
    let largest = red.max(green).max(blue).max(1e-6);
    let brightness = brightness.min(1.0 / largest).max(0.0);
    let tone = |part: f32| ((part + (gray - part) * fade) * brightness).clamp(0.0, 1.0);
    if level == 0 {
        color
    } else {
        [tone(red), tone(green), tone(blue)]
    }
}

/// Scales the pattern of a material by up to 1.2, 1.5 or 2, or down by it, and with a chance of
/// 0, 1/2 or 1 draws another pattern.
pub fn perturb_texture<R: Rng + ?Sized>(material: Material, level: u8, rng: &mut R) -> Material {
    let scale = ratio(rng, strength(level, [0.2, 0.5, 1.0]));
    let swap = between(rng, 0.0, 1.0);
    let drawn = (between(rng, 0.0, 1.0) * Texture::ALL.len() as f32) as usize;
    let texture = if swap < strength(level, [0.0, 0.5, 1.0]) {
        Texture::ALL.get(drawn).copied().unwrap_or(material.texture)
    } else {
        material.texture
    };
    Material {
        texture,
        texture_scale: material.texture_scale * scale,
        ..material
    }
}

/// The strength of a level: 0 for level 0.
pub(super) fn strength(level: u8, levels: [f32; 3]) -> f32 {
    match level {
        0 => 0.0,
        1 => levels[0],
        2 => levels[1],
        _ => levels[2],
    }
}

/// Uniform in low..high. Own arithmetic, so that no release of a library changes recorded episodes.
pub(super) fn between<R: Rng + ?Sized>(rng: &mut R, low: f32, high: f32) -> f32 {
    let unit = (rng.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0);
    low + (high - low) * unit
}

/// Uniform in the cube of half side `reach`.
fn vector<R: Rng + ?Sized>(rng: &mut R, reach: f32) -> Vec3 {
    let x = between(rng, -reach, reach);
    let y = between(rng, -reach, reach);
    Vec3::new(x, y, between(rng, -reach, reach))
}

/// A factor between 1 / (1 + most) and 1 + most, as often below 1 as above.
fn ratio<R: Rng + ?Sized>(rng: &mut R, most: f32) -> f32 {
    let side = between(rng, -1.0, 1.0);
    if side < 0.0 {
        1.0 / (1.0 - side * most)
    } else {
        1.0 + side * most
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn camera() -> Camera {
        Camera::look_at(Vec3::new(1.0, 0.2, 0.9), Vec3::ZERO, Vec3::Z, 0.8, 96, 96)
    }

    #[test]
    fn level_zero_changes_nothing() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut scene = Scene::default();
        perturb_lighting(&mut scene, 0, &mut rng);
        assert_eq!(scene, Scene::default());
        assert_eq!(perturb_camera(&camera(), 0, &mut rng), camera());
        assert_eq!(perturb_field_of_view(&camera(), 0, &mut rng), camera());
        assert_eq!(perturb_color([0.1, 0.2, 0.3], 0, &mut rng), [0.1, 0.2, 0.3]);
        let material = Material::textured([0.5; 3], Texture::Planks, 8.0);
        assert_eq!(perturb_texture(material, 0, &mut rng), material);
    }

    #[test]
    fn cameras_stay_within_the_stated_reach() {
        for (level, metres, degrees) in [(1, 0.02, 2.0_f32), (2, 0.05, 5.0), (3, 0.10, 10.0)] {
            let (mut moved, mut turned) = (0.0_f32, 0.0_f32);
            for seed in 0..200 {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let got = perturb_camera(&camera(), level, &mut rng);
                let shift = (got.position - camera().position).abs().max_element();
                let turn = got.rotation.angle_between(camera().rotation).to_degrees();
                assert!(shift <= metres + 1e-6 && turn <= degrees * 3.0_f32.sqrt() * 1.01);
                moved = moved.max(shift);
                turned = turned.max(turn);
            }
            assert!(moved > metres * 0.9 && turned > degrees, "{moved} {turned}");
        }
    }

    #[test]
    fn levels_share_their_draws() {
        let position = |level| {
            let mut rng = ChaCha8Rng::seed_from_u64(9);
            let shift = perturb_camera(&camera(), level, &mut rng).position - camera().position;
            (shift, rng.next_u32())
        };
        let (small, next) = position(1);
        let (large, same) = position(3);
        assert_eq!(next, same);
        assert!((small * 5.0 - large).length() < 1e-6, "{small} {large}");
    }

    #[test]
    fn tones_keep_the_hue() {
        // Hue as the place of the middle component between the smallest and the largest.
        let hue = |color: [f32; 3]| {
            let mut order = [0, 1, 2];
            order.sort_by(|&a, &b| color[a].total_cmp(&color[b]));
            let [low, middle, high] = order.map(|index| color[index]);
            (order, (middle - low) / (high - low))
        };
        for seed in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            for color in [[0.70, 0.02, 0.03], [0.86, 0.76, 0.05], [0.28, 0.04, 0.42]] {
                let got = perturb_tone(color, 3, &mut rng);
                assert!(got.iter().all(|part| (0.0..=1.0).contains(part)), "{got:?}");
                let ((order, place), (same_order, same_place)) = (hue(color), hue(got));
                assert!(
                    order == same_order && (place - same_place).abs() < 1e-4,
                    "{got:?}"
                );
            }
            let same = perturb_tone([0.1, 0.2, 0.3], 0, &mut rng);
            assert_eq!(same, [0.1, 0.2, 0.3]);
        }
    }

    #[test]
    fn light_and_materials_stay_valid() {
        let mut cloudy = 0;
        for seed in 0..400 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut scene = Scene::default();
            perturb_lighting(&mut scene, 3, &mut rng);
            assert!(scene.light.direction.z > 0.5 && scene.light.intensity > 0.3);
            assert!(scene.ambient > 0.15 && scene.ambient < 0.6);
            cloudy += u32::from(!scene.shadows);
            let color = perturb_color([0.0, 0.5, 1.0], 3, &mut rng);
            assert!(color.iter().all(|c| (0.0..=1.0).contains(c)));
            let fov = perturb_field_of_view(&camera(), 3, &mut rng).fov_y;
            assert!((0.8 / 1.26..0.8 * 1.26).contains(&fov));
        }
        assert!((150..250).contains(&cloudy), "{cloudy}");
    }
}
