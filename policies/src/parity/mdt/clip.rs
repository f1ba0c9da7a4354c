//! `clip_text`, `clip_vit`, `clip_modified_resnet`: the towers of CLIP.

use burn::tensor::{Device, Tensor};

use crate::clip::{
    KEYS, ModifiedResNet, ModifiedResNetConfig, TextConfig, TextTower, TransformerConfig,
    VisionTransformer, VisionTransformerConfig,
};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::with_weights;
use crate::parity::outputs::Outputs;

const TEXT: &str = "language_goal.clip_rn50.";
const VISION: &str = "visual_goal.clip_model.visual.";

fn refuse(problem: Option<String>) -> Result<(), ParityError> {
    problem.map_or(Ok(()), |problem| Err(ParityError::Config(problem)))
}

/// All outputs of `clip_text`.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn text(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let width = file.count("/transformer_width")?;
    let config = TextConfig {
        vocabulary: file.count("/vocab_size")?,
        context: file.count("/context_length")?,
        transformer: TransformerConfig {
            width,
            heads: file.count("/transformer_heads")?,
            layers: file.count("/transformer_layers")?,
            hidden: 4 * width,
            causal: true,
        },
        output: file.count("/embed_dim")?,
    };
    refuse(config.problem())?;
    let tower = with_weights(TextTower::new(&config, device), file, TEXT, &KEYS)?;
    let tokens = file.get("in/tokens")?;
    let texts = tokens.values.chunks_exact(config.context.max(1));
    let texts = texts.map(|row| row.iter().map(|&id| id as u32).collect());
    let vectors = tower.forward(&texts.collect::<Vec<Vec<u32>>>())?;
    outputs.put("out/text_embed", vectors.clone());
    outputs.put("out/goal", vectors.unsqueeze_dim::<3>(1));
    Ok(outputs)
}

/// All outputs of `clip_vit`.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn vision_transformer(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let width = file.count("/width")?;
    let config = VisionTransformerConfig {
        resolution: file.count("/input_resolution")?,
        patch: file.count("/patch_size")?,
        channels: 3,
        transformer: TransformerConfig {
            width,
            heads: file.count("/heads")?,
            layers: file.count("/layers")?,
            hidden: 4 * width,
            causal: false,
        },
        output: file.count("/output_dim")?,
    };
    refuse(config.problem())?;
    let tower = VisionTransformer::new(&config, device);
    let tower = with_weights(tower, file, VISION, &KEYS)?;
    outputs.put("out/embed", tower.forward(images(file, device)?)?);
    Ok(outputs)
}

/// All outputs of `clip_modified_resnet`.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn modified_resnet(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let layers = file.counts("/layers")?;
    let config = ModifiedResNetConfig {
        layers: layers.as_slice().try_into().map_err(|_| {
            ParityError::Config(format!("`/layers` has {} stages, not 4", layers.len()))
        })?,
        width: file.count("/width")?,
        heads: file.count("/heads")?,
        resolution: file.count("/input_resolution")?,
        output: file.count("/output_dim")?,
    };
    refuse(config.problem())?;
    let tower = ModifiedResNet::new(&config, device);
    let tower = with_weights(tower, file, VISION, &KEYS)?;
    let images = images(file, device)?;
    let mut put = |key: String, map: Tensor<4>| {
        // Of some maps only the first images are kept.
        let rows = file.get(&key).ok().and_then(|kept| kept.shape.first());
        let rows = rows.map_or(map.dims()[0], |&rows| rows.min(map.dims()[0]));
        outputs.put(key, map.narrow(0, 0, rows).permute([0, 3, 1, 2]));
    };
    let stem = tower.stem(images.clone());
    for (index, map) in stem.iter().enumerate() {
        put(format!("out/stem_{index}"), map.clone());
    }
    let [.., mut map] = stem;
    for (index, stage) in tower.stages().into_iter().enumerate() {
        map = ModifiedResNet::stage(stage, map);
        put(format!("out/layer{}", index + 1), map.clone());
    }
    outputs.put("out/embed", tower.forward(images)?);
    Ok(outputs)
}

/// Images with their channels last.
fn images(file: &GoldenFile, device: &Device) -> Result<Tensor<4>, ParityError> {
    Ok(file.tensor::<4>("in/image", device)?.permute([0, 2, 3, 1]))
}
