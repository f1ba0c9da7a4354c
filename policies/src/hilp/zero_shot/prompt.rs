//! Prompting: from rewards or from a goal to a skill (section 6 of the paper).

use burn::tensor::{Tensor, TensorData};

use super::config::FeatureKind;
use super::linear_algebra::{apply, gram, least_squares, pseudo_inverse};
use super::networks::on_sphere;
use crate::hilp::statistics::host;

/// What successor features add up, `[batch, z]`, from the features of s and of s′.
pub fn added(kind: FeatureKind, state: Tensor<2>, next: Tensor<2>) -> Tensor<2> {
    match kind {
        FeatureKind::State => next,
        FeatureKind::Diff => next - state,
        FeatureKind::Concat => Tensor::cat(vec![state, next], 1),
    }
}

/// A skill out of rewards.
#[derive(Clone, Debug, PartialEq)]
pub struct RewardPrompt {
    /// The weights of the features that explain the rewards best.
    pub weights: Vec<f32>,
    /// The same, √width long.
    pub skill: Vec<f32>,
}

/// Linear regression of `rewards` on `features`, `[samples, z]`: no constant and no penalty
/// (equation 13 of the paper). The authors take 10,000 samples. All zeros if nothing is explained.
pub fn from_rewards(features: Tensor<2>, rewards: &[f32]) -> RewardPrompt {
    let [_, width] = features.dims();
    let weights = least_squares(&host(features), width, rewards);
    RewardPrompt {
        skill: scaled(&weights),
        weights: weights.iter().map(|&weight| weight as f32).collect(),
    }
}

/// The direction from φ of the states to φ of the goals, √width long: `[batch, z]` each. To be
/// computed anew at every step.
pub fn from_goal(phi: Tensor<2>, goal: Tensor<2>) -> Tensor<2> {
    on_sphere(goal - phi)
}

/// A skill per row of `features`, `[batch, z]`, that rewards what the row is: `f C⁺`, √width long,
/// with `C` the mean of all rows' outer products.
pub fn from_features(features: Tensor<2>) -> Tensor<2> {
    let device = features.device();
    let [rows, width] = features.dims();
    let values = host(features);
    let mean = gram(&values, width)
        .iter()
        .map(|sum| sum / rows.max(1) as f64)
        .collect::<Vec<_>>();
    // Single precision's noise, as the authors' pseudo-inverse counts it.
    let cut = width as f64 * f64::from(f32::EPSILON);
    let inverse = pseudo_inverse(&mean, width, cut);
    let skills = values.chunks_exact(width.max(1)).flat_map(|row| {
        let row = row.iter().map(|&value| f64::from(value));
        scaled(&apply(&inverse, &row.collect::<Vec<_>>()))
    });
    let skills = skills.collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(skills, [rows, width]), &device)
}

fn scaled(vector: &[f64]) -> Vec<f32> {
    let norm = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    let factor = (vector.len() as f64).sqrt() / norm.max(1e-12);
    vector.iter().map(|value| (value * factor) as f32).collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn rewards_of_a_known_direction_give_it_back() {
        let device = Device::flex();
        let features = Tensor::from_floats([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]], &device);
        let prompt = from_rewards(features, &[3.0, 4.0, 10.0]);
        close("weights", &prompt.weights, &[3.0, 4.0], 1e-6);
        let root = 2f32.sqrt();
        close("skill", &prompt.skill, &[0.6 * root, 0.8 * root], 1e-6);
    }

    #[test]
    fn what_is_added_up() {
        let device = Device::flex();
        let row = |value: f32| Tensor::<2>::from_floats([[value]], &device);
        let of = |kind| vec(added(kind, row(1.0), row(3.0)));
        assert_eq!(of(FeatureKind::State), [3.0]);
        assert_eq!(of(FeatureKind::Diff), [2.0]);
        assert_eq!(of(FeatureKind::Concat), [1.0, 3.0]);
    }

    #[test]
    fn skills_of_rows_undo_the_spread() {
        let device = Device::flex();
        // The mean of outer products is diag(2, 1/2): its inverse turns (2, 1) to (1, 2).
        let rows = Tensor::from_floats([[2.0, 1.0], [-2.0, 1.0], [0.0, 0.0], [0.0, 0.0]], &device);
        let skills = vec(from_features(rows));
        let factor = (2f32 / 5.0).sqrt();
        close("skill", &skills[..2], &[factor, 2.0 * factor], 1e-5);
        assert_eq!(skills[4..], [0.0; 4]);
    }
}
