//! `mdt_agent_infer`, `mdt_agent_train` and those of MDT-V: the whole agent, from images to executed
//! actions, and through optimiser steps.

pub mod infer;
pub mod train;

use burn::tensor::{Device, Tensor};

use super::network::{agent_keys, config};
use super::voltron::{PREFIX, baked};
use crate::checkpoint::{KeyMap, apply, specs};
use crate::mdt::config::{
    CameraConfig, ForesightConfig, MdtConfig, ObservationInput, VoltronConfig,
};
use crate::mdt::model::Inputs;
use crate::mdt::{Mdt, denoiser::GoalHead};
use crate::nn::{PerceiverConfig, ResNetConfig, Stem};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;

/// The agent of a file.
struct Agent {
    config: MdtConfig,
    model: Mdt,
    keys: &'static KeyMap,
}

impl Agent {
    /// With the parts that `config` names beside encoders and denoiser.
    fn open(file: &GoldenFile, parts: Parts, device: &Device) -> Result<Self, ParityError> {
        let denoiser = config(file)?;
        let keys = if parts.alignment {
            agent_keys(&denoiser)
        } else {
            super::network::acting_keys(&denoiser)
        };
        let voltron = match denoiser.observation {
            ObservationInput::Cameras => None,
            ObservationInput::Latents { .. } => Some(voltron(file)?),
        };
        let paper = MdtConfig::paper();
        let camera = |camera: CameraConfig, name: &str| {
            Ok::<_, ParityError>(match voltron {
                Some(_) => camera,
                None => CameraConfig {
                    encoder: encoder(file, name)?,
                    ..camera
                },
            })
        };
        let config = MdtConfig {
            static_camera: camera(paper.static_camera.clone(), "static_resnet")?,
            gripper_camera: camera(paper.gripper_camera.clone(), "gripper_resnet")?,
            voltron,
            denoiser,
            foresight: parts.foresight,
            alignment: parts
                .alignment
                .then(|| {
                    let pooling = super::alignment::pooling(file)?;
                    Ok::<_, ParityError>(crate::mdt::alignment::AlignmentConfig {
                        pooling,
                        ..Default::default()
                    })
                })
                .transpose()?,
            diffusion: super::network::diffusion(file)?,
            ..paper
        };
        // Golden goals are vectors already, so that alignment needs no encoder of pictures here.
        let sizes = MdtConfig {
            alignment: None,
            ..config.clone()
        };
        if let Some(problem) = sizes.problem() {
            return Err(ParityError::Config(problem));
        }
        let mut tensors = file.params("");
        if config.voltron.is_some() {
            tensors.retain(|key, _| !key.starts_with(PREFIX));
            let baked = baked(file, device)?.into_iter();
            tensors.extend(baked.map(|(key, tensor)| (format!("{PREFIX}{key}"), tensor)));
        }
        let model = Mdt::new(&config, device);
        let weights = keys.import(&tensors, &specs(&model), file.path())?;
        let model = apply(model, &weights, file.path())?;
        Ok(Self {
            config,
            model,
            keys,
        })
    }
}

/// Parts of an agent that only training needs.
#[derive(Default)]
struct Parts {
    foresight: Option<ForesightConfig>,
    alignment: bool,
}

/// The encoder of both cameras and the resampler of its tokens.
fn voltron(file: &GoldenFile) -> Result<VoltronConfig, ParityError> {
    let encoder = super::voltron::config(file, "/vcond")?;
    let count = |key: &str| file.count(&format!("/perceiver/{key}"));
    let extent = |key: &str, axis: usize| {
        let tensor = file.get(&format!("params/perceiver.{key}"))?;
        Ok::<_, ParityError>(tensor.shape.get(axis).copied().unwrap_or_default())
    };
    let layers = count("depth")?;
    let mlp_ratio = match layers {
        0 => PerceiverConfig::mdt_v().mlp_ratio,
        _ => extent("layers.0.1.1.weight", 0)? / encoder.width.max(1),
    };
    let perceiver = PerceiverConfig {
        width: encoder.width,
        layers,
        heads: count("heads")?,
        head_width: count("dim_head")?,
        latents: count("num_latents")?,
        frames: extent("time_pos_emb", 0)?,
        mlp_ratio,
        ..PerceiverConfig::mdt_v()
    };
    Ok(VoltronConfig { encoder, perceiver })
}

/// The ResNet of one camera.
fn encoder(file: &GoldenFile, name: &str) -> Result<ResNetConfig, ParityError> {
    let kernel = file.get(&format!("params/{name}.backbone.0.weight"))?;
    let config = ResNetConfig {
        stem: Stem {
            channels: kernel.shape.first().copied().unwrap_or_default(),
            ..ResNetConfig::resnet18().stem
        },
        widths: file.counts("/resnet/widths")?,
        blocks: file.counts("/resnet/blocks")?,
        ..ResNetConfig::resnet18()
    };
    match config.problem() {
        Some(problem) => Err(ParityError::Config(problem)),
        None => Ok(config),
    }
}

/// Observations under `start` with a goal: the first of the frames that each image holds.
fn inputs(
    file: &GoldenFile,
    start: &str,
    (goal, head): (&str, GoalHead),
    device: &Device,
) -> Result<Inputs, ParityError> {
    let image = |name: &str| {
        let frames = file.tensor::<5>(&format!("{start}/{name}"), device)?;
        let [batch, _, channels, height, width] = frames.dims();
        let first = frames.narrow(1, 0, 1);
        let first = first.reshape([batch, channels, height, width]);
        Ok::<Tensor<4>, ParityError>(first.permute([0, 2, 3, 1]))
    };
    Ok(Inputs {
        static_images: image("rgb_static")?,
        gripper_images: image("rgb_gripper")?,
        goal: file.rows(goal, device)?,
        head,
        proprioception: None,
    })
}
