//! A linear multistep method (Adams and Bashforth) on the probability-flow equation.

use std::collections::VecDeque;

use burn::tensor::Tensor;

use crate::diffusion::sampler::{Denoise, Noise, Progress, Sampler, Step, slope};

/// Most slopes that the quadrature of [`weight`] is exact for.
pub const HIGHEST_ORDER: usize = 4;

/// Integrates the polynomial through the last slopes.
#[derive(Clone, Debug)]
pub struct Lms {
    order: usize,
    /// The newest first.
    slopes: VecDeque<Tensor<3>>,
}

impl Lms {
    /// With the last `order` slopes, 1 to [`HIGHEST_ORDER`].
    pub fn new(order: usize) -> Self {
        Self {
            order: order.clamp(1, HIGHEST_ORDER),
            slopes: VecDeque::new(),
        }
    }
}

impl Sampler for Lms {
    fn step(
        &mut self,
        state: Tensor<3>,
        step: Step<'_>,
        denoise: &mut Denoise<'_>,
        _: &mut Noise<'_>,
    ) -> Progress {
        let clean = denoise(&state, step.sigma());
        self.slopes.push_front(slope(&state, &clean, step.sigma()));
        self.slopes.truncate(self.order);
        let known = step.levels.iter().take(step.index + 1).rev().copied();
        let known = known.take(self.slopes.len()).collect::<Vec<_>>();
        let state = self
            .slopes
            .iter()
            .enumerate()
            .fold(state, |state, (j, slope)| {
                state + slope.clone() * weight(&known, j, step.next())
            });
        Progress { state, clean }
    }
}

/// Integral from the newest of the `known` levels to `next` of the polynomial that is 1 at level `j`
/// and 0 at the others.
///
/// Gauss and Legendre's rule with two points is exact for the polynomials of up to third degree that
/// four levels give.
fn weight(known: &[f64], j: usize, next: f64) -> f64 {
    let Some(&start) = known.first() else {
        return 0.0;
    };
    let (centre, half) = ((start + next) / 2.0, (next - start) / 2.0);
    let at = |sigma: f64| {
        known
            .iter()
            .enumerate()
            .filter(|&(k, _)| k != j)
            .map(|(_, &other)| (sigma - other) / (known[j] - other))
            .product::<f64>()
    };
    let offset = half / 3f64.sqrt();
    half * (at(centre - offset) + at(centre + offset))
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn weights_are_those_of_adams_and_bashforth() {
        // On even levels one apart, downwards: h (23/12, -16/12, 5/12).
        let known = [3.0, 4.0, 5.0];
        for (j, want) in [-23.0 / 12.0, 16.0 / 12.0, -5.0 / 12.0].iter().enumerate() {
            assert!((weight(&known, j, 2.0) - want).abs() < 1e-12);
        }
        assert!((weight(&[3.0], 0, 2.5) + 0.5).abs() < 1e-12);
        let four = [3.0, 4.0, 5.0, 6.0];
        let wants = [-55.0 / 24.0, 59.0 / 24.0, -37.0 / 24.0, 9.0 / 24.0];
        for (j, want) in wants.iter().enumerate() {
            assert!((weight(&four, j, 2.0) - want).abs() < 1e-12);
        }
    }
}
