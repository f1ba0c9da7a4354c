//! Dropout by masks that are drawn outside.
//!
//! The authors give both modalities of a step the same random key, so that the same features are
//! dropped in both. Masks are therefore drawn once per step, on the CPU, and handed in.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, RngExt};

/// For each layer a mask of zeros (dropped) and ones (kept).
#[derive(Clone, Debug)]
pub struct KeepMasks<const D: usize> {
    layers: Vec<Tensor<D>>,
    keep: f64,
}

impl<const D: usize> KeepMasks<D> {
    /// Masks of zeros and ones, one per layer, of layers that keep this share.
    pub const fn new(layers: Vec<Tensor<D>>, keep: f64) -> Self {
        Self { layers, keep }
    }

    /// `x mask / keep` for a layer; unchanged for a layer without mask.
    pub fn apply(&self, layer: usize, input: Tensor<D>) -> Tensor<D> {
        match self.layers.get(layer) {
            Some(mask) => input * mask.clone() / self.keep,
            None => input,
        }
    }
}

impl KeepMasks<2> {
    /// Masks for rows of each of `widths`; none if nothing is dropped.
    pub fn draw(
        rows: usize,
        widths: &[usize],
        drop: f64,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Option<Self> {
        if drop <= 0.0 {
            return None;
        }
        let layers = widths.iter().map(|&width| {
            let kept = (0..rows * width)
                .map(|_| f32::from(u8::from(rng.random::<f64>() >= drop)))
                .collect::<Vec<_>>();
            Tensor::from_data(TensorData::new(kept, [rows, width]), device)
        });
        Some(Self::new(layers.collect(), 1.0 - drop))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use rand::SeedableRng as _;

    use super::*;
    use crate::golden::vec;

    #[test]
    fn what_is_kept_grows() {
        let device = Device::flex();
        let mask = Tensor::<2>::from_floats([[1.0, 0.0]], &device);
        let masks = KeepMasks::new(vec![mask], 0.8);
        let input = Tensor::from_floats([[4.0, 3.0]], &device);
        assert_eq!(vec(masks.apply(0, input.clone())), [5.0, 0.0]);
        assert_eq!(vec(masks.apply(1, input)), [4.0, 3.0]);
    }

    #[test]
    fn a_share_is_kept() {
        let device = Device::flex();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        assert!(KeepMasks::draw(2, &[4], 0.0, &device, &mut rng).is_none());
        let masks = KeepMasks::draw(100, &[100], 0.3, &device, &mut rng).unwrap();
        let kept = vec(masks.apply(0, Tensor::ones([100, 100], &device)));
        let mean = kept.iter().sum::<f32>() / kept.len() as f32;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
    }
}
