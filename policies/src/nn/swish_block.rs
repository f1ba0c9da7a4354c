//! The pre-norm block of Voltron (Karamcheti et al., arXiv 2302.12766): RMS norm, fused attention,
//! SwishGLU, and a learned gain on both branches.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};

use super::attention::{Sight, attend_rows};
use super::kernels::{gated_residual, swish_gate};
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
    fn forward(&self, input: Tensor<3>, factors: Option<&Tensor<3>>) -> Tensor<3> {
        let mut rows = dense(&self.qkv, input);
        if let Some(factors) = factors {
            rows = rows * factors.clone();
        }
        dense(&self.proj, attend_rows(rows, self.heads, Sight::All, None))
    }
}

/// Factors `[1, tokens, 3 width]` for [`SwishBlock::forward_scaled`] that let some tokens ask
/// nothing: their queries become zero, so that they attend to all tokens alike.
pub fn silent_queries(asks: &[bool], width: usize, device: &Device) -> Tensor<3> {
    let values = asks
        .iter()
        .flat_map(|&asks| {
            let query = if asks { 1.0 } else { 0.0 };
            let row = std::iter::repeat_n(query, width);
            row.chain(std::iter::repeat_n(1.0, 2 * width))
        })
        .collect::<Vec<f32>>();
    Tensor::from_data(TensorData::new(values, [1, asks.len(), 3 * width]), device)
}

/// `project` splits into a value and a gate: `value * SiLU(gate)`.
#[derive(Module, Debug)]
pub struct SwishGate {
    /// `Linear(width, 2 hidden)`.
    pub project: Linear,
}

impl SwishGate {
    /// Xavier-uniform weights, zero bias.
    pub fn new(width: usize, hidden: usize, device: &Device) -> Self {
        Self {
            project: linear_xavier(width, 2 * hidden, device),
        }
    }

    /// `[batch, tokens, width] -> [batch, tokens, hidden]`.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        swish_gate(dense(&self.project, input))
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

impl LayerScale {
    /// `[1, 1, width]`.
    fn gate(&self) -> Tensor<3> {
        self.gamma.val().unsqueeze()
    }
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
                SwishGate::new(width, hidden, device),
                Identity,
                linear_xavier(hidden, width, device),
            ),
            layer_scale_mlp: gain(),
        }
    }

    /// `[batch, tokens, width]`, same shape out.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        self.forward_scaled(input, None)
    }

    /// As [`SwishBlock::forward`], with queries, keys and values multiplied by `factors`,
    /// `[1, tokens, 3 width]`.
    pub fn forward_scaled(&self, input: Tensor<3>, factors: Option<&Tensor<3>>) -> Tensor<3> {
        let normal = self.pre_norm_attn.forward(input.clone());
        let attended = self.attn.forward(normal, factors);
        let input = gated_residual(input, attended, self.layer_scale_attn.gate());
        let (gate, _, down) = &self.mlp;
        let fed = dense(down, gate.forward(self.pre_norm_mlp.forward(input.clone())));
        gated_residual(input, fed, self.layer_scale_mlp.gate())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    #[test]
    fn a_silent_query_gets_the_mean_of_all_values() {
        let device = Device::flex();
        let width = 8;
        let attention = FusedAttention {
            qkv: linear_xavier(width, 3 * width, &device),
            proj: linear_xavier(width, width, &device),
            heads: 2,
        };
        let normal = Distribution::Normal(0.0, 1.0);
        let input = Tensor::<3>::random([1, 3, width], normal, &device);
        let factors = silent_queries(&[true, false, true], width, &device);
        let output = attention.forward(input.clone(), Some(&factors));
        let values = dense(&attention.qkv, input.clone()).narrow(2, 2 * width, width);
        let mean = dense(&attention.proj, values.mean_dim(1));
        let silent = output.clone().narrow(1, 1, 1) - mean;
        assert!(silent.abs().max().into_scalar::<f32>() < 1e-5);
        // The others are as without factors.
        let plain = attention.forward(input, None);
        let loud = output.narrow(1, 0, 1) - plain.narrow(1, 0, 1);
        assert!(loud.abs().max().into_scalar::<f32>() < 1e-5);
    }
}
