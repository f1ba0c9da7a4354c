//! The zero-shot learner at its edges, and the authors' mixing of skills.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::agent::{Networks, SuccessorAgent, mixed};
use super::import::KEYS;
use super::networks::HilbertFeatures;
use super::{Batch, ZeroShotConfig};
use crate::checkpoint::{apply, collect, specs};
use crate::error::LearnError;
use crate::golden::{Golden, close, path, vec};
use crate::hilp::{ObservationShape, Observations};

fn small(observation: ObservationShape) -> ZeroShotConfig {
    ZeroShotConfig {
        observation,
        action_dim: 2,
        z_dim: 4,
        hidden_dim: 8,
        feature_dim: 6,
        phi_hidden_dim: 8,
        ..ZeroShotConfig::default()
    }
}

fn agent(config: &ZeroShotConfig) -> SuccessorAgent {
    let device = Device::flex().autodiff();
    device.seed(1);
    SuccessorAgent::new(config.clone(), Networks::new(config, &device))
}

fn batch(rows: usize, of: impl Fn(f32) -> Observations) -> Batch {
    let device = Device::flex();
    Batch {
        observations: of(0.1),
        next_observations: of(0.2),
        goals: of(0.7),
        actions: Tensor::ones([rows, 2], &device) * 0.5,
        discounts: Tensor::full([rows], 0.98, &device),
    }
}

#[test]
fn states_and_images_are_learned_from() {
    let device = Device::flex();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let config = small(ObservationShape::State { width: 3 });
    let states = |value: f32| {
        let rows = (0..18u8).map(|index| (f32::from(index) * 1.7 + value).sin());
        let rows = Tensor::<1>::from_floats(rows.collect::<Vec<_>>().as_slice(), &device);
        Observations::States(rows.reshape([6, 3]))
    };
    let mut states_agent = agent(&config);
    let before = collect(states_agent.networks(), 0);
    for _ in 0..3 {
        let report = states_agent.update(batch(6, states), &mut rng).unwrap();
        assert!(report.numbers.get("sf_loss").is_some_and(f32::is_finite));
    }
    let after = collect(states_agent.networks(), 0);
    for key in [
        "actor.policy.0.weight",
        "feature_learner.running_mean",
        "successor_target_net.f1.0.weight",
    ] {
        let features = vec(states_agent.features(&batch(6, states)));
        assert_ne!(
            before.tensors[key], after.tensors[key],
            "{key} {features:?}"
        );
    }
    // The unused network stays.
    let key = "feature_learner.feature_net.0.weight";
    assert_eq!(before.tensors[key], after.tensors[key]);

    let config = small(ObservationShape::Image {
        height: 21,
        width: 21,
        channels: 3,
    });
    let images =
        |value: f32| Observations::Images(Tensor::full([2, 21, 21, 3], 200.0 * value, &device));
    assert!(agent(&config).update(batch(2, images), &mut rng).is_ok());
    let refused = agent(&config).update(batch(6, states), &mut rng);
    assert!(matches!(refused, Err(LearnError::Batch(_))));
}

#[test]
fn skills_are_mixed_as_the_authors_mix_them() {
    let name = "hilp/zsrl_update_state_sfloss.safetensors";
    let golden = Golden::open(name);
    let device = Device::flex();
    let features = HilbertFeatures::new([9, 24, 8], 8, &device);
    let weights = KEYS.import(
        &golden.params("feature_learner/"),
        &specs(&features),
        &path(name),
    );
    let features = apply(features, &weights.unwrap(), &path(name)).unwrap();
    let next = golden.tensor::<2>("in/step0/next_obs", &device);
    let gauss = golden.tensor::<2>("in/step0/draw_gauss", &device);
    let order = golden.values("in/step0/draw_perm").iter();
    let order = order.map(|&row| row as usize).collect::<Vec<_>>();
    let uniforms = golden.values("in/step0/draw_uniform");
    let skills = super::networks::on_sphere(gauss);
    let got = mixed(features.features(next), skills, &order, uniforms, 0.5);
    close("z", &vec(got), golden.values("in/step0/z"), 1e-3);
}
