//! Sizes and options of an MDT policy.

use cerebellum_messages::{ActionSpace, GoalKind, TCP_DELTA_DIM};
use serde::{Deserialize, Serialize};

use super::alignment::{AlignmentConfig, LatentPooling};
use super::goal_encoder::GoalEncoderConfig;
use super::hard_patches::HardPatches;
use crate::clip::TextConfig;
use crate::diffusion::{Density, Preconditioning, SamplerKind, Schedule, density::NoiseRange};
use crate::nn::{PerceiverConfig, Pooling, ResNetConfig, Stem};
use crate::policy::{CameraSpec, PolicySpec};
use crate::voltron::VCondConfig;

/// One camera and its encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// Name of the camera.
    pub name: String,
    /// Side of the square image [pixels].
    pub size: usize,
    /// Its encoder.
    pub encoder: ResNetConfig,
}

/// How the noise level enters the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseInput {
    /// Adaptive layer norm in the decoder (the paper).
    #[default]
    AdaptiveNorm,
    /// Added to the decoder's normalised input (`use_noise_encoder` of the authors' class).
    Added,
    /// First token of the encoder (`use_ada_conditioning = false`).
    EncoderToken,
}

/// What the network sees of the cameras.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservationInput {
    /// One vector per camera (MDT).
    #[default]
    Cameras,
    /// A few vectors of both cameras together (MDT-V).
    Latents {
        /// How many.
        count: usize,
    },
}

/// The network behind the policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenoiserConfig {
    /// Model width; a multiple of `heads` and of 4.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Encoder blocks.
    pub encoder_layers: usize,
    /// Decoder blocks.
    pub decoder_layers: usize,
    /// Width of a camera's vector.
    pub observation_dim: usize,
    /// Width of the goal vector.
    pub goal_dim: usize,
    /// What it sees of the cameras.
    #[serde(default)]
    pub observation: ObservationInput,
    /// Whether told and shown goals pass different projections where actions are denoised (MDT-V).
    #[serde(default)]
    pub head_by_scope: bool,
    /// Whether all goals pass the same projection everywhere (`use_modality_encoder = false`).
    #[serde(default)]
    pub shared_goal_head: bool,
    /// Numbers per action.
    pub action_dim: usize,
    /// Actions per chunk.
    pub horizon: usize,
    /// How the noise level enters.
    pub noise: NoiseInput,
    /// Biases of feed-forward blocks, norms and output projections.
    pub bias: bool,
    /// Whether the output is one linear layer, else two.
    pub linear_output: bool,
    /// Whether the goal passes two layers, else one.
    pub mlp_goal: bool,
    /// Whether a table of positions is added to goal and camera tokens.
    pub position_table: bool,
    /// Numbers of the proprioception token; 0 for none (the paper has none).
    pub proprioception: usize,
    /// Departure: every action sees the whole context. In the authors' code action `i` sees its
    /// first `i + 1` tokens only.
    pub full_cross_attention: bool,
    /// Departure: a learned position is added to every action.
    pub action_positions: bool,
    /// Departure: scales and gates of the adaptive norm are offset by one, so that blocks act from
    /// the first step on; helps short trainings.
    pub unit_modulation: bool,
    /// Dropout of attention probabilities.
    pub attention_dropout: f64,
    /// Dropout after attention.
    pub residual_dropout: f64,
    /// Dropout after feed-forward blocks.
    pub mlp_dropout: f64,
    /// Probability that a number of the goal vector is zero in training; the others are not scaled.
    /// As in the authors' code single numbers are left out and not whole goals.
    #[serde(default)]
    pub goal_dropout: f64,
}

impl DenoiserConfig {
    /// All rates of dropout.
    pub const fn dropout_rates(&self) -> [f64; 4] {
        [
            self.attention_dropout,
            self.residual_dropout,
            self.mlp_dropout,
            self.goal_dropout,
        ]
    }
}

/// Noise levels of training and sampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffusionConfig {
    /// Standard deviation of actions.
    pub sigma_data: f64,
    /// Least noise level.
    pub sigma_min: f64,
    /// Greatest noise level.
    pub sigma_max: f64,
    /// Density of training levels.
    pub density: Density,
    /// Rule of the sampler.
    #[serde(default)]
    pub sampler: SamplerKind,
    /// Schedule of the sampler.
    pub schedule: Schedule,
    /// Steps of the sampler.
    pub steps: usize,
}

impl DiffusionConfig {
    /// Bounds for [`Density`].
    pub const fn range(&self) -> NoiseRange {
        NoiseRange {
            sigma_min: self.sigma_min,
            sigma_max: self.sigma_max,
            sigma_data: self.sigma_data,
        }
    }
    /// Input and output scaling.
    pub const fn preconditioning(&self) -> Preconditioning {
        Preconditioning {
            sigma_data: self.sigma_data,
        }
    }
}

/// Masked generative foresight: the auxiliary decoder of both cameras.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForesightConfig {
    /// Side of the target images [pixels]; a multiple of `patch`.
    pub resolution: usize,
    /// Side of a patch [pixels].
    pub patch: usize,
    /// Decoder width; a multiple of `heads` and of 4.
    pub width: usize,
    /// Decoder heads.
    pub heads: usize,
    /// Decoder blocks.
    pub layers: usize,
    /// Share of masked patches.
    pub mask_ratio: f64,
    /// How many ticks ahead the targets lie.
    pub lookahead: u32,
    /// Hiding what is hard to reconstruct, in place of a random choice that both cameras share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_patches: Option<HardPatches>,
}

/// One frozen encoder for both cameras, and a resampler of its tokens (MDT-V).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoltronConfig {
    /// The encoder.
    pub encoder: VCondConfig,
    /// The resampler, whose latent vectors the denoiser sees.
    pub perceiver: PerceiverConfig,
}

/// Everything about an MDT policy that is not in its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MdtConfig {
    /// Name for logs and reports.
    pub name: String,
    /// Third-person camera.
    pub static_camera: CameraConfig,
    /// Camera at the gripper.
    pub gripper_camera: CameraConfig,
    /// Voltron in place of the cameras' own encoders, which are not built then.
    #[serde(default)]
    pub voltron: Option<VoltronConfig>,
    /// The denoiser.
    pub denoiser: DenoiserConfig,
    /// Noise levels.
    pub diffusion: DiffusionConfig,
    /// Masked generative foresight, if trained.
    pub foresight: Option<ForesightConfig>,
    /// How pictures of the wanted outcome become goal vectors, if the policy takes them.
    #[serde(default)]
    pub goal_encoder: Option<GoalEncoderConfig>,
    /// The text tower of CLIP inside of the policy, frozen (the authors: ViT-B/32). Without it
    /// sentences are encoded outside, by the package's `language`.
    #[serde(default)]
    pub text_encoder: Option<TextConfig>,
    /// Contrastive alignment of told and shown goals, if trained.
    #[serde(default)]
    pub alignment: Option<AlignmentConfig>,
    /// Hidden width of the inverse-dynamics head, if there is one (see [`crate::objectives`]).
    pub inverse_dynamics: Option<usize>,
    /// Actions per second.
    pub rate_hz: f64,
    /// Metres of tool motion per tick at action value 1.
    pub translation_scale: f64,
    /// Radians of tool rotation per tick at action value 1.
    pub rotation_scale: f64,
}

/// Width of the proprioception vector of [`MdtConfig::tabletop`]: tool position (3), two columns
/// of the tool's rotation matrix (6), gripper width (1), joint positions (7).
pub const TABLETOP_PROPRIOCEPTION: usize = 17;

impl MdtConfig {
    /// Small enough to train on two CPU cores in an afternoon and to plan in a few milliseconds.
    pub fn tabletop() -> Self {
        let width = 128;
        let encoder = ResNetConfig {
            stem: Stem {
                channels: 16,
                kernel: 5,
                stride: 2,
                max_pool: false,
            },
            widths: vec![32, 64],
            blocks: vec![1, 1],
            strides: vec![2, 2],
            pooling: Pooling::SpatialSoftmax { keypoints: 32 },
            goal_film: true,
        };
        let camera = |name: &str| CameraConfig {
            name: name.into(),
            size: 96,
            encoder: encoder.clone(),
        };
        Self {
            name: "mdt-tabletop".into(),
            static_camera: camera("front"),
            gripper_camera: camera("wrist"),
            voltron: None,
            denoiser: DenoiserConfig {
                width,
                heads: 4,
                encoder_layers: 2,
                decoder_layers: 4,
                observation_dim: width,
                goal_dim: 256,
                observation: ObservationInput::Cameras,
                head_by_scope: false,
                shared_goal_head: false,
                action_dim: TCP_DELTA_DIM,
                horizon: 10,
                noise: NoiseInput::AdaptiveNorm,
                bias: false,
                linear_output: true,
                mlp_goal: true,
                position_table: true,
                proprioception: TABLETOP_PROPRIOCEPTION,
                full_cross_attention: true,
                action_positions: true,
                unit_modulation: true,
                attention_dropout: 0.0,
                residual_dropout: 0.0,
                mlp_dropout: 0.0,
                goal_dropout: 0.0,
            },
            diffusion: DiffusionConfig {
                sigma_data: 0.5,
                sigma_min: 0.001,
                sigma_max: 80.0,
                density: Density::LogLogistic,
                sampler: SamplerKind::Ddim,
                schedule: Schedule::Exponential,
                steps: 10,
            },
            foresight: Some(ForesightConfig {
                resolution: 48,
                patch: 8,
                width: 64,
                heads: 4,
                layers: 2,
                mask_ratio: 0.75,
                lookahead: 3,
                hard_patches: None,
            }),
            goal_encoder: Some(GoalEncoderConfig::tabletop()),
            text_encoder: None,
            alignment: Some(AlignmentConfig::default()),
            inverse_dynamics: Some(2 * width),
            rate_hz: 20.0,
            translation_scale: 0.02,
            rotation_scale: 0.10,
        }
    }

    /// Sizes and switches of the authors' MDT on CALVIN.
    pub fn paper() -> Self {
        let width = 512;
        let camera = |name: &str, size: usize| CameraConfig {
            name: name.into(),
            size,
            encoder: ResNetConfig::resnet18(),
        };
        Self {
            name: "mdt".into(),
            static_camera: camera("rgb_static", 224),
            gripper_camera: camera("rgb_gripper", 84),
            denoiser: DenoiserConfig {
                width,
                heads: 8,
                encoder_layers: 4,
                decoder_layers: 6,
                observation_dim: width,
                goal_dim: 512,
                proprioception: 0,
                full_cross_attention: false,
                action_positions: false,
                unit_modulation: false,
                attention_dropout: 0.3,
                residual_dropout: 0.1,
                mlp_dropout: 0.05,
                goal_dropout: 0.0,
                ..Self::tabletop().denoiser
            },
            foresight: Some(ForesightConfig {
                resolution: 112,
                patch: 16,
                width: 192,
                heads: 8,
                layers: 6,
                mask_ratio: 0.75,
                lookahead: 3,
                hard_patches: None,
            }),
            // The authors' goal encoders are frozen; an import that finds them adds them.
            goal_encoder: None,
            alignment: None,
            inverse_dynamics: None,
            rate_hz: 30.0,
            ..Self::tabletop()
        }
    }

    /// Sizes and switches of the authors' MDT-V on CALVIN.
    pub fn paper_v() -> Self {
        let paper = Self::paper();
        let width = 384;
        let perceiver = PerceiverConfig::mdt_v();
        Self {
            name: "mdt-v".into(),
            voltron: Some(VoltronConfig {
                encoder: VCondConfig::small(),
                perceiver,
            }),
            denoiser: DenoiserConfig {
                width,
                decoder_layers: 4,
                observation_dim: width,
                observation: ObservationInput::Latents {
                    count: perceiver.latents,
                },
                head_by_scope: true,
                ..paper.denoiser
            },
            ..paper
        }
    }

    /// Cameras, static first.
    pub const fn cameras(&self) -> [&CameraConfig; 2] {
        [&self.static_camera, &self.gripper_camera]
    }

    /// Kinds of goals that the policy takes.
    pub fn goals(&self) -> Vec<GoalKind> {
        let images = self.goal_encoder.as_ref().map(|_| GoalKind::Image);
        std::iter::once(GoalKind::Language).chain(images).collect()
    }

    /// Whether the camera encoders look at the pictures with the goal in mind, so that another goal
    /// needs another encoding.
    pub fn cameras_see_goal(&self) -> bool {
        self.cameras().iter().any(|camera| camera.encoder.goal_film)
    }

    /// What the policy needs and gives.
    pub fn spec(&self) -> PolicySpec {
        PolicySpec {
            name: self.name.clone(),
            family: "mdt".into(),
            cameras: self
                .cameras()
                .map(|camera| CameraSpec {
                    name: camera.name.clone(),
                    width: camera.size as u32,
                    height: camera.size as u32,
                })
                .to_vec(),
            proprioception: self.denoiser.proprioception > 0,
            world: 0,
            goals: self.goals(),
            action_space: ActionSpace::TcpDelta,
            action_dim: self.denoiser.action_dim,
            horizon: self.denoiser.horizon,
            rate_hz: self.rate_hz,
            translation_scale: self.translation_scale,
            rotation_scale: self.rotation_scale,
        }
    }

    /// What is wrong with the configuration, if anything; a network can be built if nothing is.
    pub fn problem(&self) -> Option<String> {
        let d = &self.denoiser;
        if d.heads == 0
            || d.width == 0
            || !d.width.is_multiple_of(d.heads)
            || !d.width.is_multiple_of(4)
        {
            return Some(format!(
                "denoiser.width {} must be a multiple of denoiser.heads {} and of 4",
                d.width, d.heads
            ));
        }
        if d.horizon == 0 || d.action_dim == 0 || d.goal_dim == 0 || d.observation_dim == 0 {
            return Some(
                "horizon, action_dim, goal_dim and observation_dim must be positive".into(),
            );
        }
        if d.dropout_rates()
            .iter()
            .any(|rate| !(0.0..1.0).contains(rate))
        {
            return Some("dropout rates must lie in [0, 1)".into());
        }
        let s = &self.diffusion;
        let range = s.sigma_min > 0.0 && s.sigma_max > s.sigma_min && s.sigma_max.is_finite();
        let data = s.sigma_data > 0.0 && s.sigma_data.is_finite();
        if !range || !data || s.steps == 0 {
            return Some(
                "diffusion needs 0 < sigma_min < sigma_max, sigma_data > 0, steps > 0".into(),
            );
        }
        if let Some(problem) = s.sampler.problem() {
            return Some(format!("diffusion.sampler: {problem}"));
        }
        if let Some(f) = &self.foresight {
            if f.patch == 0 || f.resolution == 0 || f.resolution % f.patch != 0 {
                return Some("foresight.resolution must be a multiple of foresight.patch".into());
            }
            if f.heads == 0 || f.width == 0 || f.width % f.heads != 0 || f.width % 4 != 0 {
                return Some(
                    "foresight.width must be a multiple of foresight.heads and of 4".into(),
                );
            }
            if !(0.0..1.0).contains(&f.mask_ratio) {
                return Some("foresight.mask_ratio must lie in [0, 1)".into());
            }
            if let Some(problem) = f.hard_patches.as_ref().and_then(HardPatches::problem) {
                return Some(format!("foresight.hard_patches: {problem}"));
            }
        }
        if let Some(problem) = self.goal_problem().or_else(|| self.view_problem()) {
            return Some(problem);
        }
        self.cameras().iter().find_map(|camera| {
            if camera.size == 0 {
                return Some(format!("camera {} has size 0", camera.name));
            }
            camera
                .encoder
                .problem()
                .map(|problem| format!("encoder of camera {}: {problem}", camera.name))
        })
    }

    fn view_problem(&self) -> Option<String> {
        let d = &self.denoiser;
        let Some(voltron) = &self.voltron else {
            let has_latents = d.observation != ObservationInput::Cameras;
            return has_latents.then(|| "denoiser.observation of latents needs voltron".into());
        };
        let own = voltron.encoder.problem();
        if let Some(problem) = own.or_else(|| voltron.perceiver.problem()) {
            return Some(format!("voltron: {problem}"));
        }
        let count = voltron.perceiver.latents;
        if d.observation != (ObservationInput::Latents { count }) {
            return Some(format!(
                "denoiser.observation must be the {count} latents of voltron.perceiver"
            ));
        }
        let widths = [voltron.encoder.width, voltron.perceiver.width];
        (widths != [d.observation_dim; 2]).then(|| {
            format!(
                "the widths {widths:?} of voltron must be denoiser.observation_dim {}",
                d.observation_dim
            )
        })
    }

    fn goal_problem(&self) -> Option<String> {
        let goal_dim = self.denoiser.goal_dim;
        if let Some(problem) = self
            .goal_encoder
            .as_ref()
            .and_then(|encoder| encoder.problem(self.static_camera.size, goal_dim))
        {
            return Some(format!("goal_encoder: {problem}"));
        }
        if let Some(text) = &self.text_encoder {
            let expected = [TextConfig::base().vocabulary, goal_dim];
            let found = [text.vocabulary, text.output];
            if let Some(problem) = text.problem() {
                return Some(format!("text_encoder: {problem}"));
            }
            if found != expected || text.context < 2 {
                return Some(format!(
                    "text_encoder: vocabulary and output are {found:?}, but CLIP's tokenizer and \
                     denoiser.goal_dim need {expected:?}, and a context of two tokens"
                ));
            }
        }
        let pooling = self.alignment.as_ref()?.pooling;
        if self.goal_encoder.is_none() {
            return Some("alignment needs a goal_encoder".into());
        }
        match pooling {
            LatentPooling::Attention { heads } => {
                let width = self.denoiser.width;
                let fits = heads > 0 && width.is_multiple_of(heads);
                (!fits).then(|| {
                    format!("alignment.pooling has {heads} heads, which do not divide {width}")
                })
            }
            LatentPooling::Token { index } => {
                let noise = usize::from(self.denoiser.noise == NoiseInput::EncoderToken);
                let views = match self.denoiser.observation {
                    ObservationInput::Cameras => 2,
                    ObservationInput::Latents { count } => count,
                };
                let tokens = 1 + views + noise + usize::from(self.denoiser.proprioception > 0);
                (index >= tokens).then(|| {
                    format!("alignment.pooling takes token {index} of a context of {tokens}")
                })
            }
        }
    }
}
