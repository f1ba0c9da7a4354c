//! The reconstruction decoder against the authors'.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use burn::tensor::{Device, Distribution, Tensor};

use super::config::ForesightConfig;
use super::hard_patches::HardPatches;
use super::mgf::Foresight;
use crate::checkpoint::{KeyMap, apply, specs};
use crate::golden::{Golden, close, vec};
use crate::training::gradients::GradientSet;
use crate::training::tests::tiny;

fn decoder(golden: &Golden, device: &Device) -> Foresight {
    let config = golden.config();
    let number = |key: &str| config[key].as_u64().unwrap() as usize;
    let foresight = ForesightConfig {
        resolution: number("resolution"),
        patch: number("patch_size"),
        width: number("decoder_embed_dim"),
        heads: number("decoder_n_heads"),
        layers: number("decoder_depth"),
        mask_ratio: config["mask_ratio"].as_f64().unwrap(),
        lookahead: 3,
        hard_patches: None,
    };
    let network = Foresight::new(&foresight, number("context_dim"), device);
    let params = golden.params("gen_img.");
    let keys = KeyMap {
        ignored: &["decoder_pe"],
        ..KeyMap::MDT
    };
    let origin = Path::new("golden");
    let weights = keys.import(&params, &specs(&network), origin).unwrap();
    apply(network, &weights, origin).unwrap()
}

#[test]
fn reconstruction_loss_and_gradients() {
    let golden = Golden::open("mdt/mgf_small.safetensors");
    let device = Device::flex().autodiff();
    let network = decoder(&golden, &device);
    let mask = network.mask(golden.values("in/mask_noise"));
    golden.check("out/mask", &mask, 0.0);
    let context = golden.tensor::<3>("in/context", &device).require_grad();
    let targets = golden.tensor::<5>("in/target_images", &device);
    let targets = targets.permute([0, 1, 3, 4, 2]);
    let out = network.forward(context.clone(), targets, mask);
    golden.check_tensor("out/pred", out.pixels, 2e-5);
    let loss = out.loss.mean();
    golden.check_tensor("out/loss", loss.clone(), 2e-5);
    let mut grads = loss.backward();
    let grad = context.grad_remove(&mut grads).unwrap();
    golden.check_tensor("out/grad/in/context", grad, 1e-4);
    let set = GradientSet::take(&network, grads, |_| true);
    let specs = specs(&network);
    let mut compared = 0;
    for (key, want) in &golden.tensors {
        let Some(key) = key.strip_prefix("out/grad/gen_img.") else {
            continue;
        };
        let spec = specs.iter().find(|spec| spec.key == key).unwrap();
        let mut got = set.by_key[key].clone();
        if spec.linear {
            let count = got.dims()[0];
            got = got
                .reshape([spec.shape[0], spec.shape[1]])
                .transpose()
                .reshape([count]);
        }
        close(key, &vec(got), &want.values, 1e-4);
        compared += 1;
    }
    assert!(compared >= 10, "only {compared} gradients compared");
}

#[test]
fn hard_patches_are_hidden_and_learned() {
    let device = Device::flex().autodiff();
    device.seed(7);
    let config = ForesightConfig {
        hard_patches: Some(HardPatches {
            first: 1.0,
            last: 1.0,
        }),
        patch: 4,
        ..tiny().foresight.unwrap()
    };
    let network = Foresight::new(&config, 16, &device);
    let patches = network.patches();
    let normal = Distribution::Normal(0.0, 1.0);
    let side = config.resolution;
    let context = Tensor::<3>::random([2, 4, 16], normal, &device).require_grad();
    let targets = Tensor::<5>::random([2, 2, side, side, 3], normal, &device);
    let uniforms = vec![0.5; 2 * patches];
    let mask = network.choose(&context, &targets, &uniforms, 0.0);
    assert_eq!(mask.len(), 4 * patches);
    let hidden = network.mask(&uniforms).iter().sum::<f32>();
    assert_eq!(mask.iter().sum::<f32>(), 2.0 * hidden);
    // The cameras differ, and nothing of the choice is left to chance.
    assert_ne!(mask[..patches], mask[patches..2 * patches]);
    let other = uniforms.iter().enumerate().map(|(i, _)| i as f32);
    let again = network.choose(&context, &targets, &other.collect::<Vec<_>>(), 0.0);
    assert_eq!(mask, again);

    let out = network.forward(context, targets, mask);
    let set = GradientSet::take(&network, out.loss.mean().backward(), |_| true);
    let largest = |key: &str| {
        let gradient = vec(set.by_key[key].clone());
        gradient.into_iter().map(f32::abs).fold(0.0, f32::max)
    };
    assert!(largest("difficulty.weight") > 0.0);
    assert!(largest("decoder_patch_prediction.weight") > 0.0);
}
