//! The image encoder against the authors' network with reduced widths.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use burn::tensor::{Device, Tensor};

use super::resnet::{Pooling, ResNet, ResNetConfig, Stem};
use crate::checkpoint::{KeyMap, apply, specs};
use crate::golden::{Golden, close, vec};
use crate::training::gradients::GradientSet;

fn encoder(golden: &Golden, device: &Device) -> ResNet {
    let config = ResNetConfig {
        stem: Stem {
            channels: 16,
            ..ResNetConfig::resnet18().stem
        },
        widths: vec![16, 16, 32, 32],
        blocks: vec![2, 1, 1, 1],
        pooling: Pooling::Average,
        ..ResNetConfig::resnet18()
    };
    let network = ResNet::new(&config, 1, 24, device);
    let params = golden.params("static_resnet.");
    let origin = Path::new("golden");
    let weights = KeyMap::MDT
        .import(&params, &specs(&network), origin)
        .unwrap();
    apply(network, &weights, origin).unwrap()
}

fn planes(map: &Tensor<4>) -> Tensor<4> {
    map.clone().permute([0, 3, 1, 2])
}

#[test]
fn stages_and_embedding() {
    let golden = Golden::open("mdt/resnet_tiny.safetensors");
    let device = Device::flex();
    let network = encoder(&golden, &device);
    let images = golden
        .tensor::<4>("in/img_0", &device)
        .permute([0, 2, 3, 1]);
    let mut hidden = network.stem(images);
    golden.check_tensor("out/img_0/after_3", planes(&hidden), 2e-5);
    for (index, stage) in network.stages().into_iter().enumerate() {
        hidden = ResNet::stage(stage, hidden, None);
        golden.check_tensor(
            &format!("out/img_0/after_{}", index + 4),
            planes(&hidden),
            2e-5,
        );
    }
    for image in ["img_0", "img_1"] {
        let images = golden
            .tensor::<4>(&format!("in/{image}"), &device)
            .permute([0, 2, 3, 1]);
        let embedding = network.forward(images, None);
        golden.check_tensor(&format!("out/{image}/embedding"), embedding, 2e-5);
    }
}

#[test]
fn gradients() {
    let golden = Golden::open("mdt/resnet_tiny.safetensors");
    let device = Device::flex().autodiff();
    let network = encoder(&golden, &device);
    let images = golden.tensor::<4>("in/img_1", &device).require_grad();
    let probe = golden.tensor::<2>("in/probe_last", &device);
    let mut grads = (network.forward(images.clone().permute([0, 2, 3, 1]), None) * probe)
        .sum()
        .backward();
    let grad = images.grad_remove(&mut grads).unwrap();
    golden.check_tensor("out/grad/in/img_1", grad, 1e-4);
    let set = GradientSet::take(&network, grads, |_| true);
    let mut compared = 0;
    for (key, want) in &golden.tensors {
        if let Some(key) = key.strip_prefix("out/grad/static_resnet.") {
            close(key, &vec(set.by_key[key].clone()), &want.values, 1e-4);
            compared += 1;
        }
    }
    assert!(compared >= 6, "only {compared} gradients compared");
}

#[test]
fn images_seen_again_are_as_in_a_batch_of_their_own() {
    let device = Device::flex();
    for goal_film in [false, true] {
        let config = ResNetConfig {
            stem: Stem {
                channels: 16,
                kernel: 3,
                stride: 2,
                max_pool: false,
            },
            widths: vec![16, 32],
            blocks: vec![2, 1],
            strides: vec![2, 1],
            pooling: Pooling::SpatialSoftmax { keypoints: 4 },
            goal_film,
        };
        let network = ResNet::new(&config, 6, 8, &device);
        let normal = burn::tensor::Distribution::Normal(0.0, 1.0);
        let images = Tensor::<4>::random([3, 16, 16, 3], normal, &device);
        let goals = Tensor::<2>::random([5, 6], normal, &device);
        let first = network.forward(images.clone(), Some(&goals.clone().narrow(0, 0, 3)));
        let again = network.forward(
            images.clone().narrow(0, 0, 2),
            Some(&goals.clone().narrow(0, 3, 2)),
        );
        let both = network.forward(images, Some(&goals));
        close(
            "vectors",
            &vec(both),
            &[vec(first), vec(again)].concat(),
            1e-6,
        );
    }
}
