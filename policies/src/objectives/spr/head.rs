//! Heads that give the distribution of the return of every action (categorical DQN, Bellemare et
//! al., arXiv 1707.06887; dueling, Wang et al., arXiv 1511.06581).

use burn::module::{Initializer, Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::config::{HeadHidden, SprConfig};
use super::noisy::MaybeNoisy;

/// Factor of the gradient that enters a dueling head.
const GRADIENT_SCALE: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// Value and advantage apart.
#[derive(Module, Debug)]
pub struct Dueling {
    /// First layer of the advantage.
    pub advantage_hidden: MaybeNoisy,
    /// Second layer of the advantage.
    pub advantage_out: MaybeNoisy,
    /// Offset of all actions' advantages, `[atoms]`.
    pub advantage_bias: Param<Tensor<1>>,
    /// First layer of the value.
    pub value_hidden: MaybeNoisy,
    /// Second layer of the value.
    pub value_out: MaybeNoisy,
}

/// Two layers.
#[derive(Module, Debug)]
pub struct Joint {
    /// First layer.
    pub hidden: MaybeNoisy,
    /// Second layer.
    pub out: MaybeNoisy,
}

/// A head. Its input is a flat latent, `[batch, channels · rows · columns]`.
#[derive(Module, Debug)]
pub enum QHead {
    /// Value and advantage apart.
    Dueling(Dueling),
    /// Together.
    Joint(Joint),
}

impl QHead {
    /// Fresh layers.
    pub fn new(config: &SprConfig, device: &Device) -> Self {
        let (input, hidden) = (config.latent_len(), config.hidden);
        let layer = |input, output| MaybeNoisy::new(input, output, config.noisy, device);
        let output = config.actions * config.atoms;
        if config.dueling {
            Self::Dueling(Dueling {
                advantage_hidden: layer(input, hidden),
                advantage_out: layer(hidden, output),
                advantage_bias: Initializer::Zeros.init([config.atoms], device),
                value_hidden: layer(input, hidden),
                value_out: layer(hidden, config.atoms),
            })
        } else {
            Self::Joint(Joint {
                hidden: layer(input, hidden),
                out: layer(hidden, output),
            })
        }
    }

    /// Logits, `[batch, actions, atoms]`.
    pub fn logits(&self, latents: Tensor<2>, [actions, atoms]: [usize; 2]) -> Tensor<3> {
        let [batch, _] = latents.dims();
        match self {
            Self::Dueling(head) => {
                let scaled = scale_gradient(latents, GRADIENT_SCALE);
                let run = |hidden: &MaybeNoisy, out: &MaybeNoisy| {
                    out.forward(relu(hidden.forward(scaled.clone(), true)), true)
                };
                let advantage = run(&head.advantage_hidden, &head.advantage_out)
                    .reshape([batch, actions, atoms])
                    + head.advantage_bias.val().unsqueeze();
                let value = run(&head.value_hidden, &head.value_out).reshape([batch, 1, atoms]);
                value + (advantage.clone() - advantage.mean_dim(1))
            }
            Self::Joint(head) => {
                let hidden = relu(head.hidden.forward(latents, true));
                head.out
                    .forward(hidden, true)
                    .reshape([batch, actions, atoms])
            }
        }
    }

    /// What the first layers make of latents, side by side.
    pub fn hidden(&self, latents: &Tensor<2>, layers: HeadHidden) -> Tensor<2> {
        let used = match self {
            Self::Dueling(head) => {
                let value = layers.value.then_some(&head.value_hidden);
                let advantage = layers.advantage.then_some(&head.advantage_hidden);
                value.into_iter().chain(advantage).collect()
            }
            Self::Joint(head) => vec![&head.hidden],
        };
        let parts = used
            .iter()
            .map(|layer| layer.forward(latents.clone(), layers.noisy));
        let joined = Tensor::cat(parts.collect(), 1);
        if layers.relu { relu(joined) } else { joined }
    }

    /// With fresh noise in all layers.
    #[must_use]
    pub fn draw(self, rng: &mut impl Rng) -> Self {
        match self {
            Self::Dueling(head) => Self::Dueling(Dueling {
                advantage_hidden: head.advantage_hidden.draw(rng),
                advantage_out: head.advantage_out.draw(rng),
                value_hidden: head.value_hidden.draw(rng),
                value_out: head.value_out.draw(rng),
                ..head
            }),
            Self::Joint(head) => Self::Joint(Joint {
                hidden: head.hidden.draw(rng),
                out: head.out.draw(rng),
            }),
        }
    }
}

/// The same values with a gradient `scale` times as large.
fn scale_gradient(input: Tensor<2>, scale: f32) -> Tensor<2> {
    let still = input.clone().detach() * (1.0 - scale);
    input * scale + still
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::vec;

    #[test]
    fn the_gradient_is_scaled_and_the_value_is_not() {
        let device = Device::flex().autodiff();
        let input = Tensor::<2>::from_floats([[3.0]], &device).require_grad();
        let output = scale_gradient(input.clone(), 0.25);
        assert_eq!(vec(output.clone()), [3.0]);
        let gradients = output.sum().backward();
        assert_eq!(input.grad(&gradients).map(vec), Some(vec![0.25]));
    }
}
