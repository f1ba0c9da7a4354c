//! The logarithm of a sum of exponentials that does not overflow.

use burn::tensor::Tensor;

/// Stands for minus infinity where a term does not count.
pub const UNUSED: f32 = -1e30;

/// `log Σ e^x` over an axis, which stays with one place. Terms of [`UNUSED`] do not count as long as
/// another one does.
pub fn log_sum_exp<const D: usize>(terms: Tensor<D>, axis: usize) -> Tensor<D> {
    let shift = terms.clone().detach().max_dim(axis);
    (terms - shift.clone()).exp().sum_dim(axis).log() + shift
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::golden::vec;

    #[test]
    fn large_numbers_do_not_overflow() {
        let device = Device::flex();
        let terms = Tensor::<2>::from_floats([[1000.0, 1000.0, UNUSED], [0.0, 1.0, 2.0]], &device);
        let sums = vec(log_sum_exp(terms, 1));
        assert!((sums[0] - (1000.0 + 2f32.ln())).abs() < 1e-3);
        let want = (1.0 + 1f32.exp() + 2f32.exp()).ln();
        assert!((sums[1] - want).abs() < 1e-6);
    }
}
