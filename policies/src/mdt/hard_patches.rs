//! Hard patches mining: a head predicts how badly each patch will be reconstructed, and what is
//! predicted to be hard is hidden more often (Wang et al., arXiv 2304.05919 and 2312.13714).
//!
//! Departure: the head's own present weights choose the patches, where the authors keep a moving
//! average of them as a teacher.

use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// How much of what is hidden is chosen for being hard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HardPatches {
    /// Share of the hidden patches at the beginning of training: the authors' 0. Everything is
    /// hidden at random then.
    pub first: f64,
    /// Share at the end: the authors' 0.5.
    pub last: f64,
}

impl Default for HardPatches {
    fn default() -> Self {
        Self {
            first: 0.0,
            last: 0.5,
        }
    }
}

impl HardPatches {
    /// What is wrong, if anything.
    pub fn problem(&self) -> Option<String> {
        let inside = [self.first, self.last].map(|share| (0.0..=1.0).contains(&share));
        (inside != [true; 2]).then(|| "first and last must lie in [0, 1]".into())
    }

    /// The share when `progress`, in [0, 1], of the training is done: from easy to hard, in a
    /// straight line.
    pub fn share(&self, progress: f64) -> f64 {
        self.first + (self.last - self.first) * progress.clamp(0.0, 1.0)
    }
}

/// Hides all patches but `visible` ones, 1 for hidden: the share `hard` of them where `difficulty`
/// is greatest, and of the others those with the greatest `uniforms`. Both have one number per patch
/// of one picture.
pub fn hide(difficulty: &[f32], uniforms: &[f32], visible: usize, hard: f64) -> Vec<f32> {
    let patches = difficulty.len();
    let hidden = patches.saturating_sub(visible);
    let chosen = ((hidden as f64 * hard) as usize).min(hidden);
    let mut order = (0..patches).collect::<Vec<_>>();
    order.sort_by(|&a, &b| difficulty[b].total_cmp(&difficulty[a]));
    let (hardest, others) = order.split_at(chosen);
    let mut others = others.to_vec();
    others.sort_by(|&a, &b| uniforms[b].total_cmp(&uniforms[a]));
    let mut mask = vec![0.0; patches];
    for &patch in hardest.iter().chain(others.iter().take(hidden - chosen)) {
        mask[patch] = 1.0;
    }
    mask
}

/// How badly the order of `predicted` difficulties is that of the `errors`, per picture:
/// `[pictures, patches]` twice to `[pictures]` (equation 5: the mean over pairs of hidden patches of
/// the cross-entropy of which of the two is harder). `mask` is 1 for hidden patches. Gradients reach
/// the predictions only; pairs of equal errors count nothing.
pub fn ranking_loss(predicted: Tensor<2>, errors: &[f32], mask: &[f32]) -> Tensor<1> {
    let [pictures, patches] = predicted.dims();
    let device = predicted.device();
    let pairs = errors.chunks_exact(patches).zip(mask.chunks_exact(patches));
    let mut harder = Vec::with_capacity(pictures * patches * patches);
    let mut counts = Vec::with_capacity(pictures);
    for (errors, mask) in pairs {
        let before = harder.len();
        for (a, hidden_a) in errors.iter().zip(mask) {
            for (b, hidden_b) in errors.iter().zip(mask) {
                let both = *hidden_a > 0.0 && *hidden_b > 0.0;
                harder.push(match a.partial_cmp(b) {
                    Some(order) if both => f32::from(order as i8),
                    _ => 0.0,
                });
            }
        }
        let count = harder[before..].iter().filter(|sign| **sign != 0.0);
        counts.push(count.count().max(1) as f32);
    }
    let shape = [pictures, patches, patches];
    let harder = Tensor::<3>::from_data(TensorData::new(harder, shape), &device);
    let counts = Tensor::<1>::from_data(TensorData::new(counts, [pictures]), &device);
    let first = predicted.clone().reshape([pictures, patches, 1]);
    let second = predicted.reshape([pictures, 1, patches]);
    let margin = (first - second) * harder.clone();
    // -ln sigmoid(margin), without overflow.
    let loss = relu(margin.clone().neg()) + (margin.abs().neg().exp() + 1.0).log();
    let total = (loss * harder.abs())
        .reshape([pictures, patches * patches])
        .sum_dim(1)
        .reshape([pictures]);
    total / counts
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::golden::vec;

    #[test]
    fn the_hard_and_some_others_are_hidden() {
        let difficulty = [0.1, 0.9, 0.2, 0.8, 0.3];
        let uniforms = [0.9, 0.1, 0.3, 0.2, 0.5];
        // At random: the three greatest uniforms.
        let random = hide(&difficulty, &uniforms, 2, 0.0);
        assert_eq!(random, [1.0, 0.0, 1.0, 0.0, 1.0]);
        // Two of four by difficulty (1 and 3), then the greatest uniforms of the others (0 and 4).
        let half = hide(&difficulty, &uniforms, 1, 0.5);
        assert_eq!(half, [1.0, 1.0, 0.0, 1.0, 1.0]);
        let all = hide(&difficulty, &uniforms, 3, 1.0);
        assert_eq!(all, [0.0, 1.0, 0.0, 1.0, 0.0]);
        assert_eq!(hide(&difficulty, &uniforms, 9, 0.5), [0.0; 5]);
    }

    #[test]
    fn the_ranking_loss_by_hand() {
        let device = Device::flex();
        let predicted = Tensor::<2>::from_data([[1.0f32, 0.0, 5.0], [0.5, 0.5, 0.5]], &device);
        let errors = [2.0, 1.0, 9.0, 1.0, 1.0, 1.0];
        // The third patch of the first picture is seen; the second picture has no order.
        let mask = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0];
        let loss = vec(ranking_loss(predicted, &errors, &mask));
        // Both orders of the only pair: -ln sigmoid(1).
        assert!((loss[0] - (1.0 + (-1.0f32).exp()).ln()).abs() < 1e-6);
        assert_eq!(loss[1], 0.0);
    }

    #[test]
    fn far_predictions_do_not_overflow() {
        let device = Device::flex();
        let predicted = Tensor::<2>::from_data([[-300.0f32, 300.0]], &device);
        let loss = vec(ranking_loss(predicted, &[1.0, 0.0], &[1.0, 1.0]));
        assert_eq!(loss, [600.0]);
    }

    #[test]
    fn shares_grow_in_a_straight_line() {
        let hard = HardPatches::default();
        assert_eq!(
            [0.0, 0.5, 2.0].map(|done| hard.share(done)),
            [0.0, 0.25, 0.5]
        );
        assert!(hard.problem().is_none());
        let too_much = HardPatches { last: 1.5, ..hard };
        assert!(too_much.problem().is_some());
    }
}
