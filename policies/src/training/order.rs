//! Which moments each step learns from.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Random numbers of one step, or of whatever `stream` counts.
pub fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// The order of samples: every epoch is a permutation that depends on the seed and the epoch alone,
/// so that a resumed run sees what an uninterrupted one would.
#[derive(Clone, Debug)]
pub struct Order {
    seed: u64,
    epoch: u64,
    permutation: Vec<usize>,
}

impl Order {
    /// Over some samples.
    pub fn new(samples: impl IntoIterator<Item = usize>, seed: u64) -> Self {
        let mut order = Self {
            seed,
            epoch: 0,
            permutation: samples.into_iter().collect(),
        };
        order.shuffle(0);
        order
    }

    fn shuffle(&mut self, epoch: u64) {
        // Streams of steps count up from 0, those of epochs down from the end.
        let mut rng = stream(self.seed, u64::MAX - epoch);
        self.permutation.sort_unstable();
        self.permutation.shuffle(&mut rng);
        self.epoch = epoch;
    }

    /// Samples of batch `step`, `size` of them.
    pub fn batch(&mut self, step: u64, size: usize) -> Vec<usize> {
        let count = self.permutation.len() as u64;
        if count == 0 {
            return Vec::new();
        }
        (0..size as u64)
            .map(|i| {
                let position = step * size as u64 + i;
                let epoch = position / count;
                if epoch != self.epoch {
                    self.shuffle(epoch);
                }
                self.permutation[(position % count) as usize]
            })
            .collect()
    }
}

/// The moments of a batch by the kind of goal that they are learned with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draw {
    /// With the instruction of their demonstration.
    pub told: Vec<usize>,
    /// With a later picture as the goal.
    pub shown: Vec<usize>,
}

impl Draw {
    /// All moments, those that are told first.
    pub fn moments(&self) -> impl Iterator<Item = usize> + '_ {
        self.told.iter().chain(&self.shown).copied()
    }

    /// Pieces with equal shares of both kinds; `count` divides both.
    pub fn pieces(&self, count: usize) -> Vec<Self> {
        let piece = |moments: &[usize], index: usize| {
            let size = moments.len() / count.max(1);
            moments[index * size..(index + 1) * size].to_vec()
        };
        (0..count)
            .map(|index| Self {
                told: piece(&self.told, index),
                shown: piece(&self.shown, index),
            })
            .collect()
    }
}

/// The authors' two datasets, which advance together: moments whose instruction may be used, and all
/// moments with pictures as goals.
#[derive(Clone, Debug)]
pub struct TwoOrders {
    told: Order,
    shown: Option<Order>,
}

impl TwoOrders {
    /// `told` samples, and `shown` ones if there are image goals.
    pub fn new(
        told: impl IntoIterator<Item = usize>,
        shown: Option<impl IntoIterator<Item = usize>>,
        seed: u64,
    ) -> Self {
        /// Gives the second order another permutation than the first.
        const OTHER: u64 = 0x9e37_79b9_7f4a_7c15;
        Self {
            told: Order::new(told, seed),
            shown: shown.map(|samples| Order::new(samples, seed ^ OTHER)),
        }
    }

    /// Batch `step` of `size` moments: `told` of them told and the others shown, or all told if
    /// there are no image goals.
    pub fn batch(&mut self, step: u64, size: usize, told: usize) -> Draw {
        match &mut self.shown {
            Some(shown) => Draw {
                told: self.told.batch(step, told),
                shown: shown.batch(step, size.saturating_sub(told)),
            },
            None => Draw {
                told: self.told.batch(step, size),
                shown: Vec::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_sees_every_sample_once() {
        let mut order = Order::new([3, 5, 8, 13], 1);
        let mut first = order.batch(0, 4);
        let second = order.batch(1, 4);
        assert_ne!(first, second);
        first.sort_unstable();
        assert_eq!(first, [3, 5, 8, 13]);
        assert!(Order::new([], 1).batch(0, 4).is_empty());
    }

    #[test]
    fn batches_are_told_and_shown_in_the_given_shares() {
        let mut orders = TwoOrders::new([0, 1], Some(0..8), 1);
        let draw = orders.batch(3, 8, 4);
        assert!(draw.told.iter().all(|&moment| moment < 2));
        assert_eq!((draw.told.len(), draw.shown.len()), (4, 4));
        let pieces = draw.pieces(2);
        assert_eq!(pieces[1].told, draw.told[2..]);
        assert_eq!(pieces[1].shown, draw.shown[2..]);
        let few = orders.batch(3, 8, 2);
        assert_eq!((few.told.len(), few.shown.len()), (2, 6));
        let all = pieces[0].moments().collect::<Vec<_>>();
        assert_eq!(all, [&draw.told[..2], &draw.shown[..2]].concat());

        let mut told = TwoOrders::new(0..8, None::<[usize; 0]>, 1);
        let draw = told.batch(0, 8, 4);
        assert_eq!((draw.told.len(), draw.shown.len()), (8, 0));
    }
}
