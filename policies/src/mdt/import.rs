//! The authors' MDT checkpoints: sizes and switches read off the tensors and the pickled settings.

use std::path::Path;

use burn::tensor::Device;
use serde_json::Value;

use super::config::{
    CameraConfig, ForesightConfig, MdtConfig, NoiseInput, ObservationInput, VoltronConfig,
};
use super::goal_encoder::GoalEncoderConfig;
use super::import_voltron as voltron;
use super::{Mdt, Statistics};
use crate::checkpoint::import::record::ImportRecord;
use crate::checkpoint::import::transfer::{KeyReport, Transfer};
use crate::checkpoint::import::{Checkpoint, StateDict};
use crate::checkpoint::package::Network;
use crate::checkpoint::{Card, KeyMap, PolicyPackage, specs};
use crate::error::CheckpointError;
use crate::nn::{Pooling, ResNetConfig, Stem};
use crate::policy::Weights;

/// Tensors of the authors' agent that our policy does not have, and why.
pub const IGNORED: &[(&str, &str)] = &[
    ("clip_proj.", "pooling of the contrastive loss of training"),
    (
        "img_encoder.vcond.lm.",
        "language model of Voltron, which MDT-V asks nothing: its answer is kept as language_block",
    ),
    ("img_encoder.vcond.lang2encoder.", "part of language_block"),
    ("img_encoder.vcond.lang_token", "part of language_block"),
    (
        "img_encoder.vcond.mask_token",
        "decoder of Voltron's own training",
    ),
    (
        "img_encoder.vcond.encoder2decoder.",
        "decoder of Voltron's own training",
    ),
    (
        "img_encoder.vcond.decoder",
        "decoder of Voltron's own training",
    ),
    (
        "gen_img.decoder_pe",
        "fixed table of positions, computed here",
    ),
    (
        "language_goal.",
        "frozen CLIP, of which only a whole text tower is read",
    ),
    (
        "visual_goal.",
        "frozen CLIP, of which only a whole vision transformer is read",
    ),
    (
        "logit_scale",
        "temperature of the contrastive loss of training",
    ),
    (
        "model.inner_model.proprio_emb.",
        "never read by the authors' network",
    ),
];

/// Where the authors' agent holds the denoiser.
const DENOISER: &str = "model.inner_model.";
/// More blocks than any network has.
const MAX_BLOCKS: usize = 512;

/// How the keys of a configuration's network are found in the authors' file.
pub fn with_transfer<T>(config: &MdtConfig, then: impl FnOnce(&Transfer<'_>) -> T) -> T {
    // Shapes alone are asked of it: nothing is initialised.
    let specs = specs(&Mdt::new(config, &Device::flex()));
    then(&Transfer {
        keys: &KeyMap::MDT,
        ignored: IGNORED,
        specs: &specs,
    })
}

/// What becomes of every key of a checkpoint under a configuration.
pub fn plan(state: &StateDict, config: &MdtConfig) -> KeyReport {
    let mut report = with_transfer(config, |transfer| transfer.plan_state(state));
    voltron::mark_computed(state, &mut report);
    report
}

/// A policy of a checkpoint whose plan has no problem.
///
/// # Errors
/// If a key is missing or unknown, a shape differs, or a value is not finite.
pub fn package(
    checkpoint: &Checkpoint,
    config: MdtConfig,
    report: KeyReport,
    origin: &Path,
) -> Result<(PolicyPackage, ImportRecord), CheckpointError> {
    let computed = voltron::computed(&checkpoint.state, &config, &report, origin)?;
    let weights = with_transfer(&config, |transfer| {
        transfer.read(&checkpoint.state, &report, computed, origin)
    })?;
    let record = ImportRecord::new("mdt", origin, &checkpoint.chosen, report);
    let card = Card {
        data: format!("imported from {}", record.source),
        training: "by its authors".to_owned(),
        limits: "the licence is that of the imported file".to_owned(),
        ..Card::default()
    };
    let statistics = Statistics::identity(config.denoiser.proprioception);
    let package = PolicyPackage {
        network: Network::Mdt {
            config: Box::new(config),
            statistics,
        },
        language: String::new(),
        weights,
        card,
    };
    Ok((package, record))
}

/// What an import of weights of our own would have been: the authors' names of all of them.
pub fn record(config: &MdtConfig, weights: &Weights, origin: &Path) -> ImportRecord {
    use safetensors::tensor::Dtype;
    let report = with_transfer(config, |transfer| {
        let keys = transfer.specs.iter().map(|spec| {
            let theirs = transfer.keys.theirs(&spec.key);
            let shape = weights.tensors.get(&spec.key).map(|tensor| {
                let mut shape = tensor.shape.clone();
                if spec.linear {
                    shape.reverse();
                }
                shape
            });
            (
                theirs.unwrap_or_else(|| spec.key.clone()),
                shape.unwrap_or_default(),
            )
        });
        let keys = keys.collect::<Vec<_>>();
        let own = Transfer {
            ignored: &[],
            keys: &KeyMap {
                ignored: &[],
                ..*transfer.keys
            },
            ..*transfer
        };
        own.plan(
            keys.iter()
                .map(|(key, shape)| (key.as_str(), Dtype::F32, shape.as_slice())),
        )
    });
    ImportRecord::new("mdt", origin, "", report)
}

/// Sizes and switches of a checkpoint: from the shapes of its tensors; what shapes do not tell (heads,
/// noise levels) from the settings pickled with it, else as published.
///
/// # Errors
/// If a tensor that tells a size is missing, or the sizes do not go together.
pub fn config(
    state: &StateDict,
    settings: &Value,
    origin: &Path,
) -> Result<MdtConfig, CheckpointError> {
    let refuse = |reason: String| CheckpointError::Format {
        path: origin.to_owned(),
        reason,
    };
    let file = File { state, origin };
    let mut config = if file.has("perceiver.latents") {
        MdtConfig {
            voltron: Some(file.voltron(settings)?),
            ..MdtConfig::paper_v()
        }
    } else {
        let paper = MdtConfig::paper();
        MdtConfig {
            static_camera: file.camera("static_resnet.", &paper.static_camera)?,
            gripper_camera: file.camera("gripper_resnet.", &paper.gripper_camera)?,
            ..paper
        }
    };
    config.foresight = file.foresight(settings)?;
    config.text_encoder = file.text_tower()?;
    config.goal_encoder = file.picture_tower()?;
    if let Some(GoalEncoderConfig::Clip(tower)) = &config.goal_encoder {
        config.static_camera.size = tower.resolution;
    }
    let inner = |key: &str| format!("{DENOISER}{key}");
    let setting = |key: &str| settings.pointer(&format!("/model/inner_model/{key}"));
    let count = |key: &str| setting(key).and_then(Value::as_u64).map(|n| n as usize);
    let flag = |key: &str| setting(key).and_then(Value::as_bool);
    let d = &mut config.denoiser;
    [d.width, d.observation_dim] = file.shape(&inner("tok_emb.weight"))?;
    d.mlp_goal = file.has(&inner("goal_emb.0.weight"));
    let goal = if d.mlp_goal {
        "goal_emb.0.weight"
    } else {
        "goal_emb.weight"
    };
    [_, d.goal_dim] = file.shape(&inner(goal))?;
    [_, d.action_dim] = file.shape(&inner("action_emb.weight"))?;
    let [_, rows, _] = file.shape(&inner("pos_emb"))?;
    // A row for the goal and one per action, and in MDT-V one per view.
    let mut places = rows.saturating_sub(1);
    if let Some(VoltronConfig { perceiver, .. }) = &config.voltron {
        let count = perceiver.latents;
        d.observation = ObservationInput::Latents { count };
        places = places.saturating_sub(count);
    }
    d.horizon = places;
    d.encoder_layers = file.blocks(|i| inner(&format!("encoder.blocks.{i}.ln_1.weight")));
    d.decoder_layers = file.blocks(|i| inner(&format!("decoder.blocks.{i}.ln_1.weight")));
    d.bias = file.has(&inner("encoder.ln.bias"));
    d.linear_output = file.has(&inner("action_pred.weight"));
    let adaptive = file.has(&inner("decoder.blocks.0.adaLN_zero.modulation.1.weight"));
    d.noise = match (flag("use_noise_encoder"), adaptive) {
        (Some(true), _) => NoiseInput::Added,
        (_, true) => NoiseInput::AdaptiveNorm,
        _ => NoiseInput::EncoderToken,
    };
    d.heads = count("n_heads").unwrap_or(d.heads);
    d.position_table = flag("use_abs_pos_emb").unwrap_or(d.position_table);
    let rate = |key: &str, default: f64| setting(key).and_then(Value::as_f64).unwrap_or(default);
    d.attention_dropout = rate("attn_pdrop", d.attention_dropout);
    d.residual_dropout = rate("resid_pdrop", d.residual_dropout);
    d.mlp_dropout = rate("mlp_pdrop", d.mlp_dropout);
    d.goal_dropout = rate("goal_drop", d.goal_dropout);
    let number = |key: &str, default: f64| settings[key].as_f64().unwrap_or(default);
    let s = &mut config.diffusion;
    s.sigma_data = number("sigma_data", s.sigma_data);
    s.sigma_min = number("sigma_min", s.sigma_min);
    s.sigma_max = number("sigma_max", s.sigma_max);
    s.steps = settings["num_sampling_steps"]
        .as_u64()
        .map_or(s.steps, |steps| steps as usize);
    match config.problem() {
        Some(problem) => Err(refuse(format!("the sizes do not go together: {problem}"))),
        None => Ok(config),
    }
}

pub(super) struct File<'a> {
    pub(super) state: &'a StateDict,
    pub(super) origin: &'a Path,
}

impl File<'_> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.state.get(key).is_some()
    }

    pub(super) fn shape<const N: usize>(&self, key: &str) -> Result<[usize; N], CheckpointError> {
        let entry = self.state.get(key);
        let entry = entry.ok_or_else(|| CheckpointError::MissingKey {
            path: self.origin.to_owned(),
            key: key.to_owned(),
            expected: Vec::new(),
        })?;
        let shape = entry.shape.as_slice();
        <[usize; N]>::try_from(shape).map_err(|_| CheckpointError::Format {
            path: self.origin.to_owned(),
            reason: format!("tensor `{key}` has shape {shape:?}, expected {N} axes"),
        })
    }

    pub(super) fn blocks(&self, name: impl Fn(usize) -> String) -> usize {
        (0..MAX_BLOCKS).take_while(|&i| self.has(&name(i))).count()
    }

    /// A residual encoder with basic blocks, whose stages lie under `backbone.4` to `backbone.7`.
    fn camera(
        &self,
        prefix: &str,
        published: &CameraConfig,
    ) -> Result<CameraConfig, CheckpointError> {
        let [channels, _, kernel, _] = self.shape(&format!("{prefix}backbone.0.weight"))?;
        let mut encoder = ResNetConfig {
            stem: Stem {
                channels,
                kernel,
                ..published.encoder.stem
            },
            widths: Vec::new(),
            blocks: Vec::new(),
            strides: Vec::new(),
            pooling: Pooling::Average,
            goal_film: false,
        };
        for (stage, stride) in (4..8).zip(&published.encoder.strides) {
            let name = |block: usize| format!("{prefix}backbone.{stage}.{block}.conv1.weight");
            let blocks = self.blocks(name);
            if blocks == 0 {
                break;
            }
            let [width, ..] = self.shape::<4>(&name(0))?;
            encoder.widths.push(width);
            encoder.blocks.push(blocks);
            encoder.strides.push(*stride);
        }
        Ok(CameraConfig {
            encoder,
            ..published.clone()
        })
    }

    fn foresight(&self, settings: &Value) -> Result<Option<ForesightConfig>, CheckpointError> {
        if !self.has("gen_img.mask_token") {
            return Ok(None);
        }
        let [width, _, patch, _] = self.shape("gen_img.patch2embed.proj.weight")?;
        let setting = |key: &str| &settings["img_gen"][key];
        // The fixed table tells the images' size; a file that was written without it may say it.
        let resolution = match setting("resolution").as_u64() {
            Some(resolution) => resolution as usize,
            None => {
                let [_, patches, _] = self.shape("gen_img.decoder_pe")?;
                patches.isqrt() * patch
            }
        };
        Ok(Some(ForesightConfig {
            resolution,
            patch,
            width,
            heads: setting("decoder_n_heads").as_u64().unwrap_or(8) as usize,
            layers: self.blocks(|i| format!("gen_img.decoder_blocks.{i}.pre_norm_attn.g")),
            mask_ratio: setting("mask_ratio").as_f64().unwrap_or(0.75),
            lookahead: setting("img_gen_frame_diff").as_u64().unwrap_or(3) as u32,
            hard_patches: None,
        }))
    }
}
