//! The transition model: from a latent and an action to the next latent.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Tensor, TensorData};

use super::config::{NormKind, SprConfig};
use crate::nn::{BatchNorm, BiasConv, BiasConvShape, GroupNorm, linear_default};

/// Hidden numbers of the reward's head.
const REWARD_HIDDEN: usize = 256;
/// Rewards are told apart as −1, 0 and 1.
pub const REWARDS: usize = 3;
/// Numbers per pixel of the authors' action table, which nothing reads.
const EMBEDDING: usize = 6;

/// A norm.
#[derive(Module, Debug)]
pub enum Norm {
    /// Over batch and pixels.
    Batch(BatchNorm),
    /// Over groups of channels of each image.
    Group(GroupNorm),
}

impl Norm {
    fn new(kind: NormKind, channels: usize, device: &Device) -> Option<Self> {
        let group = |groups| {
            let norm = GroupNorm::new(channels, device);
            Self::Group(GroupNorm { groups, ..norm })
        };
        match kind {
            NormKind::Batch => Some(Self::Batch(BatchNorm::new(channels, device))),
            NormKind::Layer => Some(group(1)),
            NormKind::Instance => Some(group(channels)),
            NormKind::None => None,
        }
    }
}

fn normed(norm: &mut Option<Norm>, images: Tensor<4>) -> Tensor<4> {
    match norm {
        Some(Norm::Batch(norm)) => norm.train_forward(images),
        Some(Norm::Group(norm)) => norm.forward(images, false),
        None => images,
    }
}

/// Convolution, ReLU, norm, convolution, norm, added to the input, ReLU.
#[derive(Module, Debug)]
pub struct Block {
    /// First convolution.
    pub first: BiasConv,
    /// Norm after it.
    pub first_norm: Option<Norm>,
    /// Second convolution.
    pub second: BiasConv,
    /// Norm after it.
    pub second_norm: Option<Norm>,
}

impl Block {
    fn train_forward(&mut self, images: Tensor<4>) -> Tensor<4> {
        let hidden = relu(self.first.forward(images.clone()));
        let hidden = normed(&mut self.first_norm, hidden);
        let hidden = normed(&mut self.second_norm, self.second.forward(hidden));
        relu(hidden + images)
    }
}

/// From a latent to the logarithms of the probabilities of the rewards −1, 0 and 1.
#[derive(Module, Debug)]
pub struct RewardPredictor {
    /// To one channel.
    pub conv: BiasConv,
    /// Norm after ReLU.
    pub norm: Option<Norm>,
    /// First layer.
    pub first: Linear,
    /// Second layer.
    pub second: Linear,
}

impl RewardPredictor {
    /// `[batch, rows, columns, channels] -> [batch, 3]`; moves the norm's running statistics.
    pub fn train_forward(&mut self, latents: Tensor<4>) -> Tensor<2> {
        let map = normed(&mut self.norm, relu(self.conv.forward(latents)));
        let flat: Tensor<2> = map.flatten(1, 3);
        let logits = self.second.forward(relu(self.first.forward(flat)));
        log_softmax(logits, 1)
    }
}

/// The transition model.
#[derive(Module, Debug)]
pub struct Transition {
    /// A table that the authors' code holds and never reads; here so that their files come back
    /// whole.
    pub action_embedding: Param<Tensor<2>>,
    /// Reads latent and action.
    pub first: BiasConv,
    /// Norm after ReLU.
    pub norm: Option<Norm>,
    /// Residual blocks.
    pub blocks: Vec<Block>,
    /// Gives the next latent.
    pub last: BiasConv,
    /// Tells the reward.
    pub reward_predictor: RewardPredictor,
    /// Whether the next latent is added to the last one.
    pub residual: bool,
    /// Whether latents are brought to 0 … 1 per image.
    pub renormalize: bool,
}

impl Transition {
    /// Fresh layers.
    pub fn new(config: &SprConfig, device: &Device) -> Self {
        let channels = config.encoder[2];
        let side = config.latent_side();
        let conv = |input, output, kernel: usize| {
            let shape = BiasConvShape {
                input,
                output,
                kernel,
                stride: 1,
                padding: kernel / 2,
            };
            BiasConv::new(&shape, device)
        };
        let norm = |channels| Norm::new(config.norm, channels, device);
        let table = [config.actions, side * side * EMBEDDING];
        Self {
            action_embedding: Initializer::Normal {
                mean: 0.0,
                std: 1.0,
            }
            .init(table, device),
            first: conv(channels + config.actions, channels, 3),
            norm: norm(channels),
            blocks: (0..config.blocks)
                .map(|_| Block {
                    first: conv(channels, channels, 3),
                    first_norm: norm(channels),
                    second: conv(channels, channels, 3),
                    second_norm: norm(channels),
                })
                .collect(),
            last: conv(channels, channels, 3),
            reward_predictor: RewardPredictor {
                conv: conv(channels, 1, 1),
                norm: norm(1),
                first: linear_default(side * side, REWARD_HIDDEN, device),
                second: linear_default(REWARD_HIDDEN, REWARDS, device),
            },
            residual: config.residual,
            renormalize: config.renormalize,
        }
    }

    /// The latents after every step, the given ones first, and the logarithms of the rewards'
    /// probabilities at each. `actions` are the ones that led to each observation; the first ones
    /// play no part.
    pub fn rollout(
        &mut self,
        latents: Tensor<4>,
        actions: &[Vec<usize>],
    ) -> (Vec<Tensor<4>>, Vec<Tensor<2>>) {
        let mut log_rewards = vec![self.reward_predictor.train_forward(latents.clone())];
        let mut all = vec![latents.clone()];
        let mut last = latents;
        for actions in actions.iter().skip(1) {
            last = self.train_step(last, actions);
            log_rewards.push(self.reward_predictor.train_forward(last.clone()));
            all.push(last.clone());
        }
        (all, log_rewards)
    }

    /// The latents after `actions`, one per row: `[batch, rows, columns, channels]`, same shape
    /// out. Moves the norms' running statistics.
    pub fn train_step(&mut self, latents: Tensor<4>, actions: &[usize]) -> Tensor<4> {
        let [batch, height, width, channels] = latents.dims();
        let inputs = self.first.weight.dims()[1];
        let count = inputs.saturating_sub(channels);
        let device = latents.device();
        let mut planes = vec![0f32; batch * count];
        for (row, &action) in actions.iter().enumerate().take(batch) {
            if let Some(plane) = planes.get_mut(row * count + action) {
                *plane = 1.0;
            }
        }
        let planes = TensorData::new(planes, [batch, 1, 1, count]);
        let planes = Tensor::<4>::from_data(planes, &device);
        let planes = planes.expand([batch, height, width, count]);
        let input = Tensor::cat(vec![latents.clone(), planes], 3);
        let mut hidden = normed(&mut self.norm, relu(self.first.forward(input)));
        for block in &mut self.blocks {
            hidden = block.train_forward(hidden);
        }
        let mut next = self.last.forward(hidden);
        if self.residual {
            next = next + latents;
        }
        let next = relu(next);
        if self.renormalize {
            renormalized(next)
        } else {
            next
        }
    }
}

/// Each image between its smallest and greatest number, `[batch, ..]`, same shape out. An image
/// that is constant becomes NaN, as in the authors' code.
pub fn renormalized(images: Tensor<4>) -> Tensor<4> {
    let shape = images.dims();
    let rows: Tensor<2> = images.flatten(1, 3);
    let least = rows.clone().min_dim(1);
    let most = rows.clone().max_dim(1);
    ((rows - least.clone()) / (most - least)).reshape(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn every_image_fills_its_own_range() {
        let device = Device::flex();
        let images = Tensor::<1>::from_floats([1.0, 3.0, 2.0, 10.0, 10.0, 20.0], &device);
        let got = vec(renormalized(images.reshape([2, 1, 3, 1])));
        close("images", &got, &[0.0, 1.0, 0.5, 0.0, 0.0, 1.0], 1e-6);
    }

    #[test]
    fn all_norms_and_blocks_keep_the_shape() {
        let device = Device::flex();
        for norm in [
            NormKind::Batch,
            NormKind::Layer,
            NormKind::Instance,
            NormKind::None,
        ] {
            let config = SprConfig {
                image: 44,
                encoder: [4, 4, 4],
                norm,
                blocks: 1,
                residual: true,
                ..SprConfig::default()
            };
            let mut model = Transition::new(&config, &device);
            let latents =
                Tensor::random([3, 2, 2, 4], burn::tensor::Distribution::Default, &device);
            let next = model.train_step(latents, &[0, 5, 2]);
            assert_eq!(next.dims(), [3, 2, 2, 4]);
            assert_eq!(
                model.reward_predictor.train_forward(next).dims(),
                [3, REWARDS]
            );
        }
    }
}
