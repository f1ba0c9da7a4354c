//! The goal-conditioned learner at its edges.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::networks::Networks;
use super::{Batch, SkillAgent, SkillConfig};
use crate::checkpoint::collect;
use crate::error::LearnError;
use crate::hilp::{ObservationShape, Observations};
use crate::nn::ImpalaConfig;

fn small() -> SkillConfig {
    SkillConfig {
        observation: ObservationShape::State { width: 2 },
        action_dim: 2,
        skill_dim: 3,
        value_hidden: vec![16, 16],
        actor_hidden: vec![16],
        learning_rate: 3e-3,
        ..SkillConfig::default()
    }
}

fn agent(config: &SkillConfig) -> SkillAgent {
    let device = Device::flex().autodiff();
    device.seed(1);
    SkillAgent::new(config.clone(), Networks::new(config, &device))
}

/// Points on a line that walk to the right.
fn batch(rows: usize) -> Batch {
    let device = Device::flex();
    let column = |offset: usize| {
        let places = (0..rows).map(|row| ((row + offset) % 10) as f32 / 10.0);
        let places = places.flat_map(|x| [x, 0.0]).collect::<Vec<_>>();
        let places = Tensor::<1>::from_floats(places.as_slice(), &device);
        Observations::States(places.reshape([rows, 2]))
    };
    Batch {
        observations: column(0),
        next_observations: column(1),
        goals: column(4),
        actions: Tensor::ones([rows, 2], &device) * 0.5,
        reached: Tensor::zeros([rows], &device),
    }
}

#[test]
fn updates_move_the_networks_and_their_slow_copies() {
    let config = small();
    let mut agent = agent(&config);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let before = collect(agent.networks(), 0);
    let first = agent.update(&batch(20), &mut rng).unwrap();
    let after = collect(agent.networks(), 0);
    let key = "value.head.dense.0.kernel";
    let slow = "target_value.head.dense.0.kernel";
    assert_ne!(before.tensors[key], after.tensors[key]);
    // The slow copy began equal and follows the weights as they were before.
    for (a, b) in before.tensors[slow]
        .values
        .iter()
        .zip(&after.tensors[slow].values)
    {
        assert!((a - b).abs() < 1e-6);
    }
    let mut last = first.clone();
    for _ in 0..60 {
        last = agent.update(&batch(20), &mut rng).unwrap();
    }
    let loss = |report: &super::UpdateReport| report.numbers.get("skill_actor/mse").unwrap();
    assert!(
        loss(&last) < 0.5 * loss(&first),
        "{} {}",
        loss(&first),
        loss(&last)
    );
}

#[test]
fn batches_that_do_not_fit_are_refused_and_change_nothing() {
    let config = small();
    let mut agent = agent(&config);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let before = collect(agent.networks(), 0);
    let device = Device::flex();
    let good = batch(4);
    let broken = [
        Batch {
            actions: Tensor::zeros([4, 3], &device),
            ..good.clone()
        },
        Batch {
            actions: Tensor::zeros([5, 2], &device),
            ..good.clone()
        },
        Batch {
            reached: Tensor::zeros([3], &device),
            ..good.clone()
        },
        Batch {
            goals: batch(3).goals,
            ..good.clone()
        },
        Batch {
            observations: Observations::States(Tensor::zeros([4, 5], &device)),
            ..good.clone()
        },
        Batch {
            observations: Observations::Images(Tensor::zeros([4, 8, 8, 3], &device)),
            ..good.clone()
        },
    ];
    for batch in broken {
        assert!(matches!(
            agent.update(&batch, &mut rng),
            Err(LearnError::Batch(_))
        ));
    }
    let poisoned = Batch {
        actions: Tensor::full([4, 2], f32::NAN, &device),
        ..good
    };
    let refused = agent.update(&poisoned, &mut rng);
    assert!(matches!(refused, Err(LearnError::NonFinite { .. })));
    assert_eq!(before, collect(agent.networks(), 0));
}

#[test]
fn images_are_learned_from_too() {
    let config = SkillConfig {
        observation: ObservationShape::Image {
            height: 8,
            width: 8,
            channels: 3,
        },
        encoder: ImpalaConfig::named("impala_debug"),
        ..small()
    };
    assert_eq!(config.problem(), None);
    let mut agent = agent(&config);
    let device = Device::flex();
    let images = |value: f32| Observations::Images(Tensor::full([4, 8, 8, 3], value, &device));
    let batch = Batch {
        observations: images(10.0),
        next_observations: images(20.0),
        goals: images(200.0),
        ..batch(4)
    };
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    assert!(agent.update(&batch, &mut rng).is_ok());
}
