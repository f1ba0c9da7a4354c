//! Masked generative foresight: from the encoder's context and a few visible patches, reconstruct
//! what both cameras will see a few ticks ahead (section IV of the paper).

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};

use super::config::ForesightConfig;
use super::hard_patches::{HardPatches, hide, ranking_loss};
use crate::host;
use crate::nn::linear::linear_xavier;
use crate::nn::patches::{PatchEmbedding, patches_of};
use crate::nn::position::grid_positions;
use crate::nn::{RmsNorm, SwishBlock, SwishBlockConfig};

/// The decoder. Keys as under `gen_img.` in the authors' files.
#[derive(Module, Debug)]
pub struct Foresight {
    /// Stands for hidden patches, `[1, 1, width]`.
    pub mask_token: Param<Tensor<3>>,
    /// One vector per camera, `[1, 2, 1, width]`.
    pub ctx_dec_pe: Param<Tensor<4>>,
    /// Patches to tokens.
    pub patch2embed: PatchEmbedding,
    /// Context tokens to the decoder's width.
    pub encoder2decoder: Linear,
    /// Blocks.
    pub decoder_blocks: Vec<SwishBlock>,
    /// Final norm.
    pub decoder_norm: RmsNorm,
    /// Tokens to pixels.
    pub decoder_patch_prediction: Linear,
    /// Tokens to the difficulty of their patches, if the hard ones are hidden.
    pub difficulty: Option<Linear>,
    patch: usize,
    grid: usize,
    visible: usize,
    #[module(skip)]
    hard_patches: Option<HardPatches>,
}

/// What the decoder gives.
#[derive(Clone, Debug)]
pub struct Reconstruction {
    /// Pixels per camera and patch, `[batch, 2, patches, patch * patch * 3]`, ordered (row, column,
    /// channel) inside a patch.
    pub pixels: Tensor<4>,
    /// Mean squared error over hidden patches, per sample: `[batch]`; and the ranking loss of their
    /// predicted difficulties, where there are any.
    pub loss: Tensor<1>,
}

impl Foresight {
    /// A decoder that reads context tokens of width `context`.
    pub fn new(config: &ForesightConfig, context: usize, device: &Device) -> Self {
        let ForesightConfig {
            width,
            heads,
            patch,
            ..
        } = *config;
        let normal = Initializer::Normal {
            mean: 0.0,
            std: MASK_TOKEN_STD,
        };
        let area = patch * patch * 3;
        let grid = config.resolution / patch;
        let patches = grid * grid;
        Self {
            mask_token: normal.init([1, 1, width], device),
            ctx_dec_pe: Initializer::Normal {
                mean: 0.0,
                std: 1.0,
            }
            .init([1, 2, 1, width], device),
            patch2embed: PatchEmbedding::new(width, patch, device),
            encoder2decoder: linear_xavier(context, width, device),
            decoder_blocks: (0..config.layers)
                .map(|_| {
                    let config = SwishBlockConfig {
                        width,
                        heads,
                        mlp_ratio: 4,
                    };
                    SwishBlock::new(config, device)
                })
                .collect(),
            decoder_norm: RmsNorm::new(width, device),
            decoder_patch_prediction: linear_xavier(width, area, device),
            difficulty: (config.hard_patches.is_some()).then(|| linear_xavier(width, 1, device)),
            patch,
            grid,
            hard_patches: config.hard_patches,
            visible: (patches as f64 * (1.0 - config.mask_ratio)) as usize,
        }
    }

    /// Patches per image.
    pub const fn patches(&self) -> usize {
        self.grid * self.grid
    }

    /// 1 for hidden and 0 for visible patches, `[batch, patches]`, from uniform numbers: the patches
    /// with the smallest numbers stay visible. Both cameras share the mask.
    pub fn mask(&self, uniforms: &[f32]) -> Vec<f32> {
        let patches = self.patches();
        let mut mask = vec![1.0; uniforms.len()];
        for (mask, uniforms) in mask
            .chunks_exact_mut(patches)
            .zip(uniforms.chunks_exact(patches))
        {
            let mut order = (0..patches).collect::<Vec<_>>();
            order.sort_by(|&a, &b| uniforms[a].total_cmp(&uniforms[b]));
            for &index in order.iter().take(self.visible) {
                mask[index] = 0.0;
            }
        }
        mask
    }

    /// What to hide, `[batch, patches]` as [`Foresight::mask`] or, if the hard patches are hidden,
    /// `[batch, 2, patches]`. `progress` in [0, 1] says how much of the training is done.
    pub fn choose(
        &self,
        context: &Tensor<3>,
        targets: &Tensor<5>,
        uniforms: &[f32],
        progress: f64,
    ) -> Vec<f32> {
        let (Some(head), Some(hard)) = (&self.difficulty, self.hard_patches) else {
            return self.mask(uniforms);
        };
        let share = hard.share(progress);
        // The judgement is made of the whole picture.
        let everything = vec![0.0; uniforms.len()];
        let context = context.clone().detach();
        let decoded = self.decode(context, targets.clone(), everything);
        let difficulty = host::values(head.forward(decoded.tokens));
        let patches = self.patches();
        difficulty
            .chunks_exact(2 * patches)
            .zip(uniforms.chunks_exact(patches))
            .flat_map(|(both, uniforms)| {
                both.chunks_exact(patches)
                    .flat_map(|one| hide(one, uniforms, self.visible, share))
            })
            .collect()
    }

    /// Reconstructs `targets` (normalised images, `[batch, 2, side, side, 3]`) from `context`
    /// (`[batch, tokens, context width]`) and the patches that `mask` (`[batch, patches]` or
    /// `[batch, 2, patches]`, 1 for hidden) leaves visible.
    pub fn forward(
        &self,
        context: Tensor<3>,
        targets: Tensor<5>,
        mask: Vec<f32>,
    ) -> Reconstruction {
        let Decoded {
            tokens,
            targets,
            hidden,
        } = self.decode(context, targets, mask);
        let [batch, _, patches, area] = targets.dims();
        let pixels = self
            .decoder_patch_prediction
            .forward(tokens.clone())
            .reshape([batch, 2, patches, area]);

        let error = (pixels.clone() - targets).square().mean_dim(3);
        let count = (patches - self.visible).max(1) * 2;
        let loss = (error.clone() * hidden.clone())
            .reshape([batch, 2 * patches])
            .sum_dim(1)
            .reshape([batch])
            / count as f64;
        let loss = match &self.difficulty {
            Some(head) => loss + self.ranking(head.forward(tokens), error, hidden),
            None => loss,
        };
        Reconstruction { pixels, loss }
    }

    /// The ranking loss of difficulties, `[batch, 2 * patches, 1]`: mean over both cameras, `[batch]`.
    fn ranking(&self, difficulty: Tensor<3>, error: Tensor<4>, hidden: Tensor<4>) -> Tensor<1> {
        let [batch, ..] = difficulty.dims();
        let patches = self.patches();
        let predicted = difficulty.reshape([2 * batch, patches]);
        let both = hidden.expand([batch, 2, patches, 1]);
        let losses = ranking_loss(predicted, &host::values(error), &host::values(both));
        losses.reshape([batch, 2]).mean_dim(1).reshape([batch])
    }

    fn decode(&self, context: Tensor<3>, targets: Tensor<5>, mask: Vec<f32>) -> Decoded {
        let device = context.device();
        let [batch, tokens, _] = context.dims();
        let patches = self.patches();
        let width = self.mask_token.dims()[2];
        let masks = mask.len() / (batch * patches).max(1);
        let mask = TensorData::new(mask, [batch, masks, patches, 1]);
        let hidden = Tensor::<4>::from_data(mask, &device);
        let visible = hidden.clone().neg() + 1.0;
        let positions = grid_positions(width, self.grid, &device).unsqueeze_dim::<4>(0);

        let views = targets.dims()[1];
        let [_, _, side, _, channels] = targets.dims();
        let targets = patches_of(
            targets.reshape([batch * views, side, side, channels]),
            self.patch,
        );
        let [_, _, area] = targets.dims();
        let seen = self.patch2embed.proj.embed(targets.clone());
        let seen = seen.reshape([batch, views, patches, width]) + positions.clone();
        let targets = targets.reshape([batch, views, patches, area]);
        let token = self.mask_token.val().reshape([1, 1, 1, width]);
        let views = seen * visible + token * hidden.clone() + positions + self.ctx_dec_pe.val();

        let context = self.encoder2decoder.forward(context);
        let sequence = Tensor::cat(vec![context, views.reshape([batch, 2 * patches, width])], 1);
        let decoded = self
            .decoder_blocks
            .iter()
            .fold(sequence, |hidden, block| block.forward(hidden));
        Decoded {
            tokens: self
                .decoder_norm
                .forward(decoded.narrow(1, tokens, 2 * patches)),
            targets,
            hidden,
        }
    }
}

/// A decoder's output before its heads.
struct Decoded {
    /// One per patch, `[batch, 2 * patches, width]`.
    tokens: Tensor<3>,
    /// Pixels of the patches, `[batch, 2, patches, patch * patch * 3]`.
    targets: Tensor<4>,
    /// 1 for hidden patches, `[batch, 1 or 2, patches, 1]`.
    hidden: Tensor<4>,
}

/// Spread of the mask token at the start.
const MASK_TOKEN_STD: f64 = 0.02;
