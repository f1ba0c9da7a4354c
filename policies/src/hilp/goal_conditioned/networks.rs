//! The networks of the goal-conditioned variant.
//!
//! Field names follow the authors' parameter tree, shortened: see [`super::import`].

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

use super::config::SkillConfig;
use crate::hilp::observations::Observations;
use crate::nn::{EnsembleDense, EnsembleMlp, EnsembleMlpConfig, Impala};

/// Bounds of the logarithm of the actor's standard deviation.
const LOG_STD: [f32; 2] = [-5.0, 2.0];
/// Scale of the actor's last layer: the square root of the variance's 0.01.
const MEAN_GAIN: f64 = 0.1;

/// A stack of layers, behind an image encoder if observations are images. All members share the
/// encoder.
#[derive(Module, Debug)]
pub struct Trunk {
    /// Image encoder.
    pub encoder: Option<Impala>,
    /// Layers, per member.
    pub head: EnsembleMlp,
}

impl Trunk {
    pub(in crate::hilp) fn new(
        config: &SkillConfig,
        members: usize,
        extra: usize,
        output: Option<usize>,
        device: &Device,
    ) -> Self {
        // The actor's layers end with its last hidden one and have no norms.
        let (hidden, norm) = match output {
            Some(_) => (&config.value_hidden, config.layer_norm),
            None => (&config.actor_hidden, false),
        };
        let channels = config.image_channels(extra);
        let encoder = config.encoder.as_ref();
        Self {
            encoder: encoder.map(|encoder| Impala::new(encoder, channels, device)),
            head: EnsembleMlp::new(
                &EnsembleMlpConfig {
                    members,
                    input: config.trunk_input(extra),
                    layers: hidden.iter().copied().chain(output).collect(),
                    norm,
                },
                device,
            ),
        }
    }

    fn features(&self, observations: Observations) -> Tensor<2> {
        match (observations, &self.encoder) {
            (Observations::States(states), _) => states,
            (Observations::Images(images), Some(encoder)) => encoder.forward(images),
            // Refused by `SkillConfig::problem`; flat pixels at least have rows.
            (Observations::Images(images), None) => images.flatten(1, 3),
        }
    }

    /// `[members, batch, output]`.
    pub fn forward(&self, observations: Observations) -> Tensor<3> {
        self.head.forward(self.features(observations))
    }

    /// One number per member and row, `[members, batch]`.
    pub fn scalars(&self, observations: Observations) -> Tensor<2> {
        let output = self.forward(observations);
        let [members, batch, _] = output.dims();
        output.reshape([members, batch])
    }

    /// φ of the first member, `[batch, skill_dim]`: the representation outside its own loss.
    pub fn phi(&self, observations: Observations) -> Tensor<2> {
        self.head.forward_first(self.features(observations))
    }
}

/// Mean and standard deviation of a Gaussian with independent numbers.
#[derive(Clone, Debug)]
pub struct Gaussian {
    /// `[batch, action]`.
    pub mean: Tensor<2>,
    /// `[1, action]`: the same in every state.
    pub std: Tensor<2>,
}

impl Gaussian {
    /// Logarithm of the density, `[batch]`.
    pub fn log_density(&self, actions: Tensor<2>) -> Tensor<1> {
        let [batch, width] = actions.dims();
        let scaled = (actions - self.mean.clone()) / self.std.clone();
        let spread = self.std.clone().log().sum() + 0.5 * LOG_TWO_PI * width as f64;
        scaled.square().sum_dim(1).reshape([batch]) * -0.5 - spread
    }
}

const LOG_TWO_PI: f64 = 1.837_877_066_409_345_3;

/// π(a | s, z): layers with ReLU to the mean; the standard deviation is a parameter of its own.
#[derive(Module, Debug)]
pub struct Actor {
    /// Layers.
    pub trunk: Trunk,
    /// Last layer, one member.
    pub mean: EnsembleDense,
    /// Logarithm of the standard deviation, `[action]`.
    pub log_stds: Param<Tensor<1>>,
}

impl Actor {
    pub(in crate::hilp) fn new(config: &SkillConfig, device: &Device) -> Self {
        let hidden = config.actor_hidden.last().copied().unwrap_or(1);
        Self {
            trunk: Trunk::new(config, 1, config.skill_dim, None, device),
            mean: EnsembleDense::new(1, [hidden, config.action_dim], MEAN_GAIN, device),
            log_stds: Initializer::Zeros.init([config.action_dim], device),
        }
    }

    /// The distribution in each row, from observations and skills `[batch, skill_dim]`; standard
    /// deviations are multiplied by `temperature`.
    pub fn forward(
        &self,
        observations: Observations,
        skills: Tensor<2>,
        temperature: f64,
    ) -> Gaussian {
        let features = self.trunk.features(observations.with(skills));
        let mean = self.mean.forward(self.trunk.head.forward_relu(features));
        let [_, batch, width] = mean.dims();
        let [low, high] = LOG_STD;
        let std = self.log_stds.val().clamp(low, high).exp() * temperature;
        Gaussian {
            mean: mean.reshape([batch, width]),
            std: std.unsqueeze(),
        }
    }
}

/// All networks.
#[derive(Module, Debug)]
pub struct Networks {
    /// φ, two members.
    pub value: Trunk,
    /// Slow copy of it.
    pub target_value: Trunk,
    /// V(s, z), one member.
    pub skill_value: Trunk,
    /// Q(s, z, a), two members.
    pub skill_critic: Trunk,
    /// Slow copy of it.
    pub skill_target_critic: Trunk,
    /// π(a | s, z).
    pub skill_actor: Actor,
}

impl Networks {
    /// Fresh networks; the slow copies equal their originals. Check the configuration with
    /// [`SkillConfig::problem`] first.
    pub fn new(config: &SkillConfig, device: &Device) -> Self {
        let z = config.skill_dim;
        let trunk =
            |members, extra, output| Trunk::new(config, members, extra, Some(output), device);
        let value = trunk(2, 0, z);
        let skill_critic = trunk(2, z + config.action_dim, 1);
        Self {
            target_value: value.clone(),
            value,
            skill_value: trunk(1, z, 1),
            skill_target_critic: skill_critic.clone(),
            skill_critic,
            skill_actor: Actor::new(config, device),
        }
    }

    /// What acting needs of them.
    pub fn acting(&self) -> Acting {
        Acting {
            value: self.value.clone(),
            skill_actor: self.skill_actor.clone(),
        }
    }
}

/// What acting needs: φ and the actor.
#[derive(Module, Debug)]
pub struct Acting {
    /// φ, two members.
    pub value: Trunk,
    /// π(a | s, z).
    pub skill_actor: Actor,
}

impl Acting {
    /// Fresh networks.
    pub fn new(config: &SkillConfig, device: &Device) -> Self {
        Self {
            value: Trunk::new(config, 2, 0, Some(config.skill_dim), device),
            skill_actor: Actor::new(config, device),
        }
    }
}
