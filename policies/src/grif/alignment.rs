//! Agreement of language with the change from the first to the goal image (the paper's section 4.1).
//!
//! With rows `i` of the images' representations `u` and columns `j` of the sentences' `v`,
//!
//! `W_ij = S(u_i, v_j) / clip(e^T, 0.01, 100) - 1e9 blocked_ij`
//! `c1 = log softmax of W over usable i`, `c2 = over usable j`
//! `loss = -(λ mean c1_ii + λ' mean c2_ii) / 2`, means over pairs both of whose sides are usable.
//!
//! Every other sample of the batch is a negative, also one with the same sentence. Entries left out
//! of a softmax are selected away, never multiplied by zero, so that they cannot turn into NaN.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::host;
use crate::objectives::log_sum_exp::UNUSED;

/// How alike two representations are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Cosine of their angle.
    #[default]
    Cosine,
    /// As [`Metric::Cosine`], without contrast: the loss is minus the mean cosine of the pairs.
    CosineLoss,
    /// Minus the squared distance. At small temperatures every exponential of a softmax may vanish,
    /// and with them the finiteness of the loss.
    L2,
    /// Minus the squared distance over 64, for large representations.
    DownscaledL2,
    /// Minus the mean of the squared differences.
    Mse,
}

impl Metric {
    /// All pairs: `[rows, width]` and `[columns, width]` to `[rows, columns]`.
    pub fn of(self, rows: Tensor<2>, columns: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Cosine | Self::CosineLoss => {
                let length = |side: &Tensor<2>| side.clone().square().sum_dim(1).sqrt();
                let lengths = length(&rows).matmul(length(&columns).transpose());
                rows.matmul(columns.transpose()) / lengths
            }
            Self::L2 => squares(rows, columns).neg(),
            Self::DownscaledL2 => squares(rows, columns) / -64.0,
            Self::Mse => {
                let width = rows.dims()[1].max(1) as f64;
                squares(rows, columns) / -width
            }
        }
    }
}

/// Squared distances of all pairs, from differences: the expanded product would lose digits.
fn squares(rows: Tensor<2>, columns: Tensor<2>) -> Tensor<2> {
    let differences = rows.unsqueeze_dim::<3>(1) - columns.unsqueeze_dim::<3>(0);
    differences.square().sum_dim(2).squeeze_dim(2)
}

/// Weights and metric of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlignmentConfig {
    /// Metric.
    pub metric: Metric,
    /// Weight of finding the image of a sentence, and of [`Metric::CosineLoss`].
    pub weight: f64,
    /// Weight of finding the sentence of an image.
    pub other_weight: f64,
}

impl Default for AlignmentConfig {
    fn default() -> Self {
        Self {
            metric: Metric::Cosine,
            weight: 1.0,
            other_weight: 1.0,
        }
    }
}

/// Which rows and columns take part.
#[derive(Clone, Debug)]
pub struct Usable<'a> {
    /// Per image.
    pub images: &'a [bool],
    /// Per sentence.
    pub sentences: &'a [bool],
}

/// Bounds of the temperature.
const TEMPERATURE: (f64, f64) = (0.01, 100.0);
/// Subtracted from the score of a blocked pair.
const BLOCK: f64 = 1e9;

/// Numbers of the contrast, for those who watch the training.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Contrast {
    /// Mean of `c1_ii`.
    pub image_log_probability: f32,
    /// Mean of `c2_ii`.
    pub sentence_log_probability: f32,
    /// Share of sentences whose image is found.
    pub image_accuracy: f32,
    /// Share of images whose sentence is found.
    pub sentence_accuracy: f32,
}

/// The loss and what it is made of.
#[derive(Clone, Debug)]
pub struct AlignmentLoss {
    /// The weighted loss, `[1]`.
    pub loss: Tensor<1>,
    /// Numbers of the contrast; none for [`Metric::CosineLoss`].
    pub contrast: Option<Contrast>,
}

impl AlignmentConfig {
    /// The loss of representations `[batch, width]` of images and of sentences; `temperature` is the
    /// logarithm `T`, `[1]`, and `blocked` `[batch, batch]` holds ones for pairs that must not be
    /// told apart. `None` if no pair is usable: there is nothing to align then.
    pub fn loss(
        &self,
        images: Tensor<2>,
        sentences: Tensor<2>,
        temperature: Tensor<1>,
        usable: &Usable<'_>,
        blocked: Option<Tensor<2>>,
    ) -> Option<AlignmentLoss> {
        let pairs = usable.images.iter().zip(usable.sentences);
        let valid = pairs
            .map(|(&image, &sentence)| image && sentence)
            .collect::<Vec<_>>();
        let count = valid.iter().filter(|&&valid| valid).count();
        if count == 0 {
            return None;
        }
        let device = images.device();
        let likeness = self.metric.of(images, sentences);
        if self.metric == Metric::CosineLoss {
            let mean = diagonal_mean(&likeness, &valid, count, &device);
            return Some(AlignmentLoss {
                loss: mean * -self.weight,
                contrast: None,
            });
        }
        let divisor = temperature.exp().clamp(TEMPERATURE.0, TEMPERATURE.1);
        let mut scores = likeness / divisor.reshape([1, 1]);
        if let Some(blocked) = blocked {
            scores = scores - blocked * BLOCK;
        }
        let over_images = restricted_log_softmax(scores.clone(), 0, usable.images);
        let over_sentences = restricted_log_softmax(scores, 1, usable.sentences);
        let first = diagonal_mean(&over_images, &valid, count, &device);
        let second = diagonal_mean(&over_sentences, &valid, count, &device);
        let means = Tensor::cat(vec![first.clone(), second.clone()], 0);
        let contrast = Contrast::read(&over_images, &over_sentences, means, usable, &valid);
        Some(AlignmentLoss {
            loss: (first * self.weight + second * self.other_weight) / -2.0,
            contrast: Some(contrast),
        })
    }
}

/// Log-softmax over an axis of `[rows, columns]` among its `usable` places; the others hold
/// [`UNUSED`]. The shift is never below zero, as in the authors' library.
pub fn restricted_log_softmax(scores: Tensor<2>, axis: usize, usable: &[bool]) -> Tensor<2> {
    let [rows, columns] = scores.dims();
    let shape = if axis == 0 { [rows, 1] } else { [1, columns] };
    let device = scores.device();
    let out = usable.iter().map(|&usable| !usable).collect::<Vec<_>>();
    let out = Tensor::<2, Bool>::from_data(TensorData::new(out, shape), &device);
    let out = out.expand([rows, columns]);
    let inside = scores.mask_fill(out.clone(), UNUSED);
    let shift = inside.clone().detach().max_dim(axis).clamp_min(0.0);
    let shifted = inside - shift;
    let sum = shifted
        .clone()
        .exp()
        .mask_fill(out.clone(), 0.0)
        .sum_dim(axis);
    (shifted - sum.log()).mask_fill(out, UNUSED)
}

/// Mean of the diagonal's valid places, `[1]`.
fn diagonal_mean(square: &Tensor<2>, valid: &[bool], count: usize, device: &Device) -> Tensor<1> {
    let side = valid.len();
    let places = valid.iter().enumerate().filter(|(_, valid)| **valid);
    let places = places
        .map(|(index, _)| (index * side + index) as i32)
        .collect::<Vec<_>>();
    let places = Tensor::from_data(TensorData::new(places, [count]), device);
    let flat = square.clone().reshape([side * side]);
    flat.select(0, places).mean()
}

impl Contrast {
    fn read(
        over_images: &Tensor<2>,
        over_sentences: &Tensor<2>,
        means: Tensor<1>,
        usable: &Usable<'_>,
        valid: &[bool],
    ) -> Self {
        let side = valid.len();
        let values = |tensor: &Tensor<2>| host::values(tensor.clone());
        let (first, second) = (values(over_images), values(over_sentences));
        let mut means = host::values(means).into_iter();
        let mut next = || means.next().unwrap_or(f32::NAN);
        let accuracy = |at: &dyn Fn(usize, usize) -> f32, usable: &[bool]| {
            let found = (0..side).filter(|&pair| {
                // Probabilities, not their logarithms: where all vanish, the first place wins.
                let chance = |other: usize| match usable[other] {
                    true => at(pair, other).exp(),
                    false => 0.0,
                };
                valid[pair] && first_greatest((0..side).map(chance)) == Some(pair)
            });
            let count = valid.iter().filter(|&&valid| valid).count().max(1);
            found.count() as f32 / count as f32
        };
        Self {
            image_log_probability: next(),
            sentence_log_probability: next(),
            image_accuracy: accuracy(
                &|sentence, image| first[image * side + sentence],
                usable.images,
            ),
            sentence_accuracy: accuracy(
                &|image, sentence| second[image * side + sentence],
                usable.sentences,
            ),
        }
    }
}

/// Place of the greatest number, the first of equals.
fn first_greatest(numbers: impl Iterator<Item = f32>) -> Option<usize> {
    let mut best = None;
    for (index, number) in numbers.enumerate() {
        if best.is_none_or(|(_, greatest)| number > greatest) {
            best = Some((index, number));
        }
    }
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::golden::vec;

    fn pair(device: &Device) -> (Tensor<2>, Tensor<2>) {
        (
            Tensor::from_floats([[1.0, 0.0], [0.0, 2.0]], device),
            Tensor::from_floats([[3.0, 0.0], [1.0, 1.0]], device),
        )
    }

    #[test]
    fn metrics() {
        let device = Device::flex();
        let of = |metric: Metric| {
            let (rows, columns) = pair(&device);
            vec(metric.of(rows, columns))
        };
        let half = 0.5f32.sqrt();
        let close = |got: Vec<f32>, want: [f32; 4]| {
            assert!(
                got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6),
                "{got:?}"
            );
        };
        close(of(Metric::Cosine), [1.0, half, 0.0, half]);
        close(of(Metric::L2), [-4.0, -1.0, -13.0, -2.0]);
        close(of(Metric::Mse), [-2.0, -0.5, -6.5, -1.0]);
        close(
            of(Metric::DownscaledL2),
            [-0.0625, -0.015_625, -0.203_125, -0.031_25],
        );
    }

    #[test]
    fn the_contrast_of_two_pairs_by_hand() {
        let device = Device::flex();
        let (rows, columns) = pair(&device);
        let config = AlignmentConfig {
            metric: Metric::Cosine,
            weight: 1.0,
            other_weight: 0.5,
        };
        let all = [true; 2];
        let usable = Usable {
            images: &all,
            sentences: &all,
        };
        let out = config
            .loss(rows, columns, Tensor::zeros([1], &device), &usable, None)
            .unwrap();
        // Scores [[1, h], [0, h]], h = sqrt(1/2).
        let h = 0.5f32.sqrt();
        let column = |own: f32, other: f32| own - (own.exp() + other.exp()).ln();
        let first = (column(1.0, 0.0) + column(h, h)) / 2.0;
        let second = (column(1.0, h) + column(h, 0.0)) / 2.0;
        let want = -(first + 0.5 * second) / 2.0;
        assert!((vec(out.loss)[0] - want).abs() < 1e-6);
        let contrast = out.contrast.unwrap();
        assert!((contrast.image_log_probability - first).abs() < 1e-6);
        // Of the second sentence's equal images the first is taken.
        assert_eq!(contrast.image_accuracy, 0.5);
        assert_eq!(contrast.sentence_accuracy, 1.0);
    }

    #[test]
    fn what_is_not_usable_does_not_matter() {
        let device = Device::flex();
        let config = AlignmentConfig::default();
        let loss = |sentences: [[f32; 2]; 3], usable: [bool; 3]| {
            let images = Tensor::from_floats([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], &device);
            let sentences = Tensor::from_floats(sentences, &device);
            let usable = Usable {
                images: &[true; 3],
                sentences: &usable,
            };
            let temperature = Tensor::from_floats([0.07f32.ln()], &device);
            config.loss(images, sentences, temperature, &usable, None)
        };
        let with = |third| loss([[3.0, 0.1], [1.0, 1.0], third], [true, true, false]);
        let (one, other) = (with([1.0, 0.0]).unwrap(), with([-5.0, 2.0]).unwrap());
        assert_eq!(vec(one.loss), vec(other.loss));
        assert!(loss([[1.0, 0.0]; 3], [false; 3]).is_none());
    }

    #[test]
    fn blocked_pairs_are_no_negatives() {
        let device = Device::flex();
        let (rows, columns) = pair(&device);
        let all = [true; 2];
        let usable = Usable {
            images: &all,
            sentences: &all,
        };
        let blocked = Tensor::from_floats([[0.0, 1.0], [1.0, 0.0]], &device);
        let out = AlignmentConfig::default()
            .loss(
                rows,
                columns,
                Tensor::zeros([1], &device),
                &usable,
                Some(blocked),
            )
            .unwrap();
        assert!(vec(out.loss)[0].abs() < 1e-6);
    }
}
