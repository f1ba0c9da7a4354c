//! The packed denoiser against the network that it was packed from.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::{Device, Distribution, Tensor, TensorData};

use super::config::{DenoiserConfig, MdtConfig, NoiseInput};
use super::denoiser::Denoiser;
use super::packed::{PackedContext, PackedDenoiser};
use crate::golden::{close, vec};

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
        let mut packed = PackedDenoiser::new(&network).unwrap();
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
        assert!(PackedDenoiser::new(&network).is_none());
    }
}
