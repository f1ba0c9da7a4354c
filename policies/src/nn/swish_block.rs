//! The pre-norm block of Voltron (Karamcheti et al., arXiv 2302.12766): RMS norm, fused attention,
//! SwishGLU, and a learned gain on both branches.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation::silu};

use super::attention::{Sight, attend_rows};
use super::linear::{dense, linear_xavier};
use super::norm::RmsNorm;

/// Shape of a [`SwishBlock`].
#[derive(Clone, Copy, Debug)]
pub struct SwishBlockConfig {
    /// Width; a multiple of `heads`.
    pub width: usize,
    /// Heads.
    pub heads: usize,
    /// Hidden width of the feed-forward branch as a multiple of `width`.
    pub mlp_ratio: usize,
}

/// Query, key and value in one product, and the output projection.
#[derive(Module, Debug)]
pub struct FusedAttention {
    /// `Linear(width, 3 width)`.
    pub qkv: Linear,
    /// Output projection.
    pub proj: Linear,
    /// Heads.
    pub heads: usize,
}

impl FusedAttention {
    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let rows = dense(&self.qkv, input);
        dense(&self.proj, attend_rows(rows, self.heads, Sight::All, None))
    }
}

/// `project` splits into a value and a gate: `value * SiLU(gate)`.
#[derive(Module, Debug)]
pub struct SwishGate {
    /// `Linear(width, 2 hidden)`.
    pub project: Linear,
}

impl SwishGate {
    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let both = dense(&self.project, input);
        let hidden = both.dims()[2] / 2;
        both.clone().narrow(2, 0, hidden) * silu(both.narrow(2, hidden, hidden))
    }
}

/// Stands for the dropout between the two layers, which is never active.
#[derive(Module, Debug)]
pub struct Identity;

/// Learned gain per channel, 0.1 at the start.
#[derive(Module, Debug)]
pub struct LayerScale {
    /// Gain, `[width]`.
    pub gamma: Param<Tensor<1>>,
}

/// One block.
#[derive(Module, Debug)]
pub struct SwishBlock {
    /// Norm before attention.
    pub pre_norm_attn: RmsNorm,
    /// Attention over all tokens.
    pub attn: FusedAttention,
    /// Gain of the attention branch.
    pub layer_scale_attn: LayerScale,
    /// Norm before the feed-forward branch.
    pub pre_norm_mlp: RmsNorm,
    /// Feed-forward branch; a tuple, so that the keys are `0.project` and `2`.
    pub mlp: (SwishGate, Identity, Linear),
    /// Gain of the feed-forward branch.
    pub layer_scale_mlp: LayerScale,
}

impl SwishBlock {
    /// Xavier-uniform weights, zero biases.
    pub fn new(config: SwishBlockConfig, device: &Device) -> Self {
        let SwishBlockConfig {
            width,
            heads,
            mlp_ratio,
        } = config;
        let gain = || LayerScale {
            gamma: Initializer::Constant { value: 0.1 }.init([width], device),
        };
        let hidden = mlp_ratio * width;
        Self {
            pre_norm_attn: RmsNorm::new(width, device),
            attn: FusedAttention {
                qkv: linear_xavier(width, 3 * width, device),
                proj: linear_xavier(width, width, device),
                heads,
            },
            layer_scale_attn: gain(),
            pre_norm_mlp: RmsNorm::new(width, device),
            mlp: (
                SwishGate {
                    project: linear_xavier(width, 2 * hidden, device),
                },
                Identity,
                linear_xavier(hidden, width, device),
            ),
            layer_scale_mlp: gain(),
        }
    }

    /// `[batch, tokens, width]`, same shape out.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let attended = self.attn.forward(self.pre_norm_attn.forward(input.clone()));
        let input = input + attended * self.layer_scale_attn.gamma.val().unsqueeze();
        let (gate, _, down) = &self.mlp;
        let fed = dense(down, gate.forward(self.pre_norm_mlp.forward(input.clone())));
        input + fed * self.layer_scale_mlp.gamma.val().unsqueeze()
    }
}
