//! The network: goal and camera tokens to a context, noisy actions and context to clean actions.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Distribution, Tensor, TensorData};

use super::config::{DenoiserConfig, NoiseInput, ObservationInput};
use crate::nn::attention::repeat_interleave;
use crate::nn::decoder::BlockNoise;
use crate::nn::linear::{DENOISER_STD, dense, linear};
use crate::nn::mlp::{MlpHead, Projection, mlp_head};
use crate::nn::sigma_embedding::SigmaLayers;
use crate::nn::{
    AttentionConfig, Decoder, DecoderConfig, Encoder, EncoderConfig, KeyValue, NoiseConditioning,
    SigmaEmbedding,
};

/// Hidden width of MDT-V's output where it is not linear; MDT's is the model's width.
const LATENTS_OUTPUT_HIDDEN: usize = 100;

/// Which of the two goal projections a goal passes.
///
/// The authors call it the scope of a batch: `lang` batches pass `lang_emb` and `vis` batches
/// `goal_emb`. Their MDT follows it in the contrastive loss only; its policy sends all goals through
/// `goal_emb`. Their MDT-V follows it everywhere.
#[derive(Clone, Debug, Default)]
pub enum GoalHead {
    /// `goal_emb`.
    #[default]
    Goal,
    /// `lang_emb`.
    Language,
    /// `lang_emb` for rows with 1 and `goal_emb` for rows with 0, `[batch, 1]`.
    PerRow(Tensor<2>),
}

impl GoalHead {
    /// For rows whose goals were told or else shown.
    pub fn of(told: &[bool], device: &Device) -> Self {
        if told.iter().all(|&told| told) {
            Self::Language
        } else if !told.contains(&true) {
            Self::Goal
        } else {
            let rows = told.iter().map(|&told| f32::from(u8::from(told)));
            let data = TensorData::new(rows.collect::<Vec<_>>(), [told.len(), 1]);
            Self::PerRow(Tensor::from_data(data, device))
        }
    }

    /// For other rows, made of these by `rows`.
    #[must_use]
    pub fn map(self, rows: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Self {
        match self {
            Self::PerRow(told) => Self::PerRow(rows(told)),
            head => head,
        }
    }
}

/// What the encoder sees of the world.
#[derive(Clone, Debug)]
pub enum Views {
    /// One vector per camera, `[batch, observation_dim]` each (MDT).
    Cameras {
        /// Static camera.
        static_view: Tensor<2>,
        /// Gripper camera.
        gripper_view: Tensor<2>,
    },
    /// A few vectors of both cameras together, `[batch, latents, observation_dim]` (MDT-V).
    Latents(Tensor<3>),
}

impl Views {
    /// All vectors side by side, `[batch, vectors * observation_dim]`.
    pub fn joined(self) -> Tensor<2> {
        match self {
            Self::Cameras {
                static_view,
                gripper_view,
            } => Tensor::cat(vec![static_view, gripper_view], 1),
            Self::Latents(latents) => latents.flatten(1, 2),
        }
    }

    /// `count` rows from `start` on.
    pub fn narrow(&self, start: usize, count: usize) -> Self {
        match self {
            Self::Cameras {
                static_view,
                gripper_view,
            } => Self::Cameras {
                static_view: static_view.clone().narrow(0, start, count),
                gripper_view: gripper_view.clone().narrow(0, start, count),
            },
            Self::Latents(latents) => Self::Latents(latents.clone().narrow(0, start, count)),
        }
    }

    fn repeat_interleave(self, times: usize) -> Self {
        match self {
            Self::Cameras {
                static_view,
                gripper_view,
            } => Self::Cameras {
                static_view: repeat_interleave(static_view, times),
                gripper_view: repeat_interleave(gripper_view, times),
            },
            Self::Latents(latents) => Self::Latents(repeat_interleave(latents, times)),
        }
    }
}

/// What the encoder reads.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Goal vectors, `[batch, goal_dim]`.
    pub goal: Tensor<2>,
    /// The projection for goals of this kind, where the policy tells them apart.
    pub head: GoalHead,
    /// Vectors of the cameras.
    pub views: Views,
    /// Normalised proprioception, `[batch, proprioception]`, if the network reads it.
    pub proprioception: Option<Tensor<2>>,
}

impl Tokens {
    /// Every sample `times` times in a row.
    pub fn repeat_interleave(self, times: usize) -> Self {
        Self {
            goal: repeat_interleave(self.goal, times),
            head: self.head.map(|told| repeat_interleave(told, times)),
            views: self.views.repeat_interleave(times),
            proprioception: self
                .proprioception
                .map(|state| repeat_interleave(state, times)),
        }
    }
}

/// The denoiser, `F` of [`crate::diffusion::Preconditioning`].
#[derive(Module, Debug)]
pub struct Denoiser {
    /// Positions, `[1, 1 + horizon, width]`: row 0 for the goal, row 1 for both cameras. The other
    /// rows exist in the authors' files but are never read; nor is any of MDT-V's table, which has a
    /// row per latent more.
    pub pos_emb: Param<Tensor<3>>,
    /// Projection of the static camera's vector, or of the latents.
    pub tok_emb: Linear,
    /// Projection of the gripper camera's vector.
    pub incam_embed: Option<Linear>,
    /// Projection of goals.
    pub goal_emb: Projection,
    /// The other projection of goals (see [`GoalHead`]), unless there is one for all.
    pub lang_emb: Option<Projection>,
    /// Projection of proprioception. The authors' class has one and never uses it.
    pub proprio_emb: Option<MlpHead>,
    /// Learned positions of actions, `[1, horizon, width]`; not in the authors' class.
    pub action_positions: Option<Param<Tensor<3>>>,
    /// Encoder over goal and observation tokens.
    pub encoder: Encoder,
    /// Decoder over actions.
    pub decoder: Decoder,
    /// Embedding of the noise level.
    pub sigma_emb: SigmaLayers,
    /// Projection of noisy actions.
    pub action_emb: Linear,
    /// Projection to clean actions.
    pub action_pred: Projection,
    #[module(skip)]
    conditioning: NoiseConditioning,
    position_table: bool,
    head_by_scope: bool,
    goal_dropout: f64,
}

impl Denoiser {
    /// Weights from N(0, 0.02²).
    pub fn new(config: &DenoiserConfig, device: &Device) -> Self {
        let width = config.width;
        let attention = |causal: bool| AttentionConfig {
            width,
            heads: config.heads,
            causal,
            output_bias: config.bias,
            attention_dropout: config.attention_dropout,
            output_dropout: config.residual_dropout,
        };
        let conditioning = match config.noise {
            NoiseInput::AdaptiveNorm => NoiseConditioning::AdaptiveNorm,
            NoiseInput::Added => NoiseConditioning::Added,
            NoiseInput::EncoderToken => NoiseConditioning::None,
        };
        let table = |rows: usize| {
            Initializer::Normal {
                mean: 0.0,
                std: DENOISER_STD,
            }
            .init([1, rows, width], device)
        };
        let goal = || {
            let hidden = config.mlp_goal.then_some(2 * width);
            Projection::new(config.goal_dim, hidden, width, device)
        };
        let view = || linear(config.observation_dim, width, true, device);
        let (latents, output_hidden) = match config.observation {
            ObservationInput::Cameras => (0, width),
            ObservationInput::Latents { count } => (count, LATENTS_OUTPUT_HIDDEN),
        };
        Self {
            pos_emb: table(1 + latents + config.horizon),
            tok_emb: view(),
            incam_embed: (latents == 0).then(view),
            goal_emb: goal(),
            lang_emb: (!config.shared_goal_head).then(goal),
            proprio_emb: (config.proprioception > 0)
                .then(|| mlp_head(config.proprioception, 2 * width, width, device)),
            action_positions: config.action_positions.then(|| table(config.horizon)),
            encoder: Encoder::new(
                &EncoderConfig {
                    layers: config.encoder_layers,
                    attention: attention(false),
                    bias: config.bias,
                    mlp_dropout: config.mlp_dropout,
                },
                device,
            ),
            decoder: Decoder::new(
                &DecoderConfig {
                    layers: config.decoder_layers,
                    self_attention: attention(true),
                    cross_attention: attention(!config.full_cross_attention),
                    bias: config.bias,
                    mlp_dropout: config.mlp_dropout,
                    conditioning,
                    unit_modulation: config.unit_modulation,
                },
                device,
            ),
            sigma_emb: SigmaEmbedding::layers(width, device),
            action_emb: linear(config.action_dim, width, true, device),
            action_pred: Projection::new(
                width,
                (!config.linear_output).then_some(output_hidden),
                config.action_dim,
                device,
            ),
            conditioning,
            position_table: config.position_table && latents == 0,
            head_by_scope: config.head_by_scope,
            goal_dropout: config.goal_dropout,
        }
    }

    /// Whether the context depends on the noise level.
    pub fn context_has_noise(&self) -> bool {
        self.conditioning == NoiseConditioning::None
    }

    /// The encoder's inputs, `[batch, tokens, width]`: goal, views, then proprioception if read; a
    /// noise token first if [`Denoiser::context_has_noise`], for which `noise`
    /// (`[batch, 1, width]`) is needed.
    pub fn embed(&self, tokens: Tokens, head: GoalHead, noise: Option<&Tensor<3>>) -> Tensor<3> {
        let position = |row: usize, token: Tensor<3>| -> Tensor<3> {
            if self.position_table {
                token + self.pos_emb.val().narrow(1, row, 1)
            } else {
                token
            }
        };
        let mut all = Vec::with_capacity(5);
        if self.context_has_noise() {
            all.extend(noise.cloned());
        }
        all.push(position(
            0,
            self.embed_goal(tokens.goal, head).unsqueeze_dim(1),
        ));
        match tokens.views {
            Views::Cameras {
                static_view,
                gripper_view,
            } => {
                let gripper = self.incam_embed.as_ref().unwrap_or(&self.tok_emb);
                let static_view = self.tok_emb.forward(static_view);
                let gripper_view = gripper.forward(gripper_view);
                all.push(position(1, static_view.unsqueeze_dim(1)));
                all.push(position(1, gripper_view.unsqueeze_dim(1)));
            }
            Views::Latents(latents) => all.push(dense(&self.tok_emb, latents)),
        }
        if let (Some((first, activation, second)), Some(state)) =
            (&self.proprio_emb, tokens.proprioception)
        {
            let token = second.forward(activation.forward(first.forward(state)));
            all.push(token.unsqueeze_dim(1));
        }
        Tensor::cat(all, 1)
    }

    fn embed_goal(&self, goal: Tensor<2>, head: GoalHead) -> Tensor<2> {
        let goal = match self.goal_dropout > 0.0 && goal.device().is_autodiff() {
            true => {
                let kept = Distribution::Bernoulli(1.0 - self.goal_dropout);
                goal.clone() * goal.random_like(kept)
            }
            false => goal,
        };
        let language = self.lang_emb.as_ref().unwrap_or(&self.goal_emb);
        match head {
            GoalHead::Goal => self.goal_emb.forward(goal),
            GoalHead::Language => language.forward(goal),
            GoalHead::PerRow(told) => {
                let shown = self.goal_emb.forward(goal.clone());
                (language.forward(goal) - shown.clone()) * told + shown
            }
        }
    }

    /// The encoder's output of what [`Denoiser::embed`] describes.
    pub fn context(&self, tokens: Tokens, head: GoalHead, noise: Option<&Tensor<3>>) -> Tensor<3> {
        self.encoder.forward(self.embed(tokens, head, noise))
    }

    /// The head that goals pass where actions are denoised.
    pub fn policy_head(&self, scope: GoalHead) -> GoalHead {
        if self.head_by_scope {
            scope
        } else {
            GoalHead::Goal
        }
    }

    /// The context that actions are denoised with.
    pub fn policy_context(&self, tokens: Tokens, noise: Option<&Tensor<3>>) -> Tensor<3> {
        let head = self.policy_head(tokens.head.clone());
        self.context(tokens, head, noise)
    }

    /// Embedding of noise levels, `[batch] -> [batch, 1, width]`.
    pub fn embed_sigma(&self, sigma: Tensor<1>) -> Tensor<3> {
        SigmaEmbedding::embed(&self.sigma_emb, sigma)
    }

    /// What every decoder block needs of embedded noise levels.
    pub fn block_noise(&self, noise: &Tensor<3>) -> Vec<BlockNoise> {
        self.decoder.noise(self.conditioning, noise)
    }

    /// Keys and values of a context for every decoder block.
    pub fn project(&self, context: &Tensor<3>) -> Vec<KeyValue> {
        self.decoder.project(context)
    }

    /// From scaled noisy actions `[batch, horizon, action_dim]` to the network's output.
    pub fn decode(
        &self,
        actions: Tensor<3>,
        noise: &[BlockNoise],
        context: &[KeyValue],
    ) -> Tensor<3> {
        let mut hidden = dense(&self.action_emb, actions);
        if let Some(positions) = &self.action_positions {
            hidden = hidden + positions.val();
        }
        self.action_pred
            .forward(self.decoder.forward(hidden, noise, context))
    }

    /// Context and decoding in one: `F(actions, sigma)`, without input and output scaling.
    pub fn forward(&self, tokens: Tokens, actions: Tensor<3>, sigma: Tensor<1>) -> Tensor<3> {
        let noise = self.embed_sigma(sigma);
        let context = self.policy_context(tokens, Some(&noise));
        self.decode(actions, &self.block_noise(&noise), &self.project(&context))
    }
}
