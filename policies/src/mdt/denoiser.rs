//! The network: goal and camera tokens to a context, noisy actions and context to clean actions.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::config::{DenoiserConfig, NoiseInput};
use crate::nn::attention::repeat_interleave;
use crate::nn::decoder::BlockNoise;
use crate::nn::linear::{DENOISER_STD, dense, linear};
use crate::nn::mlp::{MlpHead, Projection, mlp_head};
use crate::nn::sigma_embedding::SigmaLayers;
use crate::nn::{
    AttentionConfig, Decoder, DecoderConfig, Encoder, EncoderConfig, KeyValue, NoiseConditioning,
    SigmaEmbedding,
};

/// Which of the two goal projections a goal passes.
///
/// The authors' policy path sends text and image goals alike through `goal_emb`; `lang_emb` serves
/// the contrastive loss only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GoalHead {
    /// `goal_emb`.
    #[default]
    Goal,
    /// `lang_emb`.
    Language,
}

/// What the encoder reads.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Goal vectors, `[batch, goal_dim]`.
    pub goal: Tensor<2>,
    /// Vectors of the static camera, `[batch, observation_dim]`.
    pub static_view: Tensor<2>,
    /// Vectors of the gripper camera, `[batch, observation_dim]`.
    pub gripper_view: Tensor<2>,
    /// Normalised proprioception, `[batch, proprioception]`, if the network reads it.
    pub proprioception: Option<Tensor<2>>,
}

impl Tokens {
    /// Every sample `times` times in a row.
    pub fn repeat_interleave(self, times: usize) -> Self {
        Self {
            goal: repeat_interleave(self.goal, times),
            static_view: repeat_interleave(self.static_view, times),
            gripper_view: repeat_interleave(self.gripper_view, times),
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
    /// rows exist in the authors' files but are never read.
    pub pos_emb: Param<Tensor<3>>,
    /// Projection of the static camera's vector.
    pub tok_emb: Linear,
    /// Projection of the gripper camera's vector.
    pub incam_embed: Linear,
    /// Projection of goals.
    pub goal_emb: Projection,
    /// Projection of goals in the contrastive loss.
    pub lang_emb: Projection,
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
        let goal_hidden = config.mlp_goal.then_some(2 * width);
        Self {
            pos_emb: table(1 + config.horizon),
            tok_emb: linear(config.observation_dim, width, true, device),
            incam_embed: linear(config.observation_dim, width, true, device),
            goal_emb: Projection::new(config.goal_dim, goal_hidden, width, device),
            lang_emb: Projection::new(config.goal_dim, goal_hidden, width, device),
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
                (!config.linear_output).then_some(width),
                config.action_dim,
                device,
            ),
            conditioning,
            position_table: config.position_table,
        }
    }

    /// Whether the context depends on the noise level.
    pub fn context_has_noise(&self) -> bool {
        self.conditioning == NoiseConditioning::None
    }

    /// The encoder's output, `[batch, tokens, width]`: goal, static camera, gripper camera, then
    /// proprioception if read; a noise token first if [`Denoiser::context_has_noise`], for which
    /// `noise` (`[batch, 1, width]`) is needed.
    pub fn context(&self, tokens: Tokens, head: GoalHead, noise: Option<&Tensor<3>>) -> Tensor<3> {
        let goal = match head {
            GoalHead::Goal => &self.goal_emb,
            GoalHead::Language => &self.lang_emb,
        };
        let position = |row: usize, token: Tensor<2>| -> Tensor<3> {
            let token = token.unsqueeze_dim(1);
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
        all.push(position(0, goal.forward(tokens.goal)));
        all.push(position(1, self.tok_emb.forward(tokens.static_view)));
        all.push(position(1, self.incam_embed.forward(tokens.gripper_view)));
        if let (Some((first, activation, second)), Some(state)) =
            (&self.proprio_emb, tokens.proprioception)
        {
            let token = second.forward(activation.forward(first.forward(state)));
            all.push(token.unsqueeze_dim(1));
        }
        self.encoder.forward(Tensor::cat(all, 1))
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
        let context = self.context(tokens, GoalHead::Goal, Some(&noise));
        self.decode(actions, &self.block_noise(&noise), &self.project(&context))
    }
}
