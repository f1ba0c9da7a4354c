#![allow(clippy::unwrap_used)]

use burn::nn::Linear;
use burn::tensor::{Device, Distribution, Tensor};

use super::hyper_score::HyperScore;
use crate::nn::linear::linear;

const STATE: usize = 3;
const WIDTH: usize = 6;
const PART: usize = 4;
const ROWS: usize = 5;

struct Layers {
    encoder: Linear,
    codes: Vec<Linear>,
    maps: Linear,
    direction: Linear,
}

impl Layers {
    fn new(parts: usize, device: &Device) -> Self {
        let layer = |input, output| {
            let mut layer = linear(input, output, false, device);
            layer.weight = layer.weight.map(|weight| {
                weight
                    .random_like(Distribution::Normal(0.0, 0.7))
                    .require_grad()
            });
            layer
        };
        Self {
            encoder: layer(STATE, WIDTH),
            codes: (1..parts).map(|_| layer(PART, parts)).collect(),
            maps: layer(parts, WIDTH * (WIDTH + 1)),
            direction: layer(PART, WIDTH),
        }
    }

    fn network(&self, skip: bool) -> HyperScore<'_> {
        HyperScore {
            encoder: &self.encoder,
            codes: &self.codes,
            maps: &self.maps,
            direction: &self.direction,
            skip,
            temperature: 0.3,
        }
    }
}

fn random(shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn assert_close(got: &[f32], want: &[f32], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = 1.0 + want.iter().fold(0f32, |most, value| most.max(value.abs()));
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() < 1e-5 * scale, "{what}: {got} {want}");
    }
}

/// Parts 1 to 6: from no generated map to five, with two shortcuts.
#[test]
fn the_gradient_is_that_of_the_score_at_any_depth() {
    let device = Device::flex().autodiff();
    for parts in 1..=6 {
        for skip in [false, true] {
            let layers = Layers::new(parts, &device);
            let network = layers.network(skip);
            let states = random([ROWS, STATE], &device).require_grad();
            let score = network.score(states.clone(), random([ROWS, PART * parts], &device));
            let ours = values(network.gradient(&score));
            let mut grads = score.probability().sum().backward();
            let theirs = values(states.grad_remove(&mut grads).unwrap());
            assert_close(&ours, &theirs, &format!("{parts} parts, shortcuts {skip}"));
        }
    }
}

/// A second derivative by differences of first ones.
#[test]
fn the_gradient_can_be_differentiated_again() {
    let device = Device::flex().autodiff();
    for (parts, skip) in [(2, false), (4, true)] {
        let layers = Layers::new(parts, &device);
        let network = layers.network(skip);
        let parameters = random([ROWS, PART * parts], &device);
        let weights = random([ROWS, STATE], &device);
        let states = random([ROWS, STATE], &device).require_grad();
        let along = |states: Tensor<2>| {
            let score = network.score(states, parameters.clone());
            (network.gradient(&score) * weights.clone()).sum()
        };
        let mut grads = along(states.clone()).backward();
        let found = values(states.grad_remove(&mut grads).unwrap());
        let step = 1e-2;
        for index in 0..ROWS * STATE {
            let mut shift = vec![0f32; ROWS * STATE];
            shift[index] = step;
            let shift: Tensor<2> =
                Tensor::<1>::from_floats(shift.as_slice(), &device).reshape([ROWS, STATE]);
            let at = |states: Tensor<2>| {
                let sum = along(states).into_data();
                sum.iter::<f32>().next().unwrap()
            };
            let (above, below) = (
                at(states.clone().detach() + shift.clone()),
                at(states.clone().detach() - shift),
            );
            let slope = (above - below) / (2.0 * step);
            // Kinks of the rectifiers may lie between.
            if parts == 2 {
                assert!(
                    (slope - found[index]).abs() < 2e-2 * (1.0 + slope.abs()),
                    "{index}"
                );
            }
        }
        assert!(found.iter().all(|value| value.is_finite()));
    }
}

#[test]
fn one_concept_for_all_states_is_the_same_as_many_copies() {
    let device = Device::flex().autodiff();
    let layers = Layers::new(3, &device);
    let network = layers.network(true);
    let states = random([ROWS, STATE], &device);
    let one = random([1, PART * 3], &device);
    let shared = network.score(states.clone(), one.clone());
    let copied = network.score(states, one.repeat_dim(0, ROWS));
    assert_close(
        &values(shared.logit.clone()),
        &values(copied.logit.clone()),
        "logits",
    );
    assert_close(
        &values(network.gradient(&shared)),
        &values(network.gradient(&copied)),
        "gradients",
    );
}
