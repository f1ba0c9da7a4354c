//! `mdt_agent_infer`, `mdt_agent_train`: the whole agent, from images to executed actions, and
//! through optimiser steps.

pub mod infer;
pub mod train;

use burn::tensor::{Device, Tensor};

use super::network::{agent_keys, config};
use crate::checkpoint::KeyMap;
use crate::mdt::config::{CameraConfig, ForesightConfig, MdtConfig};
use crate::mdt::model::Inputs;
use crate::mdt::{Mdt, denoiser::GoalHead};
use crate::nn::{ResNetConfig, Stem};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::with_weights;

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
        let paper = MdtConfig::paper();
        let camera = |camera: CameraConfig, name: &str| {
            Ok::<_, ParityError>(CameraConfig {
                encoder: encoder(file, name)?,
                ..camera
            })
        };
        let config = MdtConfig {
            static_camera: camera(paper.static_camera.clone(), "static_resnet")?,
            gripper_camera: camera(paper.gripper_camera.clone(), "gripper_resnet")?,
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
        let model = with_weights(Mdt::new(&config, device), file, "", keys)?;
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
