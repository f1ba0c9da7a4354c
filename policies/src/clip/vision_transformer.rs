//! CLIP's vision transformer (Dosovitskiy et al., arXiv 2010.11929, with a norm before the blocks).

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::transformer::{Transformer, TransformerConfig};
use crate::error::PolicyError;
use crate::nn::attention::repeat_interleave;
use crate::nn::{LayerNorm, PatchConv};

/// Sizes of a [`VisionTransformer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisionTransformerConfig {
    /// Side of an image [pixels]; a multiple of `patch`.
    pub resolution: usize,
    /// Side of a patch [pixels].
    pub patch: usize,
    /// Channels of an image: 3, or 6 for two images at once.
    pub channels: usize,
    /// The transformer.
    pub transformer: TransformerConfig,
    /// Numbers of an embedding.
    pub output: usize,
}

impl VisionTransformerConfig {
    /// ViT-B with patches of 16 or 32 pixels.
    pub const fn base(patch: usize) -> Self {
        Self {
            resolution: 224,
            patch,
            channels: 3,
            transformer: TransformerConfig {
                width: 768,
                heads: 12,
                layers: 12,
                hidden: 3072,
                causal: false,
            },
            output: 512,
        }
    }

    /// What is wrong, if anything.
    pub fn problem(&self) -> Option<String> {
        let Self {
            resolution, patch, ..
        } = *self;
        if patch == 0 || resolution == 0 || !resolution.is_multiple_of(patch) {
            return Some(format!(
                "a resolution of {resolution} does not divide into patches of {patch}"
            ));
        }
        if self.channels == 0 || self.output == 0 {
            return Some("a size of zero".into());
        }
        self.transformer.problem()
    }
}

/// Images to vectors.
#[derive(Module, Debug)]
pub struct VisionTransformer {
    /// First token, `[width]`.
    pub class_embedding: Param<Tensor<1>>,
    /// Patches to tokens; no offset.
    pub conv1: PatchConv,
    /// Vectors of places, `[1 + patches, width]`.
    pub positional_embedding: Param<Tensor<2>>,
    /// Norm before the blocks.
    pub ln_pre: LayerNorm,
    /// Blocks.
    pub transformer: Transformer,
    /// Norm of the first token after them.
    pub ln_post: LayerNorm,
    /// `[width, output]`.
    pub proj: Param<Tensor<2>>,
}

impl VisionTransformer {
    /// Fresh weights.
    pub fn new(config: &VisionTransformerConfig, device: &Device) -> Self {
        let width = config.transformer.width;
        let normal = Initializer::Normal {
            mean: 0.0,
            std: (width as f64).sqrt().recip(),
        };
        let grid = config.resolution / config.patch;
        Self {
            class_embedding: normal.init([width], device),
            conv1: PatchConv::new([config.channels, width], config.patch, false, device),
            positional_embedding: normal.init([1 + grid * grid, width], device),
            ln_pre: LayerNorm::new(width, true, device),
            transformer: Transformer::new(config.transformer, device),
            ln_post: LayerNorm::new(width, true, device),
            proj: normal.init([width, config.output], device),
        }
    }

    /// Side of the images [pixels].
    pub fn resolution(&self) -> usize {
        (self.positional_embedding.dims()[0] - 1).isqrt() * self.conv1.patch()
    }

    /// All tokens after the blocks, `[batch, 1 + patches, width]`, of normalised images
    /// `[batch, side, side, channels]`.
    ///
    /// # Errors
    /// If the images are of another size.
    pub fn tokens(&self, images: Tensor<4>) -> Result<Tensor<3>, PolicyError> {
        let [batch, height, columns, channels] = images.dims();
        let [width, expected, ..] = self.conv1.weight.dims();
        let side = self.resolution();
        if (height, columns, channels) != (side, side, expected) {
            return Err(PolicyError::InputShape {
                what: "an image".into(),
                expected: format!("{side}x{side} pixels of {expected} channels"),
                found: format!("{columns}x{height} pixels of {channels} channels"),
                advice: "resize images to the tower's resolution".into(),
            });
        }
        let class = self.class_embedding.val().reshape([1, 1, width]);
        let class = repeat_interleave(class, batch);
        let tokens = Tensor::cat(vec![class, self.conv1.forward(images)], 1);
        let tokens = tokens + self.positional_embedding.val().unsqueeze();
        Ok(self.transformer.forward(self.ln_pre.forward(tokens)))
    }

    /// The first token after the last norm, `[batch, width]`.
    ///
    /// # Errors
    /// As [`VisionTransformer::tokens`].
    pub fn pooled(&self, images: Tensor<4>) -> Result<Tensor<2>, PolicyError> {
        let hidden = self.tokens(images)?;
        let [batch, _, width] = hidden.dims();
        let first = self.ln_post.forward(hidden.narrow(1, 0, 1));
        Ok(first.reshape([batch, width]))
    }

    /// Embeddings `[batch, output]`, not normalised.
    ///
    /// # Errors
    /// As [`VisionTransformer::pooled`].
    pub fn forward(&self, images: Tensor<4>) -> Result<Tensor<2>, PolicyError> {
        Ok(self.pooled(images)?.matmul(self.proj.val()))
    }
}
