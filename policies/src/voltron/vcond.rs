//! The V-Cond encoder: a vision transformer whose sequence ends in the tokens of a sentence.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::nn::attention::repeat_interleave;
use crate::nn::position::grid_positions;
use crate::nn::swish_block::silent_queries;
use crate::nn::{PatchEmbedding, RmsNorm, SwishBlock, SwishBlockConfig};

/// Shape of a [`VCond`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VCondConfig {
    /// Side of an image [pixels]; a multiple of `patch`.
    pub resolution: usize,
    /// Side of a patch [pixels].
    pub patch: usize,
    /// Width; a multiple of `heads` and of 4.
    pub width: usize,
    /// Heads.
    pub heads: usize,
    /// Blocks.
    pub layers: usize,
    /// Hidden width of the feed-forward blocks as a multiple of `width`.
    pub mlp_ratio: usize,
    /// Tokens of the sentence.
    pub language_tokens: usize,
}

impl VCondConfig {
    /// ViT-small on patches of 16 pixels, as published and as MDT-V uses it.
    pub const fn small() -> Self {
        Self {
            resolution: 224,
            patch: 16,
            width: 384,
            heads: 6,
            layers: 12,
            mlp_ratio: 4,
            language_tokens: 20,
        }
    }

    /// Tokens of an image.
    pub const fn patches(&self) -> usize {
        let grid = self.resolution / self.patch;
        grid * grid
    }

    /// What is wrong, if anything.
    pub fn problem(&self) -> Option<String> {
        let Self {
            resolution,
            patch,
            width,
            heads,
            ..
        } = *self;
        if patch == 0 || resolution == 0 || !resolution.is_multiple_of(patch) {
            return Some(format!(
                "a resolution of {resolution} does not divide into patches of {patch}"
            ));
        }
        let whole = heads > 0 && width.is_multiple_of(heads) && width.is_multiple_of(4);
        if width == 0 || !whole || self.mlp_ratio == 0 || self.language_tokens == 0 {
            return Some(format!(
                "a width of {width} must be a multiple of its {heads} heads and of 4, and no size zero"
            ));
        }
        None
    }
}

/// The encoder. Keys as under `img_encoder.vcond.` in the authors' files of MDT-V, with
/// `language_block` in place of the language model.
#[derive(Module, Debug)]
pub struct VCond {
    /// Fixed positions of patches, `[1, patches, width]`.
    pub encoder_pe: Param<Tensor<3>>,
    /// Added to every patch, `[1, 1, width]`.
    pub img_token: Param<Tensor<3>>,
    /// The sentence's tokens, `[1, language tokens, width]`; see [`super::language::bake`].
    pub language_block: Param<Tensor<3>>,
    /// Patches to tokens.
    pub patch2embed: PatchEmbedding,
    /// Blocks.
    pub encoder_blocks: Vec<SwishBlock>,
    /// Final norm.
    pub encoder_norm: RmsNorm,
}

impl VCond {
    /// Fresh weights.
    pub fn new(config: &VCondConfig, device: &Device) -> Self {
        let width = config.width;
        let normal = Initializer::Normal {
            mean: 0.0,
            std: 0.02,
        };
        let positions = grid_positions(width, config.resolution / config.patch, device);
        let block = SwishBlockConfig {
            width,
            heads: config.heads,
            mlp_ratio: config.mlp_ratio,
        };
        Self {
            encoder_pe: Param::from_tensor(positions),
            img_token: normal.init([1, 1, width], device),
            language_block: normal.init([1, config.language_tokens, width], device),
            patch2embed: PatchEmbedding::new(width, config.patch, device),
            encoder_blocks: (0..config.layers)
                .map(|_| SwishBlock::new(block, device))
                .collect(),
            encoder_norm: RmsNorm::new(width, device),
        }
    }

    /// Side of the images [pixels].
    pub fn resolution(&self) -> usize {
        self.encoder_pe.dims()[1].isqrt() * self.patch2embed.proj.patch()
    }

    /// All tokens, `[batch, patches + language tokens, width]`, of prepared images
    /// `[batch, side, side, 3]` (see [`super::preprocess`]).
    ///
    /// The sentence is empty: but for its first token it is padding. The authors' mask silences the
    /// padding's questions, not its answers, so that every patch attends to it as well.
    pub fn all_tokens(&self, images: Tensor<4>) -> Tensor<3> {
        let device = images.device();
        let patches = self.patch2embed.proj.forward(images);
        let [batch, count, width] = patches.dims();
        let patches = patches + self.encoder_pe.val() + self.img_token.val();
        let language = repeat_interleave(self.language_block.val(), batch);
        let words = language.dims()[1];
        let asks = (0..count + words).map(|token| token <= count);
        let factors = silent_queries(&asks.collect::<Vec<_>>(), width, &device);
        let tokens = Tensor::cat(vec![patches, language], 1);
        let hidden = self.encoder_blocks.iter().fold(tokens, |hidden, block| {
            block.forward_scaled(hidden, Some(&factors))
        });
        self.encoder_norm.forward(hidden)
    }

    /// Tokens of the patches only, `[batch, patches, width]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<3> {
        let [_, count, _] = self.encoder_pe.dims();
        self.all_tokens(images).narrow(1, 0, count)
    }
}
