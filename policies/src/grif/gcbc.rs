//! The baseline: behaviour cloning towards a goal image, without language.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::distribution::ActionDistribution;
use super::dropout::KeepMasks;
use super::head::{HeadConfig, PolicyHead};
use super::resnet::{ResNetV1, ResNetV1Config, Task};
use crate::error::PolicyError;

/// How the goal image meets the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoalFusion {
    /// Behind its channels.
    EarlyConcat,
    /// Through the same encoder, its vector behind the other.
    LateShared,
    /// Through an encoder of its own, its vector behind the other.
    LateSeparate,
}

/// Shape of a [`Gcbc`].
#[derive(Clone, Debug, PartialEq)]
pub struct GcbcConfig {
    /// Encoder; without a task of its own.
    pub encoder: ResNetV1Config,
    /// Fusion.
    pub fusion: GoalFusion,
    /// Numbers of proprioception that follow the encoding.
    pub proprioception: usize,
    /// Distribution of actions.
    pub head: HeadConfig,
}

impl GcbcConfig {
    fn encoding(&self) -> usize {
        let output = self.encoder.output();
        let images = match self.fusion {
            GoalFusion::EarlyConcat => output,
            GoalFusion::LateShared | GoalFusion::LateSeparate => 2 * output,
        };
        images + self.proprioception
    }

    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        self.encoder.problem().or_else(|| self.head.problem())
    }
}

/// The networks.
#[derive(Module, Debug)]
pub struct Gcbc {
    /// Encoder of the current image.
    pub encoder: ResNetV1,
    /// Encoder of the goal image, if it has its own.
    pub goal_encoder: Option<ResNetV1>,
    /// Distribution of actions.
    pub head: PolicyHead,
    #[module(skip)]
    config: GcbcConfig,
}

impl Gcbc {
    /// Fresh weights. `encoder.channels` are those of one image.
    pub fn new(config: &GcbcConfig, device: &Device) -> Self {
        let mut encoder = config.encoder.clone();
        if config.fusion == GoalFusion::EarlyConcat {
            encoder.channels *= 2;
        }
        Self {
            encoder: ResNetV1::new(&encoder, device),
            goal_encoder: (config.fusion == GoalFusion::LateSeparate)
                .then(|| ResNetV1::new(&config.encoder, device)),
            head: PolicyHead::new(&config.head, config.encoding(), device),
            config: config.clone(),
        }
    }

    /// Bytes of the current and the goal image, `[batch, side, side, channels]`, and normalised
    /// proprioception, to a distribution of actions.
    ///
    /// # Errors
    /// If an image is of another size or proprioception is missing.
    pub fn forward(
        &self,
        now: Tensor<4>,
        goal: Tensor<4>,
        proprioception: Option<Tensor<2>>,
        dropout: Option<&KeepMasks<2>>,
    ) -> Result<ActionDistribution, PolicyError> {
        let mut parts = Vec::new();
        if self.config.fusion == GoalFusion::EarlyConcat {
            let both = Tensor::cat(vec![now, goal], 3);
            parts.push(self.encoder.forward(both, &Task::None)?.flat());
        } else {
            let goals = self.goal_encoder.as_ref().unwrap_or(&self.encoder);
            parts.push(self.encoder.forward(now, &Task::None)?.flat());
            parts.push(goals.forward(goal, &Task::None)?.flat());
        }
        match proprioception {
            Some(rows) if self.config.proprioception == rows.dims()[1] => parts.push(rows),
            None if self.config.proprioception == 0 => {}
            found => {
                return Err(PolicyError::InputShape {
                    what: "proprioception".into(),
                    expected: format!("{} numbers", self.config.proprioception),
                    found: format!("{:?}", found.map(|rows| rows.dims())),
                    advice: "send the joint state that the policy was trained with".into(),
                });
            }
        }
        let encoding = Tensor::cat(parts, 1);
        Ok(self.head.forward(encoding, 1.0, dropout))
    }
}
