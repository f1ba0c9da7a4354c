//! Random numbers of an episode.
//!
//! The arithmetic is written out here, so that no release of a library changes recorded episodes.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Split, Task};

/// Independent streams of one episode. What one part draws does not change what another draws, so
/// that a knob of domain shift changes nothing but itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Where things are and which they are.
    Layout,
    /// How things look.
    Looks,
    /// How the instruction is worded.
    Words,
    /// How strong the physics knobs turn out.
    Physics,
    /// Commands lost on the way.
    Drops,
    /// Errors of the joint encoders.
    Encoders,
    /// Where the cameras are.
    Cameras,
    /// Errors of the pictures.
    Pictures,
    /// Disturbances of a demonstration.
    Disturbance,
    /// What play does.
    Play,
}

/// The generator of one stream of one episode.
pub(crate) fn generator(task: Task, split: Split, seed: u64, stream: Stream) -> ChaCha8Rng {
    let text = format!("{}/{}/{seed}/{stream:?}", task.name(), split.name());
    ChaCha8Rng::from_seed(*blake3::hash(text.as_bytes()).as_bytes())
}

/// Uniform in `low..high`.
pub(crate) fn between<R: Rng + ?Sized>(rng: &mut R, low: f64, high: f64) -> f64 {
    let unit = (rng.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0);
    low + (high - low) * unit
}

/// True with the given probability.
pub(crate) fn chance<R: Rng + ?Sized>(rng: &mut R, probability: f64) -> bool {
    between(rng, 0.0, 1.0) < probability
}

/// Uniform in `0..count`; 0 if `count` is 0.
pub(crate) fn index<R: Rng + ?Sized>(rng: &mut R, count: usize) -> usize {
    let drawn = between(rng, 0.0, count as f64) as usize;
    drawn.min(count.saturating_sub(1))
}

/// Close to a normal distribution with mean 0 and standard deviation 1, and never beyond 6.
pub(crate) fn normal<R: Rng + ?Sized>(rng: &mut R) -> f64 {
    (0..12).map(|_| between(rng, -0.5, 0.5)).sum()
}

/// Brings `items` into a random order.
pub(crate) fn shuffle<R: Rng + ?Sized, T>(rng: &mut R, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, index(rng, last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_has_mean_zero_and_deviation_one() {
        let mut rng = generator(Task::Push, Split::Train, 1, Stream::Layout);
        let drawn: Vec<f64> = (0..20_000).map(|_| normal(&mut rng)).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05);
    }

    #[test]
    fn streams_splits_and_seeds_are_disjoint() {
        let first = |split, seed, stream| generator(Task::Push, split, seed, stream).next_u64();
        let drawn = [
            first(Split::Train, 0, Stream::Layout),
            first(Split::Eval, 0, Stream::Layout),
            first(Split::Shift, 0, Stream::Layout),
            first(Split::Train, 1, Stream::Layout),
            first(Split::Train, 0, Stream::Looks),
        ];
        for (i, a) in drawn.iter().enumerate() {
            assert!(drawn.iter().skip(i + 1).all(|b| a != b));
        }
        assert_eq!(drawn[0], first(Split::Train, 0, Stream::Layout));
    }
}
