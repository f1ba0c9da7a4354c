//! Expectile weights (implicit Q-learning, Kostrikov et al., arXiv 2110.06169).

use burn::tensor::Tensor;

/// `expectile` where the advantage is not negative, `1 - expectile` elsewhere. Without gradient.
pub fn weights(advantage: Tensor<1>, expectile: f32) -> Tensor<1> {
    let advantage = advantage.inner();
    let ahead = advantage.clone().greater_equal_elem(0.0);
    let behind = advantage.zeros_like() + (1.0 - expectile);
    behind.mask_fill(ahead, expectile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn zero_counts_as_ahead() {
        let advantage = Tensor::from_floats([-0.1, 0.0, 3.0], &burn::tensor::Device::flex());
        close(
            "weights",
            &vec(weights(advantage, 0.9)),
            &[0.1, 0.9, 0.9],
            1e-6,
        );
    }
}
