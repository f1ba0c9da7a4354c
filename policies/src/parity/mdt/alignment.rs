//! `mdt_cla`, `mdtv_cla`: contrastive alignment of told and shown goals.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::network::{agent_keys, config, diffusion, tokens};
use crate::mdt::alignment::{Contrast, LatentPooling, Projector, logit_scale, pool};
use crate::mdt::denoiser::{Denoiser, GoalHead};
use crate::mdt::loss::{ActionNoise, action_loss};
use crate::mdt::model::Preconditioned;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{put_gradients, with_weights};
use crate::parity::outputs::Outputs;

/// The part of the authors' agent that the alignment needs.
#[derive(Module, Debug)]
struct Aligned {
    model: Preconditioned,
    logit_scale: Param<Tensor<1>>,
    clip_proj: Option<Projector>,
}

/// How the authors pool, from their words for it: a `map` with a number of heads, or a single token
/// with its index.
///
/// # Errors
/// If the configuration has no such words.
pub fn pooling(file: &GoldenFile) -> Result<LatentPooling, ParityError> {
    let style = file.text("/clip_style")?;
    let mut numbers = style.split(|c: char| !c.is_ascii_digit());
    let number = numbers.rfind(|word| !word.is_empty());
    let number = number.and_then(|word| word.parse::<usize>().ok());
    match (style.starts_with("map"), number) {
        (true, Some(heads)) if heads > 0 => Ok(LatentPooling::Attention { heads }),
        (false, index) => Ok(LatentPooling::Token {
            index: index.unwrap_or(1),
        }),
        _ => Err(ParityError::Config(format!(
            "`clip_style` is `{style}`, which names no number of heads"
        ))),
    }
}

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let device = &device.clone().autodiff();
    let mut outputs = Outputs::default();
    let config = config(file)?;
    let pooling = pooling(file)?;
    let keys = agent_keys(&config);
    let network = Aligned {
        model: Preconditioned {
            inner_model: Denoiser::new(&config, device),
        },
        logit_scale: logit_scale(device),
        clip_proj: Projector::of(pooling, config.width, device),
    };
    let network = with_weights(network, file, "", keys)?;
    let denoiser = &network.model.inner_model;

    let noise = ActionNoise {
        sigma: file.values("in/sigma")?,
        noise: file.values("in/noise")?,
        draws: 1,
    };
    let actions = file.tensor("in/actions", device)?;
    let told = tokens(file, "lang", device)?;
    let action = action_loss(denoiser, &diffusion(file)?, told, actions, &noise);
    let texts = action.context;
    let shown = tokens(file, "vis", device)?;
    // Both belong to the `lang` dataset.
    let images = denoiser.context(shown, GoalHead::Language, Some(&action.noise));
    outputs.put("out/latent_lang", texts.clone());
    outputs.put("out/latent_img", images.clone());
    let projector = network.clip_proj.as_ref();
    let texts = pool(pooling, projector, texts);
    let images = pool(pooling, projector, images);
    outputs.put("out/pooled_lang", texts.clone());
    outputs.put("out/pooled_img", images.clone());

    let scale = || network.logit_scale.val();
    let random = |key: &str| file.tensor::<2>(key, device);
    let contrast = Contrast::of(
        random("in/rand_img_feat")?,
        random("in/rand_lang_feat")?,
        scale(),
    );
    put(&mut outputs, "out/rand_loss", contrast);
    let contrast = Contrast::of(images, texts, scale());
    put(&mut outputs, "out/loss", contrast.clone());
    let grads = contrast.symmetric().mean().backward();
    put_gradients(&mut outputs, &network, grads, file, ("out/grad/", ""), keys);
    Ok(outputs)
}

fn put(outputs: &mut Outputs, start: &str, contrast: Contrast) {
    let symmetric = contrast.clone().symmetric();
    for (name, losses) in [
        ("img_to_text", contrast.image_to_text),
        ("text_to_img", contrast.text_to_image),
        ("symmetric", symmetric),
    ] {
        outputs.put(format!("{start}/{name}"), losses.mean());
    }
}
