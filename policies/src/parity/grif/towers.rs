//! Towers of CLIP: their sizes in a file's configuration, and `clip_two_image`.

use burn::tensor::{Device, Tensor};
use serde_json::Value;

use crate::checkpoint::file::Tensors;
use crate::checkpoint::{apply, specs};
use crate::clip::transformer::TransformerConfig;
use crate::clip::{TextConfig, VisionTransformerConfig};
use crate::grif::keys::KEYS;
use crate::grif::task_encoder::{ClipImages, ClipText, TowerOptions, two_image_kernel};
use crate::grif::unit_length;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::put_gradients;
use crate::parity::outputs::Outputs;

fn count(sizes: &Value, key: &str) -> Result<usize, ParityError> {
    let size = sizes[key].as_u64().filter(|size| *size < 1 << 20);
    size.map(|size| size as usize)
        .ok_or_else(|| ParityError::Config(format!("size `{key}` of a tower is missing")))
}

fn transformer(sizes: &Value, causal: bool) -> Result<TransformerConfig, ParityError> {
    let epsilon = sizes["layer_norm_eps"].as_f64().unwrap_or(1e-5);
    if (epsilon - 1e-5).abs() > 1e-9 {
        let reason = format!("an epsilon of {epsilon} in the norms is not built here");
        return Err(ParityError::Config(reason));
    }
    Ok(TransformerConfig {
        width: count(sizes, "hidden_size")?,
        heads: count(sizes, "num_attention_heads")?,
        layers: count(sizes, "num_hidden_layers")?,
        hidden: count(sizes, "intermediate_size")?,
        causal,
    })
}

fn fine(problem: Option<String>) -> Result<(), ParityError> {
    problem.map_or(Ok(()), |problem| Err(ParityError::Config(problem)))
}

/// The vision tower over two images of a configuration under `clip`.
///
/// # Errors
/// If a size is missing or sizes do not go together.
pub fn vision(clip: &Value) -> Result<VisionTransformerConfig, ParityError> {
    let sizes = &clip["vision"];
    let config = VisionTransformerConfig {
        resolution: count(sizes, "image_size")?,
        patch: count(sizes, "patch_size")?,
        channels: 6,
        transformer: transformer(sizes, false)?,
        output: count(clip, "projection_dim")?,
    };
    fine(config.problem())?;
    Ok(config)
}

/// The text tower of a configuration under `clip`.
///
/// # Errors
/// As [`vision`].
pub fn text(clip: &Value) -> Result<TextConfig, ParityError> {
    let sizes = &clip["text"];
    let config = TextConfig {
        vocabulary: count(sizes, "vocab_size")?,
        context: count(sizes, "max_position_embeddings")?,
        transformer: transformer(sizes, true)?,
        output: count(clip, "projection_dim")?,
    };
    fine(config.problem())?;
    Ok(config)
}

/// Rows of whole numbers.
///
/// # Errors
/// If the tensor is missing.
pub fn tokens(file: &GoldenFile, key: &str) -> Result<Vec<Vec<u32>>, ParityError> {
    let tensor = file.get(key)?;
    let width = tensor.shape.last().copied().unwrap_or(1).max(1);
    let rows = tensor.values.chunks_exact(width);
    Ok(rows
        .map(|row| row.iter().map(|&id| id as u32).collect())
        .collect())
}

/// `clip_two_image`.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let pretrained = file.tensor::<4>("in/pretrained_patch_kernel", device)?;
    let kernel = two_image_kernel(pretrained.permute([3, 2, 0, 1]));
    outputs.put(
        "out/two_image_patch_kernel",
        kernel.clone().permute([2, 3, 1, 0]),
    );

    let images = images(file, device)?;
    let start = file.tensor::<4>("in/start", device)?;
    let goal = file.tensor::<4>("in/goal", device)?;
    let pair = Tensor::cat(vec![start.clone(), goal.clone()], 3);
    outputs.put("out/vision_last_hidden", images.tower.tokens(pair.clone())?);
    outputs.put("out/vision_pooled", images.tower.pooled(pair)?);
    let embedding = images.forward(start.clone(), goal.clone())?;
    outputs.put("out/image_embed", embedding.clone());
    outputs.put("out/image_embed_normalized", unit_length(embedding));

    let mut plain = images.clone();
    plain.tower.conv1.weight = plain.tower.conv1.weight.map(|_| kernel);
    let twice = Tensor::cat(vec![start.clone(), start.clone()], 3);
    let pooled = plain.tower.pooled(twice)?;
    outputs.put(
        "out/same_image_twice_pooled_with_unperturbed_kernel",
        pooled,
    );

    let text = sentences(file, device)?;
    let ids = tokens(file, "in/text/input_ids")?;
    let used = tokens(file, "in/text/attention_mask")?.into_iter();
    let used = used.map(|row| row.into_iter().map(|used| used != 0).collect());
    let used = used.collect::<Vec<Vec<bool>>>();
    let score = file.number("/mask_bias")? as f32;
    let hidden = text.tower.hidden_masked(&ids, &used, score)?;
    outputs.put("out/text_last_hidden", hidden);
    outputs.put("out/text_pooled", text.tower.pooled(&ids)?);
    let embedding = text.forward(&ids)?;
    outputs.put("out/text_embed", embedding.clone());
    outputs.put("out/text_embed_normalized", unit_length(embedding));

    let device = &device.clone().autodiff();
    let images = self::images(file, device)?;
    let start = file.tensor::<4>("in/start", device)?;
    let goal = file.tensor::<4>("in/goal", device)?;
    let embedding = unit_length(images.forward(start, goal)?);
    let probe = file.tensor::<2>("in/cotangent", device)?;
    let gradients = (embedding * probe).sum().backward();
    put_gradients(
        &mut outputs,
        &images,
        gradients,
        file,
        ("out/grad/", ""),
        &KEYS,
    );
    Ok(outputs)
}

/// Weights whose key contains a word.
fn part(file: &GoldenFile, word: &str) -> Tensors {
    let all = file.params("").into_iter();
    all.filter(|(key, _)| key.contains(word)).collect()
}

fn images(file: &GoldenFile, device: &Device) -> Result<ClipImages, ParityError> {
    let module = ClipImages::new(&vision(file.config())?, &TowerOptions::default(), device);
    let weights = KEYS.import(&part(file, "clip_vis"), &specs(&module), file.path())?;
    Ok(apply(module, &weights, file.path())?)
}

fn sentences(file: &GoldenFile, device: &Device) -> Result<ClipText, ParityError> {
    let module = ClipText::new(&text(file.config())?, &TowerOptions::default(), device);
    let weights = KEYS.import(&part(file, "clip_text"), &specs(&module), file.path())?;
    Ok(apply(module, &weights, file.path())?)
}
