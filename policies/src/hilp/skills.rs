//! Skills: directions in the space of φ.

use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;

use crate::mdt::loss::normals;

/// `rows` directions drawn uniformly: Gaussian numbers brought to the length `length`, row-major.
///
/// The published results of the goal-conditioned variant came from a program that drew once and
/// used the same skills in every update; its authors have mended that, and so every update draws
/// here.
pub fn draw(rows: usize, width: usize, length: f32, rng: &mut impl Rng) -> Vec<f32> {
    let mut skills = normals(rows * width, rng);
    for skill in skills.chunks_exact_mut(width.max(1)) {
        let norm = skill.iter().map(|value| value * value).sum::<f32>().sqrt();
        for value in skill {
            *value *= length / norm.max(f32::MIN_POSITIVE);
        }
    }
    skills
}

/// [`draw`] as a tensor, `[rows, width]`.
pub fn draw_tensor(
    [rows, width]: [usize; 2],
    length: f32,
    rng: &mut impl Rng,
    device: &Device,
) -> Tensor<2> {
    let values = draw(rows, width, length, rng);
    Tensor::from_data(TensorData::new(values, [rows, width]), device)
}

/// Rows brought to the length `length`: `[rows, width]`.
pub fn normalised(rows: Tensor<2>, length: f32) -> Tensor<2> {
    let norms = rows.clone().square().sum_dim(1).sqrt();
    rows / norms * length
}

/// The skill from φ of here to φ of there, brought to the length `length`; zeros where they are
/// equal.
pub fn towards(here: &[f32], there: &[f32], length: f32) -> Vec<f32> {
    let factor = match distance(here, there) {
        0.0 => 0.0,
        distance => length / distance,
    };
    let pairs = here.iter().zip(there);
    pairs.map(|(here, there)| (there - here) * factor).collect()
}

/// Distance of two φ: steps between their states.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>().sqrt() as f32
}

/// ⟨φ(s′) − φ(s), z⟩ per row (equation 9 of the paper), without a scale and without an end of
/// episodes: `[batch, width]` each.
pub fn intrinsic_reward(phi: Tensor<2>, next_phi: Tensor<2>, skills: Tensor<2>) -> Tensor<1> {
    let [batch, _] = phi.dims();
    ((next_phi - phi) * skills).sum_dim(1).reshape([batch])
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn drawn_skills_have_their_length_and_differ() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let skills = draw(5, 7, 2.0, &mut rng);
        for skill in skills.chunks_exact(7) {
            let norm = skill.iter().map(|value| value * value).sum::<f32>().sqrt();
            assert!((norm - 2.0).abs() < 1e-5);
        }
        assert_ne!(skills[..7], skills[7..14]);
        assert!(draw(0, 7, 1.0, &mut rng).is_empty());
    }

    #[test]
    fn skills_point_to_the_goal() {
        close(
            "skill",
            &towards(&[1.0, 1.0], &[4.0, 5.0], 2.0),
            &[1.2, 1.6],
            1e-6,
        );
        assert_eq!(towards(&[1.0, 1.0], &[1.0, 1.0], 2.0), [0.0, 0.0]);
        assert_eq!(distance(&[1.0, 1.0], &[4.0, 5.0]), 5.0);
    }

    #[test]
    fn the_reward_is_progress_along_the_skill() {
        let device = Device::flex();
        let tensor = |values: [f32; 2]| Tensor::<2>::from_floats([values], &device);
        let reward = intrinsic_reward(tensor([1.0, 2.0]), tensor([4.0, 1.0]), tensor([0.6, 0.8]));
        close("reward", &vec(reward), &[1.0], 1e-6);
        let unit = normalised(tensor([3.0, 4.0]), 10.0);
        close("unit", &vec(unit), &[6.0, 8.0], 1e-6);
    }
}
