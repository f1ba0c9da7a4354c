//! The packed denoiser against the network that it was packed from.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::{Device, Distribution, Tensor, TensorData};

use super::Mdt;
use super::config::{DenoiserConfig, MdtConfig, NoiseInput};
use super::denoiser::{Denoiser, GoalHead};
use super::model::Inputs;
use super::packed::{PackedContext, PackedDenoiser};
use super::packed_planner::PackedPlanner;
use super::planning::{Descent, Ladder, SeededNoise, encode, sample};
use crate::diffusion::SamplerKind;
use crate::golden::{close, vec};
use crate::nn::kernels::Precision;
use crate::training::tests::tiny;

fn config() -> DenoiserConfig {
    DenoiserConfig {
        width: 40,
        heads: 5,
        encoder_layers: 2,
        decoder_layers: 3,
        observation_dim: 24,
        goal_dim: 12,
        ..MdtConfig::paper().denoiser
    }
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

#[test]
fn packed_and_plain_agree() {
    let device = Device::flex();
    let options = [
        config(),
        DenoiserConfig {
            bias: true,
            linear_output: false,
            full_cross_attention: true,
            action_positions: true,
            unit_modulation: true,
            ..config()
        },
    ];
    for config in options {
        let network = Denoiser::new(&config, &device);
        let mut packed = PackedDenoiser::new(&network, Precision::Single).unwrap();
        let tokens = random::<3>([1, 4, config.width], &device);
        let actions = random::<3>([1, config.horizon, config.action_dim], &device);
        let output = network.encoder.forward(tokens.clone());
        close(
            "encoder",
            &packed.encode(&vec(tokens)),
            &vec(output.clone()),
            1e-5,
        );

        let sigma = Tensor::<1>::from_data(TensorData::from([0.7f32]), &device);
        let noise = network.block_noise(&network.embed_sigma(sigma));
        let context = network.project(&output);
        let expected = vec(network.decode(actions.clone(), &noise, &context));
        let noise = packed.noise(&noise).unwrap();
        let actions = vec(actions);
        for context in [
            PackedContext::of(&context),
            packed.project(&vec(output.clone())),
        ] {
            let mut out = vec![0.0; expected.len()];
            packed.decode(&actions, &noise, &context, &mut out);
            close("decoder", &out, &expected, 1e-5);
        }
    }
}

#[test]
fn other_conditionings_are_not_packed() {
    for noise in [NoiseInput::Added, NoiseInput::EncoderToken] {
        let config = DenoiserConfig { noise, ..config() };
        let network = Denoiser::new(&config, &Device::flex());
        assert!(PackedDenoiser::new(&network, Precision::Single).is_none());
    }
}

#[test]
fn packed_and_plain_plans_agree_for_every_sampler() {
    let device = Device::flex();
    device.seed(5);
    let config = tiny();
    let model = Mdt::new(&config, &device);
    let d = &config.denoiser;
    let size = config.static_camera.size;
    let inputs = Inputs {
        static_images: random([1, size, size, 3], &device),
        gripper_images: random([1, size, size, 3], &device),
        goal: random([1, d.goal_dim], &device),
        head: GoalHead::default(),
        proprioception: Some(random([1, d.proprioception], &device)),
    };
    let plain = encode(&model, &inputs);
    let mut planner = PackedPlanner::new(model.denoiser(), Precision::Single).unwrap();
    let (output, context) = planner.encode(&model, &inputs);
    close("encoder", &vec(output), &vec(plain.output.unwrap()), 1e-5);
    for sampler in [
        SamplerKind::Ddim,
        SamplerKind::Heun(Default::default()),
        SamplerKind::DpmFast,
        SamplerKind::EulerAncestral { eta: 1.0 },
    ] {
        let mut diffusion = config.diffusion.clone();
        diffusion.sampler = sampler;
        let mut ladder = Ladder::new(model.denoiser(), &diffusion, 5, &device);
        let noise = || SeededNoise::new(&[9], [d.horizon, d.action_dim], &device);
        let (denoiser, from) = (model.denoiser(), &plain.context);
        let expected = sample(
            denoiser,
            &diffusion,
            &mut ladder,
            from,
            Descent::new(noise()),
        )
        .unwrap();
        let mut plan = || {
            let sampled = planner.sample(denoiser, &diffusion, 5, &context, Descent::new(noise()));
            let sampled = sampled.unwrap();
            assert_eq!(sampled.steps, expected.steps);
            vec(sampled.actions)
        };
        let (first, again) = (plan(), plan());
        assert_eq!(first, again);
        close("chunk", &first, &vec(expected.actions), 1e-4);
    }
}
