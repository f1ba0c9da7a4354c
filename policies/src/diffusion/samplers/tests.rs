//! Samplers on a denoiser that is known: for normal data of deviation 1 around 0, the best estimate
//! of a state `x` at level `s` is `x / (1 + s²)`, and the probability-flow equation takes `x` at
//! level `s` to `x sqrt(1 + s'²) / sqrt(1 + s²)` at level `s'`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::{Device, Tensor};

use super::{Churn, SamplerKind};
use crate::diffusion::{Schedule, Step};

const RANGE: [f64; 2] = [0.01, 10.0];

fn number(tensor: Tensor<3>) -> f64 {
    f64::from(tensor.try_into_vec_as::<f32>().unwrap()[0])
}

/// Where a sampler takes 5 at level 10, and how often it called the network and drew noise.
fn run(kind: SamplerKind, steps: usize) -> (f64, usize, usize) {
    let device = Device::flex();
    let mut sampler = kind.start(steps);
    let levels = sampler.levels(Schedule::Exponential, steps, RANGE);
    let (mut calls, mut draws) = (0, 0);
    let mut state = Tensor::<3>::full([1, 1, 1], 5.0, &device);
    for index in 0..levels.len() - 1 {
        let mut denoise = |state: &Tensor<3>, sigma: f64| {
            calls += 1;
            state.clone() / (1.0 + sigma * sigma)
        };
        let mut noise = || {
            draws += 1;
            Tensor::full([1, 1, 1], 0.5, &device)
        };
        let step = Step {
            levels: &levels,
            index,
        };
        let progress = sampler.step(state, step, &mut denoise, &mut noise);
        assert!(number(progress.clean).is_finite());
        state = progress.state;
    }
    (number(state), calls, draws)
}

#[test]
fn deterministic_samplers_solve_the_equation() {
    let exact = 5.0 / 101f64.sqrt();
    let plain = Churn::default();
    for (kind, calls, bound) in [
        (SamplerKind::Ddim, 40, 0.03),
        (SamplerKind::Euler(plain), 40, 0.03),
        (SamplerKind::Heun(plain), 79, 2e-3),
        (SamplerKind::Dpm2(plain), 79, 2e-3),
        (SamplerKind::Lms { order: 1 }, 40, 0.03),
        (SamplerKind::Lms { order: 4 }, 40, 2e-3),
        (SamplerKind::DpmPp2m, 40, 2e-3),
        (SamplerKind::DpmPp2s, 79, 2e-3),
        (SamplerKind::DpmFast, 41, 1e-3),
    ] {
        let (got, called, draws) = run(kind, 40);
        assert!((got - exact).abs() < bound, "{kind:?}: {got} {exact}");
        assert_eq!((called, draws), (calls, 0), "{kind:?}");
        assert!(kind.problem().is_none());
    }
}

#[test]
fn stochastic_samplers_draw_what_the_authors_draw() {
    let churn = Churn {
        amount: 4.0,
        least: 0.1,
        greatest: Some(5.0),
        noise: None,
    };
    let (eta, noise) = (1.0, 1.0);
    for (kind, draws) in [
        (SamplerKind::Euler(churn), 10),
        (SamplerKind::Heun(churn), 10),
        (SamplerKind::Dpm2(churn), 10),
        (SamplerKind::EulerAncestral { eta }, 9),
        (SamplerKind::Dpm2Ancestral { eta }, 9),
        (SamplerKind::DpmPp2sAncestral { eta, noise }, 10),
        (
            SamplerKind::DpmPpSde {
                eta,
                noise,
                middle: 0.5,
            },
            18,
        ),
    ] {
        let (got, _, drawn) = run(kind, 10);
        assert!(got.is_finite(), "{kind:?}");
        assert_eq!(drawn, draws, "{kind:?}");
        assert!(kind.problem().is_none());
    }
}

#[test]
fn without_fresh_noise_ancestral_samplers_are_their_plain_ones() {
    let plain = Churn::default();
    let (eta, noise) = (0.0, 1.0);
    for (fresh, sure) in [
        (
            SamplerKind::EulerAncestral { eta },
            SamplerKind::Euler(plain),
        ),
        (SamplerKind::Dpm2Ancestral { eta }, SamplerKind::Dpm2(plain)),
        (
            SamplerKind::DpmPp2sAncestral { eta, noise },
            SamplerKind::DpmPp2s,
        ),
    ] {
        assert!((run(fresh, 10).0 - run(sure, 10).0).abs() < 1e-6);
    }
}

#[test]
fn one_euler_step_by_hand() {
    let device = Device::flex();
    let mut sampler = SamplerKind::Euler(Churn::default()).start(1);
    let step = Step {
        levels: &[2.0, 1.0],
        index: 0,
    };
    let state = Tensor::<3>::full([1, 1, 1], 3.0, &device);
    // The slope is (3 - 1) / 2, the step -1.
    let mut denoise = |_: &Tensor<3>, _: f64| Tensor::full([1, 1, 1], 1.0, &device);
    let mut noise = || Tensor::full([1, 1, 1], 9.0, &device);
    let progress = sampler.step(state, step, &mut denoise, &mut noise);
    assert!((number(progress.state) - 2.0).abs() < 1e-6);
}

#[test]
fn unusable_settings_are_named() {
    let churn = Churn {
        amount: -1.0,
        ..Churn::default()
    };
    for kind in [
        SamplerKind::Heun(churn),
        SamplerKind::Lms { order: 0 },
        SamplerKind::Lms { order: 5 },
        SamplerKind::EulerAncestral { eta: 2.0 },
        SamplerKind::DpmPpSde {
            eta: 1.0,
            noise: 1.0,
            middle: 0.0,
        },
    ] {
        assert!(kind.problem().is_some(), "{kind:?}");
    }
}
