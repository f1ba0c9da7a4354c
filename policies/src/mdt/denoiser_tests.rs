//! The denoiser against the authors' network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use burn::tensor::{Device, Tensor};
use serde_json::Value;

use super::config::{DenoiserConfig, DiffusionConfig, MdtConfig, NoiseInput};
use super::denoiser::{Denoiser, GoalHead, Tokens};
use super::loss::{ActionNoise, action_loss};
use crate::checkpoint::{KeyMap, apply, specs};
use crate::golden::{Golden, close, vec};
use crate::training::gradients::GradientSet;

/// Forward passes agree to this, relative to the largest value.
const FORWARD: f32 = 2e-5;
/// Gradients agree to this, relative to the largest value.
const GRADIENT: f32 = 1e-4;

const KEYS: KeyMap = KeyMap {
    ignored: &["proprio_emb."],
    ..KeyMap::MDT
};

fn config(golden: &Golden) -> DenoiserConfig {
    let config = golden.config();
    let inner = &config["inner_model"];
    let number = |key: &str| inner[key].as_u64().unwrap() as usize;
    let flag = |key: &str| inner[key].as_bool().unwrap();
    let noise = match (flag("use_noise_encoder"), flag("use_ada_conditioning")) {
        (true, _) => NoiseInput::Added,
        (false, true) => NoiseInput::AdaptiveNorm,
        (false, false) => NoiseInput::EncoderToken,
    };
    DenoiserConfig {
        width: number("embed_dim"),
        heads: number("n_heads"),
        encoder_layers: number("n_enc_layers"),
        decoder_layers: number("n_dec_layers"),
        observation_dim: number("obs_dim"),
        goal_dim: number("goal_dim"),
        action_dim: number("action_dim"),
        horizon: number("action_seq_len"),
        noise,
        bias: flag("bias"),
        linear_output: flag("linear_output"),
        mlp_goal: flag("use_mlp_goal"),
        position_table: flag("use_abs_pos_emb"),
        attention_dropout: 0.0,
        residual_dropout: 0.0,
        mlp_dropout: 0.0,
        ..MdtConfig::paper().denoiser
    }
}

fn network(golden: &Golden, device: &Device) -> Denoiser {
    let network = Denoiser::new(&config(golden), device);
    let params = golden.params("model.inner_model.");
    let origin = Path::new("golden");
    let weights = KEYS.import(&params, &specs(&network), origin).unwrap();
    apply(network, &weights, origin).unwrap()
}

fn diffusion() -> DiffusionConfig {
    MdtConfig::paper().diffusion
}

fn flat(golden: &Golden, key: &str, device: &Device) -> Tensor<2> {
    let shape = &golden.get(key).shape;
    let rows = shape[0];
    golden
        .tensor_any(key, device)
        .reshape([rows, shape.iter().product::<usize>() / rows])
}

fn tokens(golden: &Golden, scope: &str, device: &Device) -> Tokens {
    let goal = if scope == "lang" {
        "in/goal_lang"
    } else {
        "in/goal_img"
    };
    Tokens {
        goal: flat(golden, goal, device),
        static_view: flat(golden, "in/static", device),
        gripper_view: flat(golden, "in/gripper", device),
        proprioception: None,
    }
}

fn forward(file: &str) {
    let golden = Golden::open(file);
    let device = Device::flex();
    let network = network(&golden, &device);
    let sigma = golden.tensor::<1>("in/sigma", &device);
    let noise = network.embed_sigma(sigma.clone());
    golden.check_tensor("out/sigma_emb", noise.clone(), FORWARD);
    for scope in ["lang", "vis"] {
        let tokens = tokens(&golden, scope, &device);
        let context = network.context(tokens.clone(), GoalHead::Goal, Some(&noise));
        golden.check_tensor(&format!("out/inner/{scope}/context"), context, FORWARD);
        let actions = golden.tensor("in/inner_actions", &device);
        let output = network.forward(tokens.clone(), actions, sigma.clone());
        golden.check_tensor(&format!("out/inner/{scope}/pred"), output, FORWARD);

        let rows = sigma.dims()[0];
        let scalings = diffusion()
            .preconditioning()
            .scalings(&sigma.clone().reshape([rows, 1, 1]));
        golden.check_tensor("out/c_skip", scalings.c_skip.clone(), FORWARD);
        golden.check_tensor("out/c_out", scalings.c_out.clone(), FORWARD);
        golden.check_tensor("out/c_in", scalings.c_in.clone(), FORWARD);
        let noisy = golden.tensor::<3>("in/noised", &device);
        let output = network.forward(tokens, noisy.clone() * scalings.c_in, sigma.clone());
        let clean = output * scalings.c_out + noisy * scalings.c_skip;
        golden.check_tensor(&format!("out/denoised/{scope}"), clean, FORWARD);
    }
    let image_goal = tokens(&golden, "vis", &device);
    let context = network.context(image_goal, GoalHead::Language, Some(&noise));
    golden.check_tensor("out/ctx_only/lang_scope_img_goal", context, FORWARD);
}

fn gradients(file: &str) {
    let golden = Golden::open(file);
    let device = Device::flex().autodiff();
    for scope in ["lang", "vis"] {
        let network = network(&golden, &device);
        let inputs = tokens(&golden, scope, &device);
        let tokens = Tokens {
            goal: inputs.goal.require_grad(),
            static_view: inputs.static_view.require_grad(),
            gripper_view: inputs.gripper_view.require_grad(),
            proprioception: None,
        };
        let noise = ActionNoise {
            sigma: golden.values("in/sigma").to_vec(),
            noise: golden.values("in/noise").to_vec(),
            draws: 1,
        };
        let actions = golden.tensor("in/actions", &device);
        let loss = action_loss(&network, &diffusion(), tokens.clone(), actions, &noise)
            .per_sample
            .mean();
        golden.check_tensor(&format!("out/loss/{scope}"), loss.clone(), FORWARD);
        let mut grads = loss.backward();
        let start = format!("out/grad/{scope}/");
        let views = [
            ("in/goal", &tokens.goal),
            ("in/static", &tokens.static_view),
            ("in/gripper", &tokens.gripper_view),
        ];
        for (name, input) in views {
            let grad = input.grad_remove(&mut grads).unwrap();
            golden.check_tensor(&format!("{start}{name}"), grad, GRADIENT);
        }
        let set = GradientSet::take(&network, grads, |_| true);
        let specs = specs(&network);
        let mut compared = 0;
        for (key, want) in &golden.tensors {
            let Some(key) = key.strip_prefix(&format!("{start}model.inner_model.")) else {
                continue;
            };
            let ours = KEYS.rename(key);
            let spec = specs.iter().find(|spec| spec.key == ours).unwrap();
            let mut got = set.by_key[&ours].clone();
            if spec.linear {
                let count = got.dims()[0];
                got = got
                    .reshape([spec.shape[0], spec.shape[1]])
                    .transpose()
                    .reshape([count]);
            }
            close(key, &vec(got), &want.values, GRADIENT);
            compared += 1;
        }
        assert!(compared > 10, "only {compared} gradients compared");
        let silent = &golden.config()["no_grad_params"][scope];
        for key in silent
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key.as_str().unwrap())
        {
            assert!(
                !set.by_key.contains_key(key),
                "{key} should have no gradient"
            );
        }
    }
}

macro_rules! variant {
    ($name:ident, $file:literal) => {
        #[test]
        fn $name() {
            let file = concat!("mdt/", $file, ".safetensors");
            forward(file);
            gradients(file);
        }
    };
}

variant!(default, "mdt_core");
variant!(biases_and_two_output_layers, "mdt_variant_bias_mlpout");
variant!(one_goal_layer, "mdt_variant_linear_goal_shared");
variant!(noise_as_encoder_token, "mdt_variant_no_ada");
variant!(without_positions, "mdt_variant_no_pos");
variant!(noise_added, "mdt_variant_noise_encoder");

#[test]
fn ddim_follows_the_reference() {
    use super::planning::{Context, Ladder, sample};
    let golden = Golden::open("mdt/mdt_samplers.safetensors");
    let device = Device::flex();
    let network = network(&golden, &device);
    let runs: Value = golden.config()["runs"].clone();
    let mut compared = 0;
    for run in runs.as_array().unwrap() {
        if run["sampler"] != "ddim" {
            continue;
        }
        let tag = run["tag"].as_str().unwrap();
        let scope = run["goal"].as_str().unwrap();
        let config = DiffusionConfig {
            schedule: serde_json::from_value(run["schedule"].clone()).unwrap(),
            steps: run["n"].as_u64().unwrap() as usize,
            sigma_min: run["sigma_min"].as_f64().unwrap(),
            sigma_max: run["sigma_max"].as_f64().unwrap(),
            ..diffusion()
        };
        let ladder = Ladder::new(&network, &config, config.steps, &device);
        let context = network.context(tokens(&golden, scope, &device), GoalHead::Goal, None);
        let context = Context::Fixed(network.project(&context));
        let start = golden.tensor::<3>("in/x_unit", &device) * config.sigma_max;
        let sampled = sample(&network, &config, &ladder, &context, start, None).unwrap();
        assert_eq!(sampled.steps as usize, config.steps);
        golden.check_tensor(&format!("out/{tag}/final"), sampled.actions, 2e-4);
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} runs compared");
}
