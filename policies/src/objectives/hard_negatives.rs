//! Hard negative sentences: the same instruction with another verb or another noun (the idea of
//! EgoNCE++, Xu et al., arXiv 2405.17719), so that a representation must tell "open the drawer" from
//! "close the drawer", which a batch of random sentences rarely asks.
//!
//! For image pair `i` with its sentence `t_i`, the sentences `t_j` of the batch, its own hard negatives
//! `n_ik`, cosines `s` and temperature `τ`,
//! `loss = -1/M Σ_i log [ e^(s(i, t_i)/τ) / (Σ_j e^(s(i, t_j)/τ) + Σ_k e^(s(i, n_ik)/τ)) ]`.
//! Only the direction from images to sentences has such negatives: nobody recorded the image pairs of
//! sentences that were made up.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::log_sum_exp::{UNUSED, log_sum_exp};

/// Groups of words that make sense in each other's place: verbs, objects, colors, places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lexicon {
    /// Words of each group.
    pub groups: BTreeMap<String, Vec<String>>,
}

impl Lexicon {
    /// From groups of words.
    pub fn new<'a>(groups: impl IntoIterator<Item = (&'a str, &'a [&'a str])>) -> Self {
        let own = |words: &[&str]| words.iter().map(|&word| word.to_lowercase()).collect();
        let groups = groups.into_iter();
        Self {
            groups: groups
                .map(|(name, words)| (name.to_owned(), own(words)))
                .collect(),
        }
    }

    /// Up to `count` different sentences, each with one word of one group exchanged for another of
    /// the same group. Sentences without such a word have none.
    pub fn swap(&self, sentence: &str, count: usize, rng: &mut impl Rng) -> Vec<String> {
        let words = sentence.split_whitespace().collect::<Vec<_>>();
        let mut all = Vec::new();
        for (place, word) in words.iter().enumerate() {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            let plain = bare.to_lowercase();
            let groups = self.groups.values().filter(|group| group.contains(&plain));
            for other in groups.flatten().filter(|other| **other != plain) {
                let mut changed = words
                    .iter()
                    .map(|word| (*word).to_owned())
                    .collect::<Vec<_>>();
                changed[place] = word.replacen(bare, other, 1);
                all.push(changed.join(" "));
            }
        }
        all.sort();
        all.dedup();
        let mut chosen = Vec::new();
        while chosen.len() < count && !all.is_empty() {
            let index = rng.random_range(0..all.len());
            chosen.push(all.swap_remove(index));
        }
        chosen
    }
}

/// The loss from cosines of image pairs with the batch's sentences, `[batch, batch]`, and with their
/// own hard negatives, `[batch, negatives]`, of which row `i` has `counts[i]`; `[1]`.
pub fn hard_negative_loss(
    cosines: Tensor<2>,
    hard: Tensor<2>,
    counts: &[usize],
    temperature: f64,
) -> Tensor<1> {
    let [batch, negatives] = hard.dims();
    let device = hard.device();
    let missing = counts
        .iter()
        .flat_map(|&count| (0..negatives).map(move |index| index >= count))
        .collect::<Vec<_>>();
    let missing = Tensor::from_data(TensorData::new(missing, [batch, negatives]), &device);
    let scores = cosines / temperature;
    let hard = (hard / temperature).mask_fill(missing, UNUSED);
    let all = log_sum_exp(Tensor::cat(vec![scores.clone(), hard], 1), 1);
    let own = (0..batch).map(|index| (index * batch + index) as i32);
    let own = own.collect::<Vec<_>>();
    let own = Tensor::from_data(TensorData::new(own, [batch]), &device);
    let own: Tensor<1> = scores.reshape([batch * batch]).select(0, own);
    (all.squeeze_dim::<1>(1) - own).mean()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use rand::SeedableRng as _;

    use super::*;
    use crate::golden::vec;

    fn lexicon() -> Lexicon {
        Lexicon::new([
            ("verb", &["open", "close"][..]),
            ("object", &["drawer", "box", "door"][..]),
        ])
    }

    #[test]
    fn one_word_is_exchanged() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut found = lexicon().swap("Open the drawer.", 9, &mut rng);
        found.sort();
        assert_eq!(
            found,
            ["Open the box.", "Open the door.", "close the drawer."]
        );
        assert_eq!(lexicon().swap("open the drawer", 2, &mut rng).len(), 2);
        assert!(lexicon().swap("wave", 3, &mut rng).is_empty());
        assert!(lexicon().swap("", 3, &mut rng).is_empty());
    }

    #[test]
    fn the_loss_by_hand() {
        let device = Device::flex();
        let cosines = Tensor::from_floats([[0.9, 0.1], [0.4, 0.8]], &device);
        let hard = Tensor::from_floats([[0.7, 0.6], [0.5, 123.0]], &device);
        let got = vec(hard_negative_loss(cosines, hard, &[2, 1], 0.5))[0];
        let e = |cosine: f32| (cosine / 0.5).exp();
        let first = (e(0.9) + e(0.1) + e(0.7) + e(0.6)).ln() - 1.8;
        let second = (e(0.4) + e(0.8) + e(0.5)).ln() - 1.6;
        assert!((got - (first + second) / 2.0).abs() < 1e-5);
    }

    #[test]
    fn no_hard_negatives_leave_the_usual_loss() {
        let device = Device::flex();
        let cosines = Tensor::from_floats([[0.9, 0.1], [0.4, 0.8]], &device);
        let hard = Tensor::zeros([2, 1], &device);
        let got = vec(hard_negative_loss(cosines, hard, &[0, 0], 1.0))[0];
        let pick = |own: f32, other: f32| (own.exp() + other.exp()).ln() - own;
        assert!((got - (pick(0.9, 0.1) + pick(0.8, 0.4)) / 2.0).abs() < 1e-6);
    }
}
