//! Parts of the losses.

use burn::tensor::{Device, Tensor, TensorData};

/// Squared error per step, averaged over the last axis, zero beyond a window's length:
/// `[batch, steps, width]` twice to `[batch, steps]`.
pub fn step_errors(predicted: Tensor<3>, target: Tensor<3>, lengths: &[usize]) -> Tensor<2> {
    let [batch, steps, _] = predicted.dims();
    let errors = (predicted - target).square().mean_dim(2);
    let mask = length_mask(lengths, steps, &errors.device());
    errors.reshape([batch, steps]) * mask
}

/// One for steps before a window's length, zero for padding: `[windows, steps]`.
pub fn length_mask(lengths: &[usize], steps: usize, device: &Device) -> Tensor<2> {
    let row = |&length: &usize| (0..steps).map(move |step| f32::from(step < length));
    let values = lengths.iter().flat_map(row).collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(values, [lengths.len(), steps]), device)
}

/// `-log(1 - score)` where the score should be small, from its logit: the softplus, which does not
/// overflow where the score rounds to one.
pub fn against(logit: Tensor<2>) -> Tensor<2> {
    let magnitude = logit.clone().abs();
    logit.clamp_min(0.0) + (-magnitude).exp().log1p()
}

/// The next concept to train a classifier of: after `turn`, round and round, the first that occurs.
/// `None` if there are no steps.
pub fn next_turn(turn: usize, concepts: usize, assigned: &[usize]) -> Option<usize> {
    (1..=concepts)
        .map(|ahead| (turn + ahead) % concepts)
        .find(|concept| assigned.contains(concept))
}

/// Zero for the `share` of steps with the greatest errors, one for the others; both row-major.
pub fn mask_worst(errors: &[f32], share: f64) -> Vec<f32> {
    let count = (share * errors.len() as f64) as usize;
    let mut order = (0..errors.len()).collect::<Vec<_>>();
    order.sort_by(|&a, &b| errors[b].total_cmp(&errors[a]));
    let mut mask = vec![1.0; errors.len()];
    for &worst in order.iter().take(count) {
        mask[worst] = 0.0;
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
    }

    #[test]
    fn padding_has_no_error() {
        let predicted = tensor(&[1.0, 2.0, 5.0, 5.0], [1, 2, 2]);
        let errors = step_errors(predicted, tensor(&[0.0; 4], [1, 2, 2]), &[1]);
        assert_eq!(
            errors.to_data().iter::<f32>().collect::<Vec<_>>(),
            [2.5, 0.0]
        );
    }

    #[test]
    fn the_penalty_is_that_of_the_score_and_stays_finite() {
        let found = against(tensor(&[0.0, -3.0, 3.0, 200.0], [1, 4])).to_data();
        let found = found.iter::<f64>().collect::<Vec<_>>();
        let of_score = |x: f64| -(1.0 - 1.0 / (1.0 + (-x).exp())).ln();
        for (found, logit) in found.iter().zip([0.0, -3.0, 3.0]) {
            assert!((found - of_score(logit)).abs() < 1e-6);
        }
        assert_eq!(found[3], 200.0);
    }

    #[test]
    fn turns_pass_over_concepts_that_do_not_occur() {
        assert_eq!(next_turn(0, 8, &[0, 4, 7]), Some(4));
        assert_eq!(next_turn(7, 8, &[0, 4]), Some(0));
        assert_eq!(next_turn(4, 8, &[4]), Some(4));
        assert_eq!(next_turn(4, 8, &[]), None);
    }

    #[test]
    fn the_worst_share_is_rounded_down() {
        assert_eq!(mask_worst(&[1.0, 4.0, 3.0], 0.7), [1.0, 0.0, 0.0]);
        assert_eq!(mask_worst(&[1.0, 4.0, 3.0], 0.3), [1.0; 3]);
        assert_eq!(mask_worst(&[1.0, 4.0, 3.0], 1.0), [0.0; 3]);
    }
}
