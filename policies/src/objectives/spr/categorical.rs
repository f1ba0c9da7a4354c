//! Categorical double Q-learning over several steps, which SPR was published with (Bellemare et al.,
//! arXiv 1707.06887; Hessel et al., arXiv 1710.02298).

use burn::tensor::{Tensor, TensorData};

use crate::hilp::statistics::host;

/// Smallest probability, and bound of the divergence.
const SMALLEST: f32 = 1e-6;

/// Where the atoms lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Support {
    /// Smallest return.
    pub least: f32,
    /// Greatest return.
    pub most: f32,
    /// Atoms.
    pub atoms: usize,
}

impl Support {
    fn gap(&self) -> f32 {
        (self.most - self.least) / (self.atoms.max(2) - 1) as f32
    }

    /// Returns of the atoms.
    pub fn values(&self) -> Vec<f32> {
        let gap = self.gap();
        (0..self.atoms)
            .map(|atom| self.least + gap * atom as f32)
            .collect()
    }

    /// The distribution of `reward + discount · return`, put back on the atoms: each moved atom is
    /// shared between its two neighbours by nearness, and what lies outside goes to the ends.
    pub fn projected(&self, probabilities: &[f32], reward: f32, discount: f32) -> Vec<f32> {
        let values = self.values();
        let gap = self.gap();
        let mut projected = vec![0.0; self.atoms];
        for (probability, value) in probabilities.iter().zip(&values) {
            let moved = (reward + discount * value).clamp(self.least, self.most);
            for (projected, value) in projected.iter_mut().zip(&values) {
                let share = 1.0 - (moved - value).abs() / gap;
                *projected += probability * share.clamp(0.0, 1.0);
            }
        }
        projected
    }
}

/// What a row learns from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Action at the first observation.
    pub action: usize,
    /// Discounted sum of the rewards on the way.
    pub reward: f32,
    /// Whether the episode ended on the way.
    pub ended: bool,
}

/// The loss per row and how far target and prediction are apart.
#[derive(Clone, Debug)]
pub struct QLoss {
    /// Cross-entropy, `[batch]`.
    pub loss: Tensor<1>,
    /// Divergence of the prediction from the target, `[batch]`: the priority of a replay.
    pub divergence: Vec<f32>,
}

/// Learns the distribution of returns.
///
/// `log_probabilities` belong to the first observation; `online` and `target` are the
/// log-probabilities at the observation several steps later, by the network that learns (it picks
/// the action) and by its copy (it tells the return): `[batch, actions, atoms]` each. `discount` is
/// over all these steps.
pub fn q_loss(
    log_probabilities: Tensor<3>,
    [online, target]: [Tensor<3>; 2],
    steps: &[Step],
    support: &Support,
    discount: f32,
) -> QLoss {
    let [batch, actions, atoms] = log_probabilities.dims();
    let device = log_probabilities.device();
    let values = support.values();
    let (online, target) = (host(online.exp()), host(target.exp()));
    let mut targets = Vec::with_capacity(batch * atoms);
    let mut taken = vec![0f32; batch * actions];
    for (row, step) in steps.iter().enumerate().take(batch) {
        let of_action = |action: usize| {
            let start = (row * actions + action) * atoms;
            start..start + atoms
        };
        let worth = |action: usize| {
            let probabilities = online[of_action(action)].iter();
            probabilities.zip(&values).map(|(p, v)| p * v).sum::<f32>()
        };
        let best = (0..actions).fold(0, |best, action| {
            if worth(action) > worth(best) {
                action
            } else {
                best
            }
        });
        let discount = if step.ended { 0.0 } else { discount };
        targets.extend(support.projected(&target[of_action(best)], step.reward, discount));
        if let Some(mark) = taken.get_mut(row * actions + step.action) {
            *mark = 1.0;
        }
    }
    let taken = TensorData::new(taken, [batch, actions, 1]);
    let taken = Tensor::<3>::from_data(taken, &device.clone().inner());
    let predicted: Tensor<2> = (log_probabilities * taken)
        .sum_dim(1)
        .reshape([batch, atoms]);
    let wanted = TensorData::new(targets.clone(), [batch, atoms]);
    let wanted = Tensor::<2>::from_data(wanted, &device.inner());
    let loss = -(predicted.clone() * wanted).sum_dim(1).reshape([batch]);
    let rows = host(predicted);
    let pairs = targets.chunks_exact(atoms).zip(rows.chunks_exact(atoms));
    let divergence = pairs.map(|(target, predicted)| {
        let terms = target.iter().zip(predicted).map(|(target, predicted)| {
            let target = target.clamp(SMALLEST, 1.0);
            target * (target.ln() - predicted)
        });
        terms.sum::<f32>().clamp(SMALLEST, SMALLEST.recip())
    });
    QLoss {
        loss,
        divergence: divergence.collect(),
    }
}

/// Each value within −`limit` … `limit` as shares of the two whole numbers around it:
/// `2 · limit + 1` numbers per value.
pub fn to_categorical(values: &[f32], limit: usize) -> Vec<f32> {
    let width = 2 * limit + 1;
    let bound = limit as f32;
    let mut shares = vec![0.0; values.len() * width];
    for (value, shares) in values.iter().zip(shares.chunks_exact_mut(width)) {
        let place = value.clamp(-bound, bound) + bound;
        let (lower, upper) = (place.floor(), place.ceil());
        let above = place - lower;
        shares[lower as usize] += 1.0 - above;
        shares[upper as usize] += above;
    }
    shares
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::golden::{close, vec};

    const SUPPORT: Support = Support {
        least: -1.0,
        most: 1.0,
        atoms: 3,
    };

    #[test]
    fn moved_atoms_are_shared() {
        close("values", &SUPPORT.values(), &[-1.0, 0.0, 1.0], 0.0);
        // All weight at 1: 0.25 + 0.5 * 1 = 0.75.
        let got = SUPPORT.projected(&[0.0, 0.0, 1.0], 0.25, 0.5);
        close("shared", &got, &[0.0, 0.25, 0.75], 1e-6);
        let got = SUPPORT.projected(&[0.5, 0.0, 0.5], 5.0, 1.0);
        close("cut off", &got, &[0.0, 0.0, 1.0], 1e-6);
    }

    #[test]
    fn rewards_become_shares() {
        let got = to_categorical(&[-5.0, 0.25, 1.0], 1);
        let want = [1.0, 0.0, 0.0, 0.0, 0.75, 0.25, 0.0, 0.0, 1.0];
        close("shares", &got, &want, 1e-6);
    }

    #[test]
    fn the_better_action_tells_the_target() {
        let device = Device::flex();
        let third = (1f32 / 3.0).ln();
        let uniform = Tensor::<3>::full([1, 2, 3], third, &device);
        let low = [0.98f32.ln(), 0.01f32.ln(), 0.01f32.ln()];
        let high = [0.01f32.ln(), 0.01f32.ln(), 0.98f32.ln()];
        let later = Tensor::<3>::from_floats([[low, high]], &device);
        let step = Step {
            action: 0,
            reward: 0.0,
            ended: false,
        };
        let got = q_loss(uniform, [later.clone(), later], &[step], &SUPPORT, 1.0);
        close("loss", &vec(got.loss), &[-third], 1e-5);
        let entropy = 0.98 * 0.98f32.ln() + 0.02 * 0.01f32.ln();
        close("divergence", &got.divergence, &[entropy - third], 1e-5);
    }
}
