//! Normalisations. Parameters are named `weight` and `bias` (`g` for RMS) as in the authors' files.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

use super::kernels::inference::rms_norm;
use super::kernels::{Affine, group_norm, layer_norm};

/// Layer norm over the last axis, with an optional bias. Epsilon 1e-5.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Gain, `[width]`.
    pub weight: Param<Tensor<1>>,
    /// Offset, `[width]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl LayerNorm {
    /// Gain one, offset zero.
    pub fn new(width: usize, bias: bool, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([width], device),
            bias: bias.then(|| Initializer::Zeros.init([width], device)),
        }
    }

    /// `[batch, tokens, width]`, same shape out.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        layer_norm(input, self.affine())
    }

    /// The output times `scale` plus `shift`, each `[batch or 1, 1, width]`, in one.
    pub fn modulated(&self, input: Tensor<3>, scale: Tensor<3>, shift: Tensor<3>) -> Tensor<3> {
        let [rows, _, width] = scale.dims();
        let (scale, shift) = (scale.reshape([rows, width]), shift.reshape([rows, width]));
        let own = self.affine();
        let affine = Affine {
            shift: match &self.bias {
                Some(_) => shift + own.shift * scale.clone(),
                None => shift,
            },
            scale: own.scale * scale,
        };
        layer_norm(input, affine)
    }

    fn affine(&self) -> Affine {
        let scale: Tensor<2> = self.weight.val().unsqueeze();
        let shift = match &self.bias {
            Some(bias) => bias.val().unsqueeze(),
            None => Tensor::zeros(scale.shape(), &scale.device()),
        };
        Affine { scale, shift }
    }
}

/// Group norm of `[batch, height, width, channels]`, epsilon 1e-5 (Wu and He, arXiv 1803.08494).
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// Gain, `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// Offset, `[channels]`.
    pub bias: Param<Tensor<1>>,
    /// Number of groups; divides the channels.
    pub groups: usize,
}

impl GroupNorm {
    /// Gain one, offset zero. Groups of 16 channels, or one group if that does not come out even.
    pub fn new(channels: usize, device: &Device) -> Self {
        let even = channels >= 16 && channels.is_multiple_of(16);
        Self::with_groups(channels, if even { channels / 16 } else { 1 }, device)
    }

    /// Gain one, offset zero; `groups` divides `channels`.
    pub fn with_groups(channels: usize, groups: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([channels], device),
            bias: Initializer::Zeros.init([channels], device),
            groups,
        }
    }

    /// Gain and offset, `[1, channels]`.
    pub fn affine(&self) -> Affine {
        Affine {
            scale: self.weight.val().unsqueeze(),
            shift: self.bias.val().unsqueeze(),
        }
    }

    /// Same shape out; negative results are cut off if `cut`.
    pub fn forward(&self, input: Tensor<4>, cut: bool) -> Tensor<4> {
        group_norm(input, self.groups, self.affine(), None, cut)
    }
}

/// Root-mean-square norm over the last axis: `x / max(|x| / sqrt(width), 1e-8) * g`.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// Gain, `[width]`.
    pub g: Param<Tensor<1>>,
}

impl RmsNorm {
    /// Gain one.
    pub fn new(width: usize, device: &Device) -> Self {
        Self {
            g: Initializer::Ones.init([width], device),
        }
    }

    /// `[batch, tokens, width]`, same shape out.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        /// Keeps a token of zeros from becoming NaN.
        const LEAST: f32 = 1e-8;
        let gain = self.g.val();
        rms_norm(&input, &gain, LEAST).unwrap_or_else(|| {
            let rms = input.clone().square().mean_dim(2).sqrt();
            input / rms.clamp_min(LEAST) * gain.unsqueeze()
        })
    }
}

/// Rows of the last axis at unit length: `x / max(|x|, epsilon)`. A row shorter than `epsilon`
/// passes no gradient through its length.
pub fn unit<const D: usize>(input: Tensor<D>, epsilon: f64) -> Tensor<D> {
    input.clone() / length(input, epsilon)
}

/// `max(|x|, epsilon)` over the last axis, which becomes one.
pub fn length<const D: usize>(input: Tensor<D>, epsilon: f64) -> Tensor<D> {
    // Bounded before the root: its slope at zero is infinite.
    input
        .square()
        .sum_dim(D - 1)
        .clamp_min(epsilon * epsilon)
        .sqrt()
}
