//! Behaviour cloning: the mean of `-log π(a)` over the samples of a batch, weighted.

use burn::tensor::{Tensor, TensorData};

use super::distribution::ActionDistribution;
use crate::host;

/// Numbers of one branch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BranchInfo {
    /// The loss.
    pub actor_loss: f32,
    /// Squared distance of the mode from the action.
    pub mse: f32,
    /// Logarithm of the action's density.
    pub log_probs: f32,
    /// Mean of the mode.
    pub pi_actions: f32,
    /// Mean standard deviation.
    pub mean_std: f32,
    /// Greatest standard deviation of a sample.
    pub max_std: f32,
}

/// Loss of one branch and its numbers, `[6]`; `None` if no sample has weight.
pub fn branch(
    distribution: &ActionDistribution,
    actions: &Tensor<2>,
    weights: Vec<f32>,
) -> Option<(Tensor<1>, Tensor<1>)> {
    let sum = weights.iter().sum::<f32>();
    if sum.is_nan() || sum <= 0.0 {
        return None;
    }
    let rows = weights.len();
    let device = actions.device();
    let weights = Tensor::<1>::from_data(TensorData::new(weights, [rows]), &device);
    let mean = |values: Tensor<1>| (values * weights.clone()).sum() / f64::from(sum);
    let row = |values: Tensor<2>| -> Tensor<1> { values.squeeze_dim(1) };
    let log_probs = mean(distribution.log_prob(actions.clone()));
    let mode = distribution.mode();
    let errors = row((mode.clone() - actions.clone()).square().sum_dim(1));
    let spread = row(distribution.std().mean_dim(1));
    let loss = log_probs.clone().neg();
    let numbers = Tensor::cat(
        vec![
            loss.clone(),
            mean(errors),
            log_probs,
            mean(row(mode.mean_dim(1))),
            mean(spread.clone()),
            (spread * weights.clone()).max(),
        ],
        0,
    );
    Some((loss, numbers.detach()))
}

impl BranchInfo {
    /// From the six numbers of [`branch`].
    pub fn read(numbers: Tensor<1>) -> Self {
        let mut values = host::values(numbers).into_iter();
        let mut next = || values.next().unwrap_or(f32::NAN);
        Self {
            actor_loss: next(),
            mse: next(),
            log_probs: next(),
            pi_actions: next(),
            mean_std: next(),
            max_std: next(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use burn::tensor::Device;

    use super::*;
    use crate::golden::vec;

    #[test]
    fn samples_without_weight_do_not_count() {
        let device = Device::flex();
        let distribution = ActionDistribution {
            mean: Tensor::from_floats([[0.0], [5.0], [1.0]], &device),
            log_std: Tensor::zeros([3, 1], &device),
            squash: false,
        };
        let actions = Tensor::from_floats([[2.0], [0.0], [1.0]], &device);
        let (loss, numbers) = branch(&distribution, &actions, vec![1.0, 0.0, 1.0]).unwrap();
        // ½ 2² for the first sample, 0 for the last, and the constant.
        let want = 1.0 + 0.5 * std::f32::consts::TAU.ln();
        assert!((vec(loss)[0] - want).abs() < 1e-6);
        let info = BranchInfo::read(numbers);
        assert!((info.mse - 2.0).abs() < 1e-6 && (info.pi_actions - 0.5).abs() < 1e-6);
        assert_eq!(info.max_std, 1.0);
        assert!(branch(&distribution, &actions, vec![0.0; 3]).is_none());
    }
}
