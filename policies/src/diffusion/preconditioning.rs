//! Scaling of inputs and outputs that keeps the network's task alike at every noise level
//! (Karras et al., arXiv 2206.00364, table 1).

use burn::tensor::Tensor;

/// `D(x, s) = c_out(s) F(c_in(s) x, s) + c_skip(s) x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preconditioning {
    /// Standard deviation of clean data.
    pub sigma_data: f64,
}

/// The three factors, each shaped like the noise levels that they were computed from.
#[derive(Clone, Debug)]
pub struct Scalings<T> {
    /// Weight of the noisy input in the estimate.
    pub c_skip: T,
    /// Weight of the network's output.
    pub c_out: T,
    /// Factor of the network's input.
    pub c_in: T,
}

impl Preconditioning {
    /// Factors at one noise level.
    pub fn at(&self, sigma: f64) -> Scalings<f64> {
        let data = self.sigma_data * self.sigma_data;
        let total = sigma * sigma + data;
        Scalings {
            c_skip: data / total,
            c_out: sigma * self.sigma_data / total.sqrt(),
            c_in: total.sqrt().recip(),
        }
    }

    /// Factors at noise levels of any shape.
    pub fn scalings<const D: usize>(&self, sigma: &Tensor<D>) -> Scalings<Tensor<D>> {
        let data = self.sigma_data * self.sigma_data;
        let total = sigma.clone().square() + data;
        let root = total.clone().sqrt();
        Scalings {
            c_skip: total.recip() * data,
            c_out: sigma.clone() * self.sigma_data / root.clone(),
            c_in: root.recip(),
        }
    }
}
