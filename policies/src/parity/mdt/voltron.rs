//! `distilbert_null`, `voltron_vcond`: the frozen image encoder of MDT-V and its language model.

use burn::tensor::{Device, Tensor, TensorData};

use crate::checkpoint::file::Tensors;
use crate::checkpoint::{KeyMap, apply, specs};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::with_weights;
use crate::parity::outputs::Outputs;
use crate::voltron::{DistilBert, DistilBertConfig, VCond, VCondConfig, language, preprocess};

/// Where the authors' agent holds the encoder.
pub const PREFIX: &str = "img_encoder.vcond.";

/// All outputs of `distilbert_null`.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn language_model(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let config = DistilBertConfig {
        vocabulary: file.count("/vocab_size")?,
        positions: file.count("/max_position_embeddings")?,
        width: file.count("/dim")?,
        heads: file.count("/n_heads")?,
        layers: file.count("/n_layers")?,
        hidden: file.count("/hidden_dim")?,
    };
    if let Some(problem) = config.problem() {
        return Err(ParityError::Config(problem));
    }
    let model = DistilBert::new(&config, device);
    let prefix = format!("{PREFIX}lm.");
    let model = with_weights(model, file, &prefix, &language::KEYS)?;
    for start in ["", "null_"] {
        let rows = |name: &str| -> Result<Vec<Vec<f64>>, ParityError> {
            let tensor = file.get(&format!("in/{start}{name}"))?;
            let len = tensor.shape.last().copied().unwrap_or_default();
            let rows = tensor.values.chunks_exact(len.max(1));
            Ok(rows.map(<[f64]>::to_vec).collect())
        };
        let ids = rows("ids")?
            .into_iter()
            .map(|row| row.iter().map(|&id| id as u32).collect());
        let seen = rows("mask")?
            .into_iter()
            .map(|row| row.iter().map(|&seen| seen != 0.0).collect());
        let ids = ids.collect::<Vec<Vec<u32>>>();
        let seen = seen.collect::<Vec<Vec<bool>>>();
        outputs.put(format!("out/{start}hidden"), model.forward(&ids, &seen)?);
    }
    Ok(outputs)
}

/// All outputs of `voltron_vcond`.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn vcond(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let encoder = encoder(file, "", device)?;
    for name in file.keys_under("in/img_") {
        let images = images(file, &format!("in/img_{name}"), &encoder, device)?;
        let first = images.clone().permute([0, 3, 1, 2]);
        outputs.put(format!("out/pre_{name}"), first);
        let all = encoder.all_tokens(images.clone());
        // Of some images only the first are kept.
        let key = format!("out/all_tokens_{name}");
        let rows = file.get(&key).ok().and_then(|kept| kept.shape.first());
        let rows = rows.map_or(all.dims()[0], |&rows| rows.min(all.dims()[0]));
        outputs.put(key, all.narrow(0, 0, rows));
        let key = format!("out/visual_tokens_{name}");
        outputs.put(key, encoder.forward(images));
    }
    Ok(outputs)
}

/// Images of the file, channels first and of any rank above three, as the encoder takes them.
///
/// # Errors
/// If they are missing or not of three channels.
pub fn images(
    file: &GoldenFile,
    key: &str,
    encoder: &VCond,
    device: &Device,
) -> Result<Tensor<4>, ParityError> {
    let tensor = file.get(key)?;
    let shape = &tensor.shape;
    let &[.., 3, rows, columns] = shape.as_slice() else {
        return Err(ParityError::Tensor {
            key: key.to_owned(),
            reason: format!("has shape {shape:?}, expected [.., 3, rows, columns]"),
        });
    };
    let count = tensor.values.len() / (3 * rows * columns).max(1);
    let data = TensorData::new(file.values(key)?, [count, 3, rows, columns]);
    let images = Tensor::<4>::from_data(data, device).permute([0, 2, 3, 1]);
    Ok(preprocess::prepare(images, encoder.resolution()))
}

/// The encoder of a file; its configuration lies under `at`.
///
/// # Errors
/// If configuration or weights do not fit.
pub fn encoder(file: &GoldenFile, at: &str, device: &Device) -> Result<VCond, ParityError> {
    let encoder = VCond::new(&config(file, at)?, device);
    let tensors = baked(file, device)?;
    let weights = KeyMap::MDT.import(&tensors, &specs(&encoder), file.path())?;
    Ok(apply(encoder, &weights, file.path())?)
}

/// Sizes of the encoder of a file, which lie under `at`.
///
/// # Errors
/// If one is missing or they do not go together.
pub fn config(file: &GoldenFile, at: &str) -> Result<VCondConfig, ParityError> {
    let count = |key: &str| file.count(&format!("{at}/{key}"));
    let hidden = file.get("in/lm_hidden")?;
    let config = VCondConfig {
        resolution: count("resolution")?,
        patch: count("patch_size")?,
        width: count("encoder_embed_dim")?,
        heads: count("encoder_n_heads")?,
        layers: count("encoder_depth")?,
        mlp_ratio: VCondConfig::small().mlp_ratio,
        language_tokens: hidden.shape.first().copied().unwrap_or_default(),
    };
    match config.problem() {
        Some(problem) => Err(ParityError::Config(problem)),
        None => Ok(config),
    }
}

/// Weights of the encoder of a file as we hold them: with the constant of its language model, whose
/// states the file has as an input.
///
/// # Errors
/// If a tensor is missing or does not fit.
pub fn baked(file: &GoldenFile, device: &Device) -> Result<Tensors, ParityError> {
    let hidden = file.tensor::<2>("in/lm_hidden", device)?;
    let tokens = hidden.dims()[0];
    let tensors = file.params(PREFIX);
    Ok(language::bake(
        &tensors,
        Some(hidden),
        tokens,
        file.path(),
        device,
    )?)
}
