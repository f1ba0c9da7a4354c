//! DPM-Solver-fast (Lu et al., arXiv 2206.00927, algorithm 4): steps of third order, with lower ones
//! at the end so that the network is called a given number of times.

use burn::tensor::Tensor;

use crate::diffusion::Schedule;
use crate::diffusion::sampler::{Denoise, Noise, Progress, Sampler, Step, slope};

/// Where the inner stages of a step of third order lie.
const STAGES: [f64; 2] = [1.0 / 3.0, 2.0 / 3.0];
/// Where the inner stage of a step of second order lies.
const STAGE: f64 = 0.5;

/// The solver, without fresh noise. It ends at the least level, not at 0.
#[derive(Clone, Copy, Debug)]
pub struct DpmFast {
    /// How often the network is called.
    pub calls: usize,
}

impl DpmFast {
    /// Order of a step: 3 except at the end.
    fn order(&self, index: usize) -> usize {
        let steps = self.calls / 3 + 1;
        let left = steps.saturating_sub(index + 1);
        match (self.calls % 3, left) {
            (0, 0) => 1,
            (0, 1) => 2,
            (rest, 0) => rest,
            _ => 3,
        }
    }
}

impl Sampler for DpmFast {
    /// Equal steps of the logarithm, whatever the schedule.
    fn levels(&self, _: Schedule, _: usize, [sigma_min, sigma_max]: [f64; 2]) -> Vec<f64> {
        let steps = self.calls / 3 + 1;
        (0..=steps)
            .map(|i| sigma_max * (sigma_min / sigma_max).powf(i as f64 / steps as f64))
            .collect()
    }

    fn step(
        &mut self,
        state: Tensor<3>,
        step: Step<'_>,
        denoise: &mut Denoise<'_>,
        _: &mut Noise<'_>,
    ) -> Progress {
        let (sigma, next) = (step.sigma(), step.next());
        let length = (sigma / next).ln();
        let clean = denoise(&state, sigma);
        let noise = slope(&state, &clean, sigma);
        // From `state` along `noise` over a share of the step.
        let along = |share: f64| {
            let level = sigma * (-share * length).exp();
            let walked = state.clone() - noise.clone() * (level * (share * length).exp_m1());
            (level, walked)
        };
        let (_, whole) = along(1.0);
        // `(exp(h) - 1) / h - 1`, the weight of a noise that changes linearly.
        let linear = |length: f64| length.exp_m1() / length - 1.0;
        let mut noise_at = |state: &Tensor<3>, level: f64| {
            let clean = denoise(state, level);
            slope(state, &clean, level) - noise.clone()
        };
        let state = match self.order(step.index) {
            1 => whole,
            2 => {
                let (level, half) = along(STAGE);
                let change = noise_at(&half, level);
                whole - change * (next / (2.0 * STAGE) * length.exp_m1())
            }
            _ => {
                let [first, second] = STAGES;
                let (level, stage) = along(first);
                let change = noise_at(&stage, level);
                let (level, stage) = along(second);
                let factor = level * second / first * linear(second * length);
                let change = noise_at(&(stage - change * factor), level);
                whole - change * (next / second * linear(length))
            }
        };
        Progress { state, clean }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_is_called_as_often_as_asked() {
        for (calls, orders) in [
            (3, vec![2, 1]),
            (4, vec![3, 1]),
            (5, vec![3, 2]),
            (6, vec![3, 2, 1]),
            (10, vec![3, 3, 3, 1]),
            (2, vec![2]),
        ] {
            let solver = DpmFast { calls };
            let levels = solver.levels(Schedule::Exponential, 0, [0.1, 10.0]);
            let got = (0..levels.len() - 1).map(|i| solver.order(i));
            assert_eq!(got.collect::<Vec<_>>(), orders, "{calls} calls");
            assert_eq!(orders.iter().sum::<usize>(), calls);
        }
    }
}
