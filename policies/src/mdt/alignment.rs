//! Contrastive latent alignment (CLA; section IV of the paper): the context of an observation
//! should be the same whether the goal was told or shown.
//!
//! The observations whose instruction is known are encoded twice, towards the instruction and
//! towards a later picture. One vector is pooled from either context, and InfoNCE (van den Oord et
//! al., arXiv 1807.03748) in the form of CLIP (Radford et al., arXiv 2103.00020) tells the pairs of
//! a batch apart, with a learned temperature and in both directions. As in the authors' code, equal
//! instructions of two observations do not make them a pair.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor, activation::log_softmax};
use serde::{Deserialize, Serialize};

use crate::nn::MapPooling;

/// How the alignment is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlignmentConfig {
    /// How one vector is made of a context.
    pub pooling: LatentPooling,
    /// How many ticks ahead the goal picture lies when the alignment is learned on the robot.
    pub lookahead: u32,
}

impl Default for AlignmentConfig {
    fn default() -> Self {
        Self {
            pooling: LatentPooling::Token { index: 1 },
            lookahead: 31,
        }
    }
}

/// How one vector is made of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatentPooling {
    /// One token as it is. The authors' MDT takes the second one, the static camera's.
    Token {
        /// Its place in the context.
        index: usize,
    },
    /// By a learned query (MDT-V). The authors' class has twice the heads that it is asked for: 16.
    Attention {
        /// Heads; they divide the model's width.
        heads: usize,
    },
}

/// The learned query of [`LatentPooling::Attention`], named as in the authors' files.
#[derive(Module, Debug)]
pub struct Projector {
    /// The query's block.
    pub latent_proj: MapPooling,
}

impl Projector {
    /// What a pooling needs for contexts of `width` numbers, if anything.
    pub fn of(pooling: LatentPooling, width: usize, device: &Device) -> Option<Self> {
        match pooling {
            LatentPooling::Token { .. } => None,
            LatentPooling::Attention { heads } => Some(Self {
                latent_proj: MapPooling::new(width, heads, device),
            }),
        }
    }
}

/// Inverse temperature at the start, `1 / 0.07`.
const INVERSE_TEMPERATURE: f64 = 1.0 / 0.07;

/// A fresh `logit_scale`: the logarithm of the inverse temperature, `[1]`.
pub fn logit_scale(device: &Device) -> Param<Tensor<1>> {
    Initializer::Constant {
        value: INVERSE_TEMPERATURE.ln(),
    }
    .init([1], device)
}

/// One vector per context, `[batch, tokens, width] -> [batch, width]`.
pub fn pool(
    pooling: LatentPooling,
    projector: Option<&Projector>,
    context: Tensor<3>,
) -> Tensor<2> {
    let [batch, _, width] = context.dims();
    match (pooling, projector) {
        (LatentPooling::Attention { .. }, Some(projector)) => {
            projector.latent_proj.forward(context)
        }
        (LatentPooling::Token { index }, _) => context.narrow(1, index, 1).reshape([batch, width]),
        (LatentPooling::Attention { .. }, None) => context.mean_dim(1).reshape([batch, width]),
    }
}

/// InfoNCE of both directions, per sample: `[batch]` each.
#[derive(Clone, Debug)]
pub struct Contrast {
    /// Which text belongs to an image?
    pub image_to_text: Tensor<1>,
    /// Which image belongs to a text?
    pub text_to_image: Tensor<1>,
}

impl Contrast {
    /// From pooled vectors `[batch, width]`, pair by pair, and the logarithm of the inverse
    /// temperature, `[1]`.
    ///
    /// Vectors are divided by their lengths; similarities are `exp(scale) Z_image Z_textᵀ`.
    pub fn of(images: Tensor<2>, texts: Tensor<2>, scale: Tensor<1>) -> Self {
        let [batch, _] = images.dims();
        let similarity = unit(images).matmul(unit(texts).transpose()) * scale.exp().reshape([1, 1]);
        let pairs = Tensor::<2>::eye(batch, &similarity.device());
        let cross_entropy = |similarity: Tensor<2>| {
            (log_softmax(similarity, 1) * pairs.clone())
                .sum_dim(1)
                .reshape([batch])
                .neg()
        };
        Self {
            image_to_text: cross_entropy(similarity.clone()),
            text_to_image: cross_entropy(similarity.transpose()),
        }
    }

    /// The mean of both directions, per sample.
    pub fn symmetric(self) -> Tensor<1> {
        (self.image_to_text + self.text_to_image) * 0.5
    }
}

/// Rows divided by their lengths.
fn unit(rows: Tensor<2>) -> Tensor<2> {
    /// Keeps a row of zeros from becoming NaN.
    const LEAST: f64 = 1e-24;
    let squares = rows.clone().square().sum_dim(1);
    rows / squares.clamp_min(LEAST).sqrt()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn rows(values: [[f32; 2]; 2]) -> Tensor<2> {
        Tensor::from_data(values, &Device::flex())
    }

    #[test]
    fn two_pairs_by_hand() {
        // Similarities, images by rows: [[1, 0], [0.6, 0.8]]. Lengths play no part.
        let images = rows([[3.0, 0.0], [0.6, 0.8]]);
        let texts = rows([[1.0, 0.0], [0.0, 5.0]]);
        let scale = Tensor::from_data([2f32.ln()], &Device::flex());
        let contrast = Contrast::of(images, texts, scale);
        let own = |own: f32, other: f32| {
            -((2.0 * own).exp() / ((2.0 * own).exp() + (2.0 * other).exp())).ln()
        };
        let rows = contrast
            .image_to_text
            .clone()
            .try_into_vec_as::<f32>()
            .unwrap();
        let columns = contrast
            .text_to_image
            .clone()
            .try_into_vec_as::<f32>()
            .unwrap();
        let both = contrast.symmetric().try_into_vec_as::<f32>().unwrap();
        let want_rows = [own(1.0, 0.0), own(0.8, 0.6)];
        let want_columns = [own(1.0, 0.6), own(0.8, 0.0)];
        for i in 0..2 {
            assert!((rows[i] - want_rows[i]).abs() < 1e-6);
            assert!((columns[i] - want_columns[i]).abs() < 1e-6);
            assert!((both[i] - (want_rows[i] + want_columns[i]) / 2.0).abs() < 1e-6);
        }
    }

    #[test]
    fn one_pair_has_nothing_to_be_told_apart_from() {
        let device = Device::flex();
        let one = Tensor::<2>::zeros([1, 4], &device);
        let loss = Contrast::of(one.clone(), one, logit_scale(&device).val()).symmetric();
        assert_eq!(loss.try_into_vec_as::<f32>().unwrap(), [0.0]);
    }

    #[test]
    fn a_token_is_pooled_as_it_is() {
        let context = Tensor::<3>::from_data([[[1.0, 2.0], [3.0, 4.0]]], &Device::flex());
        let pooled = pool(LatentPooling::Token { index: 1 }, None, context);
        assert_eq!(pooled.try_into_vec_as::<f32>().unwrap(), [3.0, 4.0]);
    }
}
