//! MDT-V as a policy's network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::{Device, Distribution, Tensor};

use super::config::{DenoiserConfig, MdtConfig, ObservationInput, VoltronConfig};
use super::denoiser::GoalHead;
use super::model::{Inputs, Mdt, Views};
use crate::checkpoint::specs;
use crate::nn::PerceiverConfig;
use crate::voltron::VCondConfig;

fn config() -> MdtConfig {
    let paper = MdtConfig::paper_v();
    let width = 16;
    MdtConfig {
        voltron: Some(VoltronConfig {
            encoder: VCondConfig {
                resolution: 32,
                patch: 8,
                width,
                heads: 2,
                layers: 1,
                ..VCondConfig::small()
            },
            perceiver: PerceiverConfig {
                width,
                layers: 1,
                heads: 2,
                head_width: 8,
                ..PerceiverConfig::mdt_v()
            },
        }),
        denoiser: DenoiserConfig {
            width,
            heads: 2,
            encoder_layers: 1,
            decoder_layers: 1,
            observation_dim: width,
            goal_dim: 12,
            ..paper.denoiser
        },
        foresight: None,
        ..paper
    }
}

#[test]
fn both_cameras_become_a_few_latents() {
    let device = Device::flex();
    let config = config();
    assert_eq!(config.problem(), None);
    let model = Mdt::new(&config, &device);
    let images = |side: usize| {
        let normal = Distribution::Normal(0.0, 1.0);
        Tensor::<4>::random([2, side, side, 3], normal, &device)
    };
    let inputs = Inputs {
        static_images: images(32),
        gripper_images: images(12),
        goal: Tensor::zeros([2, 12], &device),
        head: GoalHead::Language,
        proprioception: None,
    };
    let Views::Latents(latents) = model.views(&inputs) else {
        panic!("no latents");
    };
    assert_eq!(latents.dims(), [2, 3, 16]);
    assert_eq!(model.context(&inputs, None).dims(), [2, 4, 16]);
    // Only what MDT-V has is built.
    let keys = specs(&model);
    assert!(
        keys.iter()
            .any(|spec| spec.key == "img_encoder.vcond.language_block")
    );
    assert!(!keys.iter().any(|spec| spec.key.contains("resnet")));
}

#[test]
fn configurations_that_do_not_fit_are_named() {
    assert_eq!(MdtConfig::paper_v().problem(), None);
    let mut narrow = config();
    narrow.denoiser.observation_dim = 20;
    assert!(narrow.problem().unwrap().contains("observation_dim"));
    let mut other = config();
    other.denoiser.observation = ObservationInput::Latents { count: 5 };
    assert!(other.problem().unwrap().contains("latents"));
    let mut none = config();
    none.voltron = None;
    assert!(none.problem().unwrap().contains("voltron"));
}
