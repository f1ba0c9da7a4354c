//! What a GRIF policy is made of.

use cerebellum_messages::{ActionSpace, GoalKind, TCP_DELTA_DIM};
use serde::{Deserialize, Serialize};

use super::alignment::AlignmentConfig;
use super::config::GrifConfig;
use super::data::actions::ActionStatistics;
use super::head::{HeadConfig, StdKind};
use super::mlp::MlpConfig;
use super::resnet::{Fusion, PoolingKind, ResNetV1Config};
use super::task_encoder::TaskEncoderConfig;
use crate::mdt::config::TABLETOP_PROPRIOCEPTION;
use crate::policy::{CameraSpec, PolicySpec, scales_problem};

/// Everything about a GRIF policy that is not in its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrifPolicyConfig {
    /// Name for logs and reports.
    pub name: String,
    /// Cameras, that of goal pictures first. The policy's encoder sees all of them, one behind the
    /// other's channels; the authors have one.
    pub cameras: Vec<String>,
    /// The networks.
    pub network: GrifConfig,
    /// Statistics of actions.
    pub actions: ActionStatistics,
    /// Actions that the head predicts at once; the authors: 1.
    pub chunk: usize,
    /// Actions per chunk that is handed out, at least [`GrifPolicyConfig::chunk`]: the last one is
    /// repeated.
    pub horizon: usize,
    /// Instructions that the change seen so far is compared with.
    pub instructions: Vec<String>,
    /// Actions per second for which the policy was trained.
    pub rate_hz: f64,
    /// Metres of tool motion per tick at action value 1.
    pub translation_scale: f64,
    /// Radians of tool rotation per tick at action value 1.
    pub rotation_scale: f64,
}

impl GrifConfig {
    /// Small enough to train on two CPU cores: two cameras, sentence vectors of `sentence` numbers
    /// from outside, chunks of `chunk` actions.
    pub fn tabletop(sentence: usize, chunk: usize) -> Self {
        let small = ResNetV1Config {
            stages: vec![1; 3],
            filters: 16,
            pooling: PoolingKind::SpatialSoftmax {
                learned_temperature: true,
            },
            ..ResNetV1Config::resnet34(96)
        };
        let numbers = chunk * TCP_DELTA_DIM;
        Self {
            encoder: ResNetV1Config {
                channels: 6,
                fusion: Fusion::Film {
                    task: sentence,
                    units: Some(128),
                },
                ..small.clone()
            },
            image_task: Some(TaskEncoderConfig::ResNet(ResNetV1Config {
                fusion: Fusion::Image { channels: 3 },
                output_mlp: Some(MlpConfig {
                    hidden: vec![256, sentence],
                    activation: Default::default(),
                    activate_final: false,
                }),
                normalize: true,
                ..small
            })),
            language_task: Some(TaskEncoderConfig::Vector(sentence)),
            share_encoders: false,
            head: HeadConfig {
                hidden: vec![256; 3],
                actions: numbers,
                std: StdKind::Fixed(vec![1.0; numbers]),
                tanh: false,
                dropout: 0.1,
            },
            early_fusion: true,
            early_fuse_initial: false,
            no_initial: false,
            proprioception: TABLETOP_PROPRIOCEPTION,
            alignment: AlignmentConfig::default(),
            freeze_unlabelled: false,
        }
    }
}

impl GrifPolicyConfig {
    /// Side of the square pictures [pixels].
    pub const fn side(&self) -> usize {
        self.network.encoder.side
    }

    /// Kinds of goals taken.
    pub fn goals(&self) -> Vec<GoalKind> {
        let language = self.network.language_task.as_ref();
        let images = self.network.image_task.as_ref();
        let language = language.map(|_| GoalKind::Language);
        language
            .into_iter()
            .chain(images.map(|_| GoalKind::Image))
            .collect()
    }

    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        if let Some(problem) = self.network.problem() {
            return Some(problem);
        }
        let seen = 3 * self.cameras.len();
        let initial = if self.network.early_fuse_initial {
            3
        } else {
            0
        };
        if seen == 0 || self.network.encoder.channels != seen + initial {
            return Some(format!(
                "network.encoder.channels is {}, but {} cameras have {}",
                self.network.encoder.channels,
                self.cameras.len(),
                seen + initial
            ));
        }
        if self.network.no_initial && self.cameras.len() > 1 {
            return Some("no_initial needs a single camera: goals are pictures of one".into());
        }
        let width = TCP_DELTA_DIM;
        if self.chunk == 0 || self.network.head.actions != self.chunk * width {
            return Some(format!(
                "network.head.actions is {}, but {} actions have {}",
                self.network.head.actions,
                self.chunk,
                self.chunk * width
            ));
        }
        if self.horizon < self.chunk {
            return Some("horizon must be at least chunk".into());
        }
        if ![0, TABLETOP_PROPRIOCEPTION].contains(&self.network.proprioception) {
            return Some(format!(
                "network.proprioception must be 0 or {TABLETOP_PROPRIOCEPTION}"
            ));
        }
        if let Some(problem) = self.actions.problem(width) {
            return Some(format!("actions: {problem}"));
        }
        scales_problem([self.rate_hz, self.translation_scale, self.rotation_scale])
    }

    /// What the policy needs and gives.
    pub fn spec(&self) -> PolicySpec {
        let side = self.side() as u32;
        let camera = |name: &String| CameraSpec {
            name: name.clone(),
            width: side,
            height: side,
        };
        PolicySpec {
            name: self.name.clone(),
            family: "grif".into(),
            cameras: self.cameras.iter().map(camera).collect(),
            proprioception: self.network.proprioception > 0,
            world: 0,
            goals: self.goals(),
            action_space: ActionSpace::TcpDelta,
            action_dim: TCP_DELTA_DIM,
            horizon: self.horizon,
            rate_hz: self.rate_hz,
            translation_scale: self.translation_scale,
            rotation_scale: self.rotation_scale,
        }
    }
}
