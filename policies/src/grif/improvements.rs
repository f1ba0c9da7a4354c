//! What is added to the published losses by configuration, and is off by default: temperatures per
//! sample, hard negative sentences, and contrast of several cameras.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::alignment::Metric;
use super::config::Modality;
use super::model::{Grif, Scene};
use super::task_encoder::TaskInput;
use super::unit_length;
use crate::error::PolicyError;
use crate::objectives::hard_negatives::hard_negative_loss;
use crate::objectives::{IndividualTemperatureConfig, IndividualTemperatures, MultiView};

/// Which improvements are on, with their weights in the sum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImprovementConfig {
    /// Alignment with a temperature per sample.
    pub individual_temperatures: Option<(f64, IndividualTemperatureConfig)>,
    /// Hard negative sentences: weight, and temperature.
    pub hard_negatives: Option<(f64, f64)>,
    /// Contrast of the representations of the same change seen by several cameras.
    pub multi_view: Option<(f64, MultiView)>,
}

/// What a batch needs for the improvements beside its usual content.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// Index of every sample in the training data.
    pub samples: Vec<u64>,
    /// Hard negative sentences, all of the first sample first, and how many each sample has.
    pub hard: Option<(TaskInput, Vec<usize>)>,
    /// The batch seen by other cameras: scenes and goal images.
    pub views: Vec<(Scene, TaskInput)>,
}

/// The improvements and what they remember.
#[derive(Clone, Debug, Default)]
pub struct Improvements {
    config: ImprovementConfig,
    /// Temperatures per sample.
    pub temperatures: IndividualTemperatures,
}

impl Improvements {
    /// Without memory.
    pub fn new(config: ImprovementConfig) -> Self {
        let temperatures = config.individual_temperatures.map(|(_, config)| config);
        Self {
            temperatures: IndividualTemperatures::new(temperatures.unwrap_or_default()),
            config,
        }
    }

    /// The weighted sum of what is on, `[1]`; zero if nothing is. `representations` are those of the
    /// batch's image pairs and sentences, `labelled` says which samples have a sentence.
    ///
    /// # Errors
    /// If an input does not fit the policy.
    pub fn loss(
        &mut self,
        policy: &Grif,
        [images, sentences]: &[Tensor<2>; 2],
        scene: &Scene,
        labelled: &[bool],
        extra: &Extra,
    ) -> Result<Tensor<1>, PolicyError> {
        let device = images.device();
        let mut total = Tensor::<1>::zeros([1], &device);
        let rows = (0..labelled.len()).filter(|&row| labelled[row]);
        let rows = rows.collect::<Vec<_>>();
        let at = rows.iter().map(|&row| row as i32).collect::<Vec<_>>();
        if !rows.is_empty() {
            let at = Tensor::from_data(TensorData::new(at, [rows.len()]), &device);
            let pairs = images.clone().select(0, at.clone());
            let cosines = Metric::Cosine.of(pairs.clone(), sentences.clone().select(0, at));
            if let Some((weight, _)) = self.config.individual_temperatures {
                let known = rows
                    .iter()
                    .filter_map(|&row| extra.samples.get(row).copied());
                let loss = self
                    .temperatures
                    .loss(cosines.clone(), &known.collect::<Vec<_>>());
                total = loss.map_or(total.clone(), |loss| total + loss * weight);
            }
            if let (Some((weight, temperature)), Some((task, counts))) =
                (self.config.hard_negatives, &extra.hard)
            {
                let negatives = policy.task(scene, task, Modality::Language)?.flat();
                let hard = gathered(pairs, negatives, counts, &rows);
                let counts = rows
                    .iter()
                    .map(|&row| counts.get(row).copied().unwrap_or(0));
                let counts = counts.collect::<Vec<_>>();
                if counts.iter().any(|&count| count > 0) {
                    total =
                        total + hard_negative_loss(cosines, hard, &counts, temperature) * weight;
                }
            }
        }
        if let Some((weight, contrast)) = self.config.multi_view {
            let mut views = vec![unit_length(images.clone()).unsqueeze_dim::<3>(0)];
            for (scene, goal) in &extra.views {
                let other = policy.task(scene, goal, Modality::Image)?.flat();
                views.push(unit_length(other).unsqueeze_dim(0));
            }
            if let Some(loss) = contrast.loss(Tensor::cat(views, 0)) {
                total = total + loss * weight;
            }
        }
        Ok(total)
    }
}

/// Cosines of each row's image pair with its own negatives, `[rows, most]`; anything where a row has
/// fewer.
fn gathered(pairs: Tensor<2>, negatives: Tensor<2>, counts: &[usize], rows: &[usize]) -> Tensor<2> {
    let all = negatives.dims()[0];
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let first = |row: usize| counts[..row.min(counts.len())].iter().sum::<usize>();
    let places = rows.iter().enumerate().flat_map(|(pair, &row)| {
        (0..most).map(move |index| (pair * all + (first(row) + index).min(all - 1)) as i32)
    });
    let places = places.collect::<Vec<_>>();
    let count = places.len();
    let device = pairs.device();
    let places = Tensor::from_data(TensorData::new(places, [count]), &device);
    let cosines = Metric::Cosine
        .of(pairs, negatives)
        .reshape([rows.len() * all]);
    cosines.select(0, places).reshape([rows.len(), most])
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::golden::vec;

    #[test]
    fn every_pair_meets_its_own_negatives() {
        let device = Device::flex();
        let pairs = Tensor::from_floats([[1.0, 0.0], [0.0, 1.0]], &device);
        let negatives = Tensor::from_floats([[1.0, 0.0], [0.0, 2.0], [0.0, 5.0]], &device);
        // The first sample has one negative, the second (unlabelled) one, the third one.
        let got = vec(gathered(pairs, negatives, &[1, 1, 1], &[0, 2]));
        assert_eq!(got, [1.0, 1.0]);
    }
}
