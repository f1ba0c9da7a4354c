//! What the comparison of the golden files leaves out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use burn::module::Module as _;
use burn::tensor::{Device, Tensor};

use super::config::{DenoiserConfig, MdtConfig, ObservationInput};
use super::denoiser::{Denoiser, GoalHead, Tokens, Views};
use super::loss::{ActionNoise, action_loss};
use super::planning::{Context, Descent, Ladder, SeededNoise, sample};
use crate::diffusion::SamplerKind;
use crate::golden::{path, vec};
use crate::parity::GoldenFile;
use crate::parity::mdt::network::{config, diffusion, network, tokens};
use crate::training::gradients::GradientSet;
use crate::training::tests::tiny;

fn golden(name: &str) -> GoldenFile {
    GoldenFile::open(Path::new(&path(&format!("mdt/{name}.safetensors")))).unwrap()
}

/// The optimiser leaves tensors without a gradient alone, so there must be none where the authors
/// have none.
#[test]
fn unused_tensors_have_no_gradient() {
    let device = Device::flex().autodiff();
    for file in ["mdt_core", "mdt_variant_no_ada", "mdtv_core"].map(golden) {
        for scope in ["lang", "vis"] {
            let network = network(&file, &device).unwrap();
            let noise = ActionNoise {
                sigma: file.values("in/sigma").unwrap(),
                noise: file.values("in/noise").unwrap(),
                draws: 1,
            };
            let tokens = tokens(&file, scope, &device).unwrap();
            let actions = file.tensor("in/actions", &device).unwrap();
            let loss = action_loss(
                &network,
                &diffusion(&file).unwrap(),
                tokens,
                actions,
                &noise,
            );
            let grads = loss.per_sample.mean().backward();
            let set = GradientSet::take(&network, grads, |_| true);
            assert!(set.by_key.len() > 20);
            for key in file.config()["no_grad_params"][scope].as_array().unwrap() {
                let key = key.as_str().unwrap();
                assert!(!set.by_key.contains_key(key), "{key}");
            }
        }
    }
}

#[test]
fn plans_are_those_of_every_sampler() {
    let file = golden("mdt_samplers");
    let device = Device::flex();
    let network = network(&file, &device).unwrap();
    let kinds = [
        SamplerKind::Ddim,
        SamplerKind::Heun(Default::default()),
        SamplerKind::Lms { order: 4 },
        SamplerKind::DpmPp2m,
        SamplerKind::DpmFast,
        SamplerKind::EulerAncestral { eta: 1.0 },
    ];
    let context = network.policy_context(tokens(&file, "lang", &device).unwrap(), None);
    let context = Context::Fixed(network.project(&context));
    for sampler in kinds {
        let mut diffusion = diffusion(&file).unwrap();
        diffusion.sampler = sampler;
        let mut ladder = Ladder::new(&network, &diffusion, diffusion.steps, &device);
        let mut plan = |seed: u64| {
            let noise = SeededNoise::new(&[seed, 1], [10, 7], &device);
            let sampled = sample(
                &network,
                &diffusion,
                &mut ladder,
                &context,
                Descent::new(noise),
            );
            sampled.unwrap().actions.try_into_vec_as::<f32>().unwrap()
        };
        let plan_of = [plan(3), plan(3), plan(4)];
        assert_eq!(plan_of[0], plan_of[1], "{sampler:?}");
        assert_ne!(plan_of[0], plan_of[2], "{sampler:?}");
    }
}

#[test]
fn told_and_shown_goals_take_their_heads_row_by_row() {
    let device = Device::flex();
    let config = DenoiserConfig {
        observation: ObservationInput::Latents { count: 3 },
        head_by_scope: true,
        ..config(&golden("mdt_core")).unwrap()
    };
    let network = Denoiser::new(&config, &device);
    let tokens = |head: GoalHead| Tokens {
        goal: Tensor::<2>::ones([2, config.goal_dim], &device),
        head,
        views: Views::Latents(Tensor::<3>::ones([2, 3, config.observation_dim], &device)),
        proprioception: None,
    };
    let row = |context: Tensor<3>, row: usize| {
        context.narrow(0, row, 1).try_into_vec_as::<f32>().unwrap()
    };
    let mixed = network.policy_context(tokens(GoalHead::of(&[true, false], &device)), None);
    let told = network.policy_context(tokens(GoalHead::of(&[true, true], &device)), None);
    let shown = network.policy_context(tokens(GoalHead::of(&[false, false], &device)), None);
    let close = |a: Vec<f32>, b: Vec<f32>| a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(close(row(mixed.clone(), 0), row(told.clone(), 0)));
    assert!(close(row(mixed, 1), row(shown.clone(), 1)));
    assert!(!close(row(told, 0), row(shown, 0)));
    assert!(MdtConfig::paper().problem().is_none());
}

#[test]
fn numbers_of_goals_are_left_out_in_training_only() {
    let config = DenoiserConfig {
        goal_dropout: 0.999_999_9,
        ..tiny().denoiser
    };
    let plain = Device::flex();
    plain.seed(4);
    let network = Denoiser::new(&config, &plain);
    let embedded = |network: &Denoiser, goal: f32, device: &Device| {
        let view = Tensor::zeros([1, config.observation_dim], device);
        let tokens = Tokens {
            goal: Tensor::full([1, config.goal_dim], goal, device),
            head: GoalHead::Goal,
            views: Views::Cameras {
                static_view: view.clone(),
                gripper_view: view,
            },
            proprioception: None,
        };
        vec(network.embed(tokens, GoalHead::Goal, None))
    };
    let [some, none] = [1.0, 0.0].map(|goal| embedded(&network, goal, &plain));
    assert_ne!(some, none);
    let training = plain.autodiff();
    let network = network.fork(&training);
    assert_eq!(embedded(&network, 1.0, &training), none);
}
