//! A temperature for every sample (iSogCLR, Qiu et al., arXiv 2305.11965, in its form for two
//! modalities).
//!
//! For an anchor `i` with differences `h_ij = s_ij - s_ii` to its negatives, the robust objective
//! `min_{τ ≥ τ_0} τ log mean_j e^(h_ij/τ) + τ ρ` has its own temperature: frequent meanings get a
//! large one, rare meanings a small one. Estimators, per anchor and direction:
//!
//! - `e_ij = e^(h_ij/τ_i - b_i)` with `b_i` the greatest exponent so far,
//! - `u_i <- (1 - γ) u_i e^(b_old - b_new) + γ mean_j e_ij` (the first time `u_i = mean_j e_ij`),
//! - `p_ij = e_ij / u_i`, without gradient, and the loss `mean_i mean_j p_ij h_ij`,
//! - `G_i = log u_i + b_i + ρ - mean_j p_ij h_ij/τ_i`, cut to `±5`,
//! - `v_i <- (1 - β) v_i + β G_i` and `τ_i <- clip(τ_i - η v_i, τ_min, τ_max)`.
//!
//! Both directions (sentences for an image pair, image pairs for a sentence) are added.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::host;

/// Constants of [`IndividualTemperatures`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndividualTemperatureConfig {
    /// Share of the newest estimate in `u`.
    pub gamma: f32,
    /// Temperature at the start.
    pub initial: f32,
    /// Least temperature.
    pub least: f32,
    /// Greatest temperature.
    pub greatest: f32,
    /// Price of a large temperature.
    pub rho: f32,
    /// Share of the newest gradient of a temperature.
    pub beta: f32,
    /// Step of a temperature.
    pub step: f32,
}

impl Default for IndividualTemperatureConfig {
    fn default() -> Self {
        Self {
            gamma: 0.8,
            initial: 0.07,
            least: 0.005,
            greatest: 1.0,
            rho: 6.0,
            beta: 0.9,
            step: 0.03,
        }
    }
}

/// Bound of the gradient of a temperature.
const CUT: f32 = 5.0;

/// What is known of one anchor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anchor {
    /// Temperature.
    pub temperature: f32,
    /// Mean exponential, relative to `e^greatest`.
    pub mean: f32,
    /// Greatest exponent.
    pub greatest: f32,
    /// Running gradient of the temperature.
    pub gradient: f32,
}

/// All anchors that were seen, by the index of their sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IndividualTemperatures {
    /// Constants.
    pub config: IndividualTemperatureConfig,
    /// Image pairs that look for their sentence.
    pub images: BTreeMap<u64, Anchor>,
    /// Sentences that look for their image pair.
    pub sentences: BTreeMap<u64, Anchor>,
}

impl IndividualTemperatures {
    /// Without any anchor.
    pub fn new(config: IndividualTemperatureConfig) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// The loss of a square of cosines (`[batch, batch]`, image pairs in rows), `[1]`, whose samples
    /// have the indices `samples`; all anchors of the batch move on by one step. `None` below two
    /// samples.
    pub fn loss(&mut self, cosines: Tensor<2>, samples: &[u64]) -> Option<Tensor<1>> {
        let count = samples.len();
        if count < 2 || cosines.dims() != [count; 2] {
            return None;
        }
        let values = host::values(cosines.clone());
        let config = self.config;
        let mut weights = vec![0.0; count * count];
        for (anchors, turned) in [(&mut self.images, false), (&mut self.sentences, true)] {
            for (own, sample) in samples.iter().enumerate() {
                let place = |other: usize| match turned {
                    false => own * count + other,
                    true => other * count + own,
                };
                let positive = values[place(own)];
                let others = (0..count).filter(|&other| other != own);
                let differences = others.clone().map(|other| values[place(other)] - positive);
                let differences = differences.collect::<Vec<_>>();
                let shares = Anchor::step(anchors, *sample, &differences, &config);
                for (other, share) in others.zip(shares) {
                    // h_ij holds s_ij with the weight and s_ii against it.
                    weights[place(other)] += share;
                    weights[place(own)] -= share;
                }
            }
        }
        let scale = 1.0 / (count * (count - 1)) as f64;
        let weights = TensorData::new(weights, [count, count]);
        let weights = Tensor::from_data(weights, &cosines.device());
        Some((cosines * weights).sum() * scale)
    }
}

impl Anchor {
    /// Moves an anchor on and gives the weights `p_j` of its negatives.
    fn step(
        anchors: &mut BTreeMap<u64, Self>,
        sample: u64,
        differences: &[f32],
        config: &IndividualTemperatureConfig,
    ) -> Vec<f32> {
        let known = anchors.get(&sample).copied();
        let temperature = known.map_or(config.initial, |anchor| anchor.temperature);
        let exponents = differences.iter().map(|h| h / temperature);
        let before = known.map_or(f32::NEG_INFINITY, |anchor| anchor.greatest);
        let greatest = exponents.clone().fold(before, f32::max);
        let terms = exponents
            .clone()
            .map(|exponent| (exponent - greatest).exp());
        let count = differences.len() as f32;
        let fresh = terms.clone().sum::<f32>() / count;
        let mean = known.map_or(fresh, |anchor| {
            let old = anchor.mean * (before - greatest).exp();
            (1.0 - config.gamma) * old + config.gamma * fresh
        });
        let shares = terms.map(|term| term / mean).collect::<Vec<_>>();
        let pull = shares
            .iter()
            .zip(exponents)
            .map(|(p, exponent)| p * exponent);
        let slope = mean.ln() + greatest + config.rho - pull.sum::<f32>() / count;
        let gradient = known.map_or(0.0, |anchor| anchor.gradient);
        let gradient = (1.0 - config.beta) * gradient + config.beta * slope.clamp(-CUT, CUT);
        let moved = temperature - config.step * gradient;
        anchors.insert(
            sample,
            Self {
                temperature: moved.clamp(config.least, config.greatest),
                mean,
                greatest,
                gradient,
            },
        );
        shares
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use burn::tensor::Device;

    use super::*;
    use crate::golden::vec;

    fn config() -> IndividualTemperatureConfig {
        IndividualTemperatureConfig {
            gamma: 0.5,
            initial: 0.5,
            least: 0.05,
            greatest: 1.0,
            rho: 0.4,
            beta: 1.0,
            step: 0.1,
        }
    }

    #[test]
    fn the_first_step_by_hand() {
        let device = Device::flex();
        let mut state = IndividualTemperatures::new(config());
        let cosines = Tensor::<2>::from_floats([[0.9, 0.1], [0.4, 0.8]], &device);
        let loss = state.loss(cosines, &[7, 3]).unwrap();
        // One negative per anchor: its weight is 1, so that the loss is the mean difference.
        let rows = (0.1 - 0.9) + (0.4 - 0.8);
        let columns = (0.4 - 0.9) + (0.1 - 0.8);
        assert!((vec(loss)[0] - (rows + columns) / 2.0).abs() < 1e-6);
        // G = 0 + b + ρ - b: the temperature falls by η ρ.
        let anchor = state.images[&7];
        assert!((anchor.temperature - 0.46).abs() < 1e-6);
        assert!((anchor.greatest + 1.6).abs() < 1e-6 && (anchor.mean - 1.0).abs() < 1e-6);
        assert_eq!(state.sentences.len(), 2);
    }

    #[test]
    fn the_mean_follows_and_keeps_its_scale() {
        let mut anchors = BTreeMap::new();
        let config = IndividualTemperatureConfig {
            step: 0.0,
            ..config()
        };
        Anchor::step(&mut anchors, 1, &[-0.5, -1.0], &config);
        // Exponents -1 and -2.
        let first = f32::midpoint(1.0, (-1f32).exp());
        assert!((anchors[&1].mean - first).abs() < 1e-6);
        let shares = Anchor::step(&mut anchors, 1, &[0.5, -0.5], &config);
        // Exponents 1 and -1: the greatest moves from -1 to 1.
        let fresh = f32::midpoint(1.0, (-2f32).exp());
        let mean = 0.5 * first * (-2f32).exp() + 0.5 * fresh;
        assert!((anchors[&1].mean - mean).abs() < 1e-6);
        assert!((shares[0] - 1.0 / mean).abs() < 1e-5);
    }

    #[test]
    fn gradients_pull_the_pair_together() {
        let device = Device::flex().autodiff();
        let mut state = IndividualTemperatures::new(config());
        let cosines = Tensor::<2>::from_floats([[0.9, 0.1], [0.4, 0.8]], &device).require_grad();
        let loss = state.loss(cosines.clone(), &[0, 1]).unwrap();
        let mut gradients = loss.backward();
        let gradient = vec(cosines.grad_remove(&mut gradients).unwrap());
        assert_eq!(gradient, [-1.0, 1.0, 1.0, -1.0]);
        assert!(state.loss(Tensor::ones([1, 1], &device), &[0]).is_none());
    }
}
