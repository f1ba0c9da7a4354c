//! The denoiser of a golden file.

use burn::tensor::{Device, Tensor};

use crate::checkpoint::KeyMap;
use crate::mdt::config::{
    DenoiserConfig, DiffusionConfig, MdtConfig, NoiseInput, ObservationInput,
};
use crate::mdt::denoiser::{Denoiser, GoalHead, Tokens, Views};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::with_weights;

/// Where the authors' agent holds the denoiser.
pub const PREFIX: &str = "model.inner_model.";

/// Keys below [`PREFIX`].
pub const KEYS: KeyMap = KeyMap {
    ignored: &["proprio_emb."],
    ..KeyMap::MDT
};

/// [`KEYS`] where both goal projections are the same one.
const SHARED_KEYS: KeyMap = KeyMap {
    ignored: &["proprio_emb.", "lang_emb."],
    ..KeyMap::MDT
};

/// Keys of the whole agent while it is trained.
const AGENT_KEYS: KeyMap = KeyMap {
    ignored: &["gen_img.decoder_pe", "model.inner_model.proprio_emb."],
    ..KeyMap::MDT
};

/// [`AGENT_KEYS`] where both goal projections are the same one.
const SHARED_AGENT_KEYS: KeyMap = KeyMap {
    ignored: &[
        "gen_img.decoder_pe",
        "model.inner_model.proprio_emb.",
        "model.inner_model.lang_emb.",
    ],
    ..KeyMap::MDT
};

/// Keys of the whole agent where both goal projections are the same one.
const SHARED_ACTING_KEYS: KeyMap = KeyMap {
    ignored: &[
        "logit_scale",
        "clip_proj.",
        "model.inner_model.proprio_emb.",
        "model.inner_model.lang_emb.",
    ],
    ..KeyMap::MDT
};

/// Keys of an agent that is trained.
pub const fn agent_keys(config: &DenoiserConfig) -> &'static KeyMap {
    if config.shared_goal_head {
        &SHARED_AGENT_KEYS
    } else {
        &AGENT_KEYS
    }
}

/// Keys of an agent that only acts.
pub const fn acting_keys(config: &DenoiserConfig) -> &'static KeyMap {
    if config.shared_goal_head {
        &SHARED_ACTING_KEYS
    } else {
        &KeyMap::MDT
    }
}

/// Sizes and switches under `inner_model` of a file's configuration.
///
/// # Errors
/// If one is missing or the sizes do not go together.
pub fn config(file: &GoldenFile) -> Result<DenoiserConfig, ParityError> {
    let count = |key: &str| file.count(&format!("/inner_model/{key}"));
    let flag = |key: &str| file.flag(&format!("/inner_model/{key}"));
    let noise = match (flag("use_noise_encoder")?, flag("use_ada_conditioning")?) {
        (true, _) => NoiseInput::Added,
        (false, true) => NoiseInput::AdaptiveNorm,
        (false, false) => NoiseInput::EncoderToken,
    };
    let (width, heads) = (count("embed_dim")?, count("n_heads")?);
    if heads == 0 || width == 0 || !width.is_multiple_of(heads) || !width.is_multiple_of(4) {
        let reason = format!("a width of {width} cannot have {heads} heads");
        return Err(ParityError::Config(reason));
    }
    for (key, theirs) in [("goal_seq_len", 1), ("obs_seq_len", 1)] {
        if count(key)? != theirs {
            let reason = format!("`{key}` is {}, only {theirs} is built here", count(key)?);
            return Err(ParityError::Config(reason));
        }
    }
    if flag("use_rot_embed")? {
        let reason = "rotary positions are not built here".to_owned();
        return Err(ParityError::Config(reason));
    }
    let observation = match file.text("/variant")?.as_str() {
        "mdt" => ObservationInput::Cameras,
        "mdtv" => ObservationInput::Latents {
            count: count("n_obs_token")?,
        },
        other => {
            let reason = format!("`variant` is `{other}`, expected mdt or mdtv");
            return Err(ParityError::Config(reason));
        }
    };
    Ok(DenoiserConfig {
        observation,
        head_by_scope: observation != ObservationInput::Cameras,
        shared_goal_head: !flag("use_modality_encoder")?,
        width,
        heads,
        encoder_layers: count("n_enc_layers")?,
        decoder_layers: count("n_dec_layers")?,
        observation_dim: count("obs_dim")?,
        goal_dim: count("goal_dim")?,
        action_dim: count("action_dim")?,
        horizon: count("action_seq_len")?,
        noise,
        bias: flag("bias")?,
        linear_output: flag("linear_output")?,
        mlp_goal: flag("use_mlp_goal")?,
        position_table: flag("use_abs_pos_emb")?,
        attention_dropout: 0.0,
        residual_dropout: 0.0,
        mlp_dropout: 0.0,
        ..MdtConfig::paper().denoiser
    })
}

/// Noise levels of a file's configuration.
///
/// # Errors
/// If `sigma_data` is missing.
pub fn diffusion(file: &GoldenFile) -> Result<DiffusionConfig, ParityError> {
    Ok(DiffusionConfig {
        sigma_data: file.number("/sigma_data")?,
        ..MdtConfig::paper().diffusion
    })
}

/// The network with the file's weights.
///
/// # Errors
/// If the configuration or the weights do not fit.
pub fn network(file: &GoldenFile, device: &Device) -> Result<Denoiser, ParityError> {
    let config = config(file)?;
    let network = Denoiser::new(&config, device);
    with_weights(network, file, PREFIX, keys(&config))
}

/// Keys of the denoiser: one projection of goals for all is in the files under both names.
pub const fn keys(config: &DenoiserConfig) -> &'static KeyMap {
    if config.shared_goal_head {
        &SHARED_KEYS
    } else {
        &KEYS
    }
}

/// A goal of the file: `lang` or `vis`.
///
/// # Errors
/// If it is missing.
pub fn goal(file: &GoldenFile, kind: &str, device: &Device) -> Result<Tensor<2>, ParityError> {
    let key = if kind == "lang" {
        "in/goal_lang"
    } else {
        "in/goal_img"
    };
    file.rows(key, device)
}

/// What the encoder reads, with the goal of a kind.
///
/// # Errors
/// If an input is missing.
pub fn tokens(file: &GoldenFile, kind: &str, device: &Device) -> Result<Tokens, ParityError> {
    Ok(Tokens {
        goal: goal(file, kind, device)?,
        head: scope(kind),
        views: views(file, device)?,
        proprioception: None,
    })
}

/// The head of a dataset: `lang` or `vis`.
pub fn scope(kind: &str) -> GoalHead {
    if kind == "lang" {
        GoalHead::Language
    } else {
        GoalHead::Goal
    }
}

/// What the encoder sees of the cameras.
fn views(file: &GoldenFile, device: &Device) -> Result<Views, ParityError> {
    if file.has("in/state_images") {
        return Ok(Views::Latents(file.tensor("in/state_images", device)?));
    }
    Ok(Views::Cameras {
        static_view: file.rows("in/static", device)?,
        gripper_view: file.rows("in/gripper", device)?,
    })
}
