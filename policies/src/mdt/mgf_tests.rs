//! The reconstruction decoder against the authors'.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use burn::tensor::Device;

use super::config::ForesightConfig;
use super::mgf::Foresight;
use crate::checkpoint::{KeyMap, apply, specs};
use crate::golden::{Golden, close, vec};
use crate::training::gradients::GradientSet;

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
