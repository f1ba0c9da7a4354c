//! All networks of an MDT policy together.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::config::MdtConfig;
use super::denoiser::{Denoiser, GoalHead, Tokens};
use super::mgf::Foresight;
use crate::nn::ResNet;
use crate::objectives::inverse_dynamics::InverseDynamics;

/// The level at which the authors' checkpoints hold the denoiser: `model.inner_model`.
#[derive(Module, Debug)]
pub struct Preconditioned {
    /// The denoiser.
    pub inner_model: Denoiser,
}

/// Image encoders, denoiser and auxiliary heads. Paths are the authors' keys.
#[derive(Module, Debug)]
pub struct Mdt {
    /// The denoiser.
    pub model: Preconditioned,
    /// Encoder of the static camera.
    pub static_resnet: ResNet,
    /// Encoder of the gripper camera.
    pub gripper_resnet: ResNet,
    /// Masked generative foresight, if trained.
    pub gen_img: Option<Foresight>,
    /// Inverse dynamics, if trained; not in the authors' code.
    pub inverse_dynamics: Option<InverseDynamics>,
}

/// Network inputs of a batch of observations, on the device.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Normalised images of the static camera, `[batch, size, size, 3]`.
    pub static_images: Tensor<4>,
    /// Normalised images of the gripper camera, `[batch, size, size, 3]`.
    pub gripper_images: Tensor<4>,
    /// Goal vectors, `[batch, goal_dim]`.
    pub goal: Tensor<2>,
    /// Normalised proprioception, `[batch, width]`, if the network reads it.
    pub proprioception: Option<Tensor<2>>,
}

/// Vectors of both cameras, `[batch, observation_dim]` each.
#[derive(Clone, Debug)]
pub struct Views {
    /// Static camera.
    pub static_view: Tensor<2>,
    /// Gripper camera.
    pub gripper_view: Tensor<2>,
}

impl Views {
    /// Both vectors side by side, `[batch, 2 * observation_dim]`.
    pub fn joined(self) -> Tensor<2> {
        Tensor::cat(vec![self.static_view, self.gripper_view], 1)
    }
}

impl Mdt {
    /// Fresh weights.
    pub fn new(config: &MdtConfig, device: &Device) -> Self {
        let d = &config.denoiser;
        let encoder = |camera: usize| {
            let camera = config.cameras()[camera];
            ResNet::new(&camera.encoder, d.goal_dim, d.observation_dim, device)
        };
        // Actions from an observation to the one `lookahead` ticks later.
        let between = config
            .foresight
            .as_ref()
            .map_or(1, |f| f.lookahead as usize);
        Self {
            model: Preconditioned {
                inner_model: Denoiser::new(d, device),
            },
            static_resnet: encoder(0),
            gripper_resnet: encoder(1),
            gen_img: config
                .foresight
                .as_ref()
                .map(|foresight| Foresight::new(foresight, d.width, device)),
            inverse_dynamics: config.inverse_dynamics.map(|hidden| {
                InverseDynamics::new(
                    2 * d.observation_dim,
                    hidden,
                    between * d.action_dim,
                    device,
                )
            }),
        }
    }

    /// The denoiser.
    pub const fn denoiser(&self) -> &Denoiser {
        &self.model.inner_model
    }

    /// Encodes the images.
    pub fn views(&self, inputs: &Inputs) -> Views {
        let goal = Some(&inputs.goal);
        Views {
            static_view: self
                .static_resnet
                .forward(inputs.static_images.clone(), goal),
            gripper_view: self
                .gripper_resnet
                .forward(inputs.gripper_images.clone(), goal),
        }
    }

    /// Encoder tokens from encoded images.
    pub fn tokens(inputs: &Inputs, views: Views) -> Tokens {
        Tokens {
            goal: inputs.goal.clone(),
            static_view: views.static_view,
            gripper_view: views.gripper_view,
            proprioception: inputs.proprioception.clone(),
        }
    }

    /// Context of a batch, `[batch, tokens, width]`, for networks whose context does not depend on
    /// the noise level; `noise` (`[batch, 1, width]`) for the others.
    pub fn context(&self, inputs: &Inputs, noise: Option<&Tensor<3>>) -> Tensor<3> {
        let tokens = Self::tokens(inputs, self.views(inputs));
        self.denoiser().context(tokens, GoalHead::Goal, noise)
    }
}
