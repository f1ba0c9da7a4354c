//! The frozen networks in the authors' checkpoints: Voltron with its resampler (MDT-V), and the towers
//! of CLIP that encode goals.

use std::path::Path;

use burn::tensor::Device;
use safetensors::tensor::Dtype;
use serde_json::Value;

use super::config::{MdtConfig, VoltronConfig};
use super::goal_encoder::GoalEncoderConfig;
use super::import::File;
use crate::checkpoint::file::Tensors;
use crate::checkpoint::import::StateDict;
use crate::checkpoint::import::transfer::{Fate, KeyLine, KeyReport};
use crate::clip::{TextConfig, TransformerConfig, VisionTransformerConfig};
use crate::error::{CheckpointError, PolicyError};
use crate::nn::PerceiverConfig;
use crate::voltron::{VCondConfig, language};

/// Where the authors' agent holds Voltron.
const VCOND: &str = "img_encoder.vcond.";
/// The constant that its language model becomes.
const BLOCK: &str = "img_encoder.vcond.language_block";
/// What a file has that holds the language model.
const PROJECTION: &str = "img_encoder.vcond.lang2encoder.weight";
/// The authors' names of the towers of CLIP.
const TEXT: &str = "language_goal.clip_rn50.";
const PICTURE: &str = "visual_goal.clip_model.visual.";
/// Every head of the published Voltron and CLIP has this width.
const HEAD: usize = 64;

impl File<'_> {
    /// Voltron and its resampler. Shapes do not tell the resampler's heads.
    pub(super) fn voltron(&self, settings: &Value) -> Result<VoltronConfig, CheckpointError> {
        let vcond = |key: &str| format!("{VCOND}{key}");
        let [width, _, patch, _] = self.shape(&vcond("patch2embed.proj.weight"))?;
        let [_, patches, _] = self.shape(&vcond("encoder_pe"))?;
        let published = VCondConfig::small();
        let language_tokens = if self.has(BLOCK) {
            let [_, tokens, _] = self.shape(BLOCK)?;
            tokens
        } else {
            published.language_tokens
        };
        let [_, hidden] = self.shape(&vcond("encoder_blocks.0.mlp.2.weight"))?;
        let encoder = VCondConfig {
            resolution: patches.isqrt() * patch,
            patch,
            width,
            heads: (width / HEAD).max(1),
            layers: self.blocks(|i| vcond(&format!("encoder_blocks.{i}.pre_norm_attn.g"))),
            mlp_ratio: hidden / width.max(1),
            language_tokens,
        };
        let [latents, width] = self.shape("perceiver.latents")?;
        let [frames, _, _] = self.shape("perceiver.time_pos_emb")?;
        let [inner, _] = self.shape("perceiver.layers.0.0.to_q.weight")?;
        let [hidden, _] = self.shape("perceiver.layers.0.1.1.weight")?;
        let published = PerceiverConfig::mdt_v();
        let heads = settings["perceiver_heads"].as_u64();
        let heads = heads.map_or(published.heads, |heads| heads as usize).max(1);
        let perceiver = PerceiverConfig {
            width,
            layers: self.blocks(|i| format!("perceiver.layers.{i}.0.to_q.weight")),
            heads,
            head_width: inner / heads,
            latents,
            frames,
            mlp_ratio: hidden / width.max(1),
            ..published
        };
        Ok(VoltronConfig { encoder, perceiver })
    }

    /// The text tower of CLIP, if the file holds one of the published vocabulary.
    pub(super) fn text_tower(&self) -> Result<Option<TextConfig>, CheckpointError> {
        let key = |key: &str| format!("{TEXT}{key}");
        let embedding = key("token_embedding.weight");
        if !self.has(&embedding) {
            return Ok(None);
        }
        let [vocabulary, width] = self.shape(&embedding)?;
        let [context, _] = self.shape(&key("positional_embedding"))?;
        let [_, output] = self.shape(&key("text_projection"))?;
        let config = TextConfig {
            vocabulary,
            context,
            transformer: self.clip_blocks(TEXT, width, true)?,
            output,
        };
        Ok((vocabulary == TextConfig::base().vocabulary).then_some(config))
    }

    /// The vision transformer of CLIP, if the file holds one.
    pub(super) fn picture_tower(&self) -> Result<Option<GoalEncoderConfig>, CheckpointError> {
        let key = |key: &str| format!("{PICTURE}{key}");
        if !self.has(&key("class_embedding")) {
            return Ok(None);
        }
        let [width, channels, patch, _] = self.shape(&key("conv1.weight"))?;
        let [places, _] = self.shape(&key("positional_embedding"))?;
        let [_, output] = self.shape(&key("proj"))?;
        Ok(Some(GoalEncoderConfig::Clip(VisionTransformerConfig {
            resolution: places.saturating_sub(1).isqrt() * patch,
            patch,
            channels,
            transformer: self.clip_blocks(PICTURE, width, false)?,
            output,
        })))
    }

    fn clip_blocks(
        &self,
        start: &str,
        width: usize,
        causal: bool,
    ) -> Result<TransformerConfig, CheckpointError> {
        let block = |i: usize| format!("{start}transformer.resblocks.{i}.mlp.c_fc.weight");
        let [hidden, _] = self.shape(&block(0))?;
        Ok(TransformerConfig {
            width,
            heads: (width / HEAD).max(1),
            layers: self.blocks(block),
            hidden,
            causal,
        })
    }
}

/// Says of the constant that the language model becomes that it is computed, if the file has the
/// language model in its place.
pub(super) fn mark_computed(state: &StateDict, report: &mut KeyReport) {
    if state.get(PROJECTION).is_none() {
        return;
    }
    let missing = |line: &&mut KeyLine| line.key == BLOCK && line.fate == Fate::Missing;
    if let Some(line) = report.lines.iter_mut().find(missing) {
        line.fate = Fate::Computed {
            ours: BLOCK.to_owned(),
            from: "the language model's answer to an empty sentence".to_owned(),
        };
    }
}

/// The tensors that a plan wants computed, under the authors' names.
///
/// # Errors
/// If a tensor of the language model is missing, unknown or of another shape.
pub(super) fn computed(
    state: &StateDict,
    config: &MdtConfig,
    report: &KeyReport,
    origin: &Path,
) -> Result<Tensors, CheckpointError> {
    let wanted = report
        .lines
        .iter()
        .any(|line| matches!(line.fate, Fate::Computed { .. }));
    let (true, Some(voltron)) = (wanted, &config.voltron) else {
        return Ok(Tensors::new());
    };
    let mut parts = Tensors::new();
    for (key, entry) in state.iter() {
        let Some(name) = key.strip_prefix(VCOND) else {
            continue;
        };
        let part = ["lm.", "lang2encoder.", "lang_token"];
        let integers = !matches!(
            entry.dtype,
            Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16
        );
        // The language model's buffer of place numbers is no weight.
        if integers || !part.iter().any(|start| name.starts_with(start)) {
            continue;
        }
        if let Some(tensor) = entry.floats().map_err(|error| error.at(origin))? {
            parts.insert(name.to_owned(), tensor);
        }
    }
    let tokens = voltron.encoder.language_tokens;
    let mut baked = language::bake(&parts, None, tokens, origin, &Device::flex()).map_err(
        |error| match error {
            PolicyError::Checkpoint(error) => error,
            other => CheckpointError::Format {
                path: origin.to_owned(),
                reason: format!("language model: {other}"),
            },
        },
    )?;
    let block = baked
        .remove("language_block")
        .filter(|block| block.values.iter().all(|value| value.is_finite()));
    let block = block.ok_or_else(|| CheckpointError::NonFinite {
        path: origin.to_owned(),
        key: BLOCK.to_owned(),
    })?;
    Ok(Tensors::from([(BLOCK.to_owned(), block)]))
}
