//! Stage one: CLIP, made to read two images, is fine-tuned so that a sentence agrees with the change
//! that it describes.
//!
//! With `P_ij = 1` where samples `i` and `j` have the same instruction,
//! `loss = ½ (mean_i -log Σ_j P_ij p(j | i) + mean_j -log Σ_i P_ij p(i | j))`: all images of the same
//! instruction are right answers.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Bool, Device, Tensor, TensorData, activation::log_softmax};

use super::unit_length;
use crate::clip::{TextConfig, TextTower, VisionTransformer, VisionTransformerConfig};
use crate::error::PolicyError;
use crate::host;
use crate::objectives::log_sum_exp::{UNUSED, log_sum_exp};

/// Both towers and the temperature. Only the towers move on to stage two.
#[derive(Module, Debug)]
pub struct ContrastiveClip {
    /// Over start and goal image.
    pub image: VisionTransformer,
    /// Over instructions.
    pub text: TextTower,
    /// Logarithm of the temperature, `[1]`.
    pub temperature: Param<Tensor<1>>,
}

/// Bounds of the temperature.
const TEMPERATURE: (f64, f64) = (0.01, 100.0);

/// Unit embeddings of a batch and how well they fit.
#[derive(Clone, Debug)]
pub struct Embeddings {
    /// Of image pairs, `[batch, width]`.
    pub images: Tensor<2>,
    /// Of instructions, `[batch, width]`.
    pub texts: Tensor<2>,
    /// Cosines over the temperature, images in rows: `[batch, batch]`.
    pub logits: Tensor<2>,
}

impl ContrastiveClip {
    /// Fresh weights.
    pub fn new(image: &VisionTransformerConfig, text: &TextConfig, device: &Device) -> Self {
        Self {
            image: VisionTransformer::new(image, device),
            text: TextTower::new(text, device),
            temperature: Initializer::Constant {
                value: 0.07f64.ln(),
            }
            .init([1], device),
        }
    }

    /// The logarithm of the temperature within its bounds, `[1]`.
    pub fn bounded_temperature(&self) -> Tensor<1> {
        let (low, high) = TEMPERATURE;
        self.temperature.val().clamp(low.ln(), high.ln())
    }

    /// Of normalised images of start and goal, one behind the other's channels, and instructions.
    ///
    /// # Errors
    /// If images or tokens are not those of the towers.
    pub fn embed(&self, pairs: Tensor<4>, texts: &[Vec<u32>]) -> Result<Embeddings, PolicyError> {
        let images = unit_length(self.image.forward(pairs)?);
        let texts = unit_length(self.text.forward(texts)?);
        let cosines = images.clone().matmul(texts.clone().transpose());
        let temperature = self.bounded_temperature().exp().reshape([1, 1]);
        Ok(Embeddings {
            images,
            texts,
            logits: cosines / temperature,
        })
    }
}

/// The loss of one direction and how often it was right.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Retrieval {
    /// The loss.
    pub loss: f32,
    /// Mean probability of right answers.
    pub correct_probability: f32,
    /// Share of questions whose best answer is right.
    pub accuracy: f32,
    /// Share of questions with a right answer among the best five (all, if there are fewer).
    pub top5_accuracy: f32,
}

/// The loss and its numbers.
#[derive(Clone, Debug)]
pub struct ContrastiveLoss {
    /// The loss, `[1]`.
    pub loss: Tensor<1>,
    /// Finding the instruction of an image pair.
    pub image_to_text: Retrieval,
    /// Finding the image pair of an instruction.
    pub text_to_image: Retrieval,
}

/// The loss of logits (`[batch, batch]`, images in rows); `same[i * batch + j]` says whether samples
/// `i` and `j` have the same instruction, and is true for `i = j`.
pub fn contrastive_loss(logits: Tensor<2>, same: &[bool]) -> ContrastiveLoss {
    let [batch, _] = logits.dims();
    let wrong = same.iter().map(|&same| !same).collect::<Vec<_>>();
    let wrong = TensorData::new(wrong, [batch, batch]);
    let wrong = Tensor::<2, Bool>::from_data(wrong, &logits.device());
    let direction = |axis: usize| {
        let chances = log_softmax(logits.clone(), axis);
        let right = chances.clone().mask_fill(wrong.clone(), UNUSED);
        let loss: Tensor<1> = log_sum_exp(right, axis).mean().neg();
        let info = Retrieval::read(&chances, &loss, same, axis);
        (loss, info)
    };
    let (rows, image_to_text) = direction(1);
    let (columns, text_to_image) = direction(0);
    ContrastiveLoss {
        loss: (rows + columns) / 2.0,
        image_to_text,
        text_to_image,
    }
}

impl Retrieval {
    fn read(chances: &Tensor<2>, loss: &Tensor<1>, same: &[bool], axis: usize) -> Self {
        let [batch, _] = chances.dims();
        let chances = host::values(chances.clone());
        let place = |question: usize, answer: usize| match axis {
            1 => question * batch + answer,
            _ => answer * batch + question,
        };
        let mut out = Self {
            loss: host::values(loss.clone())
                .first()
                .copied()
                .unwrap_or(f32::NAN),
            ..Self::default()
        };
        let share = 1.0 / batch.max(1) as f32;
        for question in 0..batch {
            let all = (0..batch).map(|answer| place(question, answer));
            let right = all.clone().filter(|&at| same[at]).map(|at| chances[at]);
            let best_right = right.clone().fold(f32::NEG_INFINITY, f32::max);
            let mut sorted = all.map(|at| chances[at]).collect::<Vec<_>>();
            sorted.sort_by(|a, b| b.total_cmp(a));
            out.correct_probability += share * right.map(f32::exp).sum::<f32>();
            if sorted.first().is_some_and(|best| *best <= best_right) {
                out.accuracy += share;
            }
            let fifth = sorted.get(4).or(sorted.last());
            if fifth.is_some_and(|fifth| best_right >= *fifth) {
                out.top5_accuracy += share;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::vec;

    #[test]
    fn two_samples_by_hand() {
        let device = Device::flex();
        let logits = Tensor::from_floats([[2.0, 0.0], [1.0, 1.0]], &device);
        let out = contrastive_loss(logits, &[true, false, false, true]);
        let pick = |own: f32, other: f32| own - (own.exp() + other.exp()).ln();
        let rows = -(pick(2.0, 0.0) + pick(1.0, 1.0)) / 2.0;
        let columns = -(pick(2.0, 1.0) + pick(1.0, 0.0)) / 2.0;
        assert!((vec(out.loss)[0] - (rows + columns) / 2.0).abs() < 1e-6);
        assert!((out.image_to_text.loss - rows).abs() < 1e-6);
        assert_eq!(out.image_to_text.accuracy, 1.0);
        assert_eq!(out.text_to_image.top5_accuracy, 1.0);
    }

    #[test]
    fn the_same_instruction_is_a_right_answer() {
        let device = Device::flex();
        let logits = Tensor::from_floats([[2.0, 0.0], [1.0, 1.0]], &device);
        let out = contrastive_loss(logits, &[true; 4]);
        assert!(vec(out.loss)[0].abs() < 1e-6);
        assert!((out.image_to_text.correct_probability - 1.0).abs() < 1e-6);
    }
}
