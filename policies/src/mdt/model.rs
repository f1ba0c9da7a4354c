//! All networks of an MDT policy together.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};

use super::alignment::{AlignmentConfig, Contrast, Projector, logit_scale, pool};
use super::config::MdtConfig;
pub use super::denoiser::Views;
use super::denoiser::{Denoiser, GoalHead, Tokens};
use super::goal_encoder::GoalEncoder;
use super::mgf::Foresight;
use crate::clip::TextTower;
use crate::nn::{Perceiver, ResNet};
use crate::objectives::inverse_dynamics::InverseDynamics;
use crate::voltron::{VCond, preprocess};

/// The level at which the authors' checkpoints hold the denoiser: `model.inner_model`.
#[derive(Module, Debug)]
pub struct Preconditioned {
    /// The denoiser.
    pub inner_model: Denoiser,
}

/// The level at which the authors' checkpoints hold Voltron: `img_encoder.vcond`.
#[derive(Module, Debug)]
pub struct FrozenImages {
    /// The encoder, never trained.
    pub vcond: VCond,
}

/// Image encoders, denoiser and auxiliary heads. Paths are the authors' keys.
#[derive(Module, Debug)]
pub struct Mdt {
    /// The denoiser.
    pub model: Preconditioned,
    /// Encoder of the static camera (MDT).
    pub static_resnet: Option<ResNet>,
    /// Encoder of the gripper camera (MDT).
    pub gripper_resnet: Option<ResNet>,
    /// Encoder of both cameras (MDT-V).
    pub img_encoder: Option<FrozenImages>,
    /// Resampler of its tokens (MDT-V).
    pub perceiver: Option<Perceiver>,
    /// Masked generative foresight, if trained.
    pub gen_img: Option<Foresight>,
    /// Encoder of image goals, if the policy takes them.
    pub goal_encoder: Option<GoalEncoder>,
    /// Encoder of sentences, if it is part of the policy.
    pub text_encoder: Option<TextTower>,
    /// Logarithm of the inverse temperature of the contrastive alignment, `[1]`, if trained.
    pub logit_scale: Option<Param<Tensor<1>>>,
    /// Pooling of the contrastive alignment, if it is learned.
    pub clip_proj: Option<Projector>,
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
    /// Which of them were told and which shown.
    pub head: GoalHead,
    /// Normalised proprioception, `[batch, width]`, if the network reads it.
    pub proprioception: Option<Tensor<2>>,
}

impl Inputs {
    /// `count` rows from `start` on.
    pub fn narrow(&self, start: usize, count: usize) -> Self {
        Self {
            static_images: self.static_images.clone().narrow(0, start, count),
            gripper_images: self.gripper_images.clone().narrow(0, start, count),
            goal: self.goal.clone().narrow(0, start, count),
            head: self.head.clone().map(|told| told.narrow(0, start, count)),
            proprioception: self
                .proprioception
                .clone()
                .map(|state| state.narrow(0, start, count)),
        }
    }

    /// Some of the rows, by their numbers.
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        Self {
            static_images: self.static_images.clone().select(0, rows.clone()),
            gripper_images: self.gripper_images.clone().select(0, rows.clone()),
            goal: self.goal.clone().select(0, rows.clone()),
            head: self.head.clone().map(|told| told.select(0, rows.clone())),
            proprioception: self
                .proprioception
                .clone()
                .map(|state| state.select(0, rows.clone())),
        }
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
            static_resnet: config.voltron.is_none().then(|| encoder(0)),
            gripper_resnet: config.voltron.is_none().then(|| encoder(1)),
            img_encoder: config.voltron.as_ref().map(|voltron| FrozenImages {
                vcond: VCond::new(&voltron.encoder, device),
            }),
            perceiver: config
                .voltron
                .as_ref()
                .map(|voltron| Perceiver::new(&voltron.perceiver, device)),
            gen_img: config
                .foresight
                .as_ref()
                .map(|foresight| Foresight::new(foresight, d.width, device)),
            goal_encoder: config
                .goal_encoder
                .as_ref()
                .map(|encoder| GoalEncoder::new(encoder, d.goal_dim, device)),
            text_encoder: config
                .text_encoder
                .as_ref()
                .map(|tower| TextTower::new(tower, device)),
            logit_scale: config.alignment.as_ref().map(|_| logit_scale(device)),
            clip_proj: config
                .alignment
                .as_ref()
                .and_then(|alignment| Projector::of(alignment.pooling, d.width, device)),
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

    /// Contrast between contexts of the same observations with shown and with told goals,
    /// `[batch, tokens, width]` each; `None` if the network is not aligned.
    pub fn contrast(
        &self,
        config: &AlignmentConfig,
        images: Tensor<3>,
        texts: Tensor<3>,
    ) -> Option<Contrast> {
        let scale = self.logit_scale.as_ref()?;
        let pooled = |context| pool(config.pooling, self.clip_proj.as_ref(), context);
        Some(Contrast::of(pooled(images), pooled(texts), scale.val()))
    }

    /// Encodes the images. Voltron sees both cameras in one batch. There may be more goals than images
    /// (see [`ResNet::forward`]).
    pub fn views(&self, inputs: &Inputs) -> Views {
        let goal = Some(&inputs.goal);
        let encode = |encoder: &Option<ResNet>, images: &Tensor<4>| match encoder {
            Some(encoder) => encoder.forward(images.clone(), goal),
            // Never built without an encoder.
            None => Tensor::zeros([images.dims()[0], 1], &images.device()),
        };
        let (Some(images), Some(perceiver)) = (&self.img_encoder, &self.perceiver) else {
            return Views::Cameras {
                static_view: encode(&self.static_resnet, &inputs.static_images),
                gripper_view: encode(&self.gripper_resnet, &inputs.gripper_images),
            };
        };
        let side = images.vcond.resolution();
        let both = [&inputs.static_images, &inputs.gripper_images]
            .map(|images| preprocess::prepare(images.clone(), side));
        let [batch, ..] = both[0].dims();
        let tokens = images.vcond.forward(Tensor::cat(both.to_vec(), 0)).detach();
        let views = [0, 1].map(|view| tokens.clone().narrow(0, view * batch, batch));
        let tokens = Tensor::cat(views.to_vec(), 1).unsqueeze_dim(1);
        Views::Latents(perceiver.forward(tokens, None))
    }

    /// Encoder tokens from encoded images.
    pub fn tokens(inputs: &Inputs, views: Views) -> Tokens {
        Tokens {
            goal: inputs.goal.clone(),
            head: inputs.head.clone(),
            views,
            proprioception: inputs.proprioception.clone(),
        }
    }

    /// Context of a batch, `[batch, tokens, width]`, for networks whose context does not depend on
    /// the noise level; `noise` (`[batch, 1, width]`) for the others.
    pub fn context(&self, inputs: &Inputs, noise: Option<&Tensor<3>>) -> Tensor<3> {
        let tokens = Self::tokens(inputs, self.views(inputs));
        self.denoiser().policy_context(tokens, noise)
    }
}
