//! Contrast between many views of the same moment, such as several cameras (MV-InfoNCE and MV-DHEL,
//! arXiv 2507.06979), instead of averaging the contrasts of pairs of views.
//!
//! With unit vectors `u_il` of sample `i` in view `l`, temperature `τ` and `M` samples,
//!
//! MV-InfoNCE: `-1/M Σ_i log [ Σ_{l≠l'} e^(u_il u_il'/τ) / Σ_l Σ_{(j,m)≠(i,l)} e^(u_il u_jm/τ) ]`:
//! one softmax per sample over all pairs of its views.
//!
//! MV-DHEL: `-1/M Σ_i log [ Σ_{l<l'} e^(u_il u_il'/τ) / Π_l Σ_{j≠i} e^(u_il u_jl/τ) ]`: negatives come
//! from the same view only, so that agreement of views and spread of samples are decoupled.
//!
//! The denominators are those of the released code, which the paper's results were made with.

use burn::tensor::{Bool, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::log_sum_exp::{UNUSED, log_sum_exp};

/// Which contrast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MultiViewKind {
    /// See the [module](self).
    InfoNce,
    /// See the [module](self).
    Dhel,
}

/// A contrast between views.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiView {
    /// Which.
    pub kind: MultiViewKind,
    /// Temperature; above 0.
    pub temperature: f64,
}

impl Default for MultiView {
    fn default() -> Self {
        Self {
            kind: MultiViewKind::Dhel,
            temperature: 0.2,
        }
    }
}

impl MultiView {
    /// The loss of unit vectors `[views, samples, width]`, `[1]`; `None` below two views or two
    /// samples, where there is nothing to contrast.
    pub fn loss(&self, views: Tensor<3>) -> Option<Tensor<1>> {
        let [count, samples, width] = views.dims();
        if count < 2 || samples < 2 {
            return None;
        }
        let rows = views.reshape([count * samples, width]);
        let scores = rows.clone().matmul(rows.transpose()) / self.temperature;
        let places = Places { count, samples };
        let agreement = match self.kind {
            MultiViewKind::InfoNce => {
                places.keep(&scores, |at| at.same_sample() && !at.same_view())
            }
            MultiViewKind::Dhel => {
                places.keep(&scores, |at| at.same_sample() && at.view < at.other_view)
            }
        };
        let spread = match self.kind {
            MultiViewKind::InfoNce => {
                places.keep(&scores, |at| !at.same_view() || !at.same_sample())
            }
            MultiViewKind::Dhel => places.keep(&scores, |at| at.same_view() && !at.same_sample()),
        };
        // A row per view and sample, then the views of a sample together.
        let per_sample = |rows: Tensor<2>| rows.reshape([count, samples]);
        let agreement = log_sum_exp(per_sample(log_sum_exp(agreement, 1)), 0);
        let spread = per_sample(log_sum_exp(spread, 1));
        let spread = match self.kind {
            MultiViewKind::InfoNce => log_sum_exp(spread, 0),
            MultiViewKind::Dhel => spread.sum_dim(0),
        };
        Some((spread - agreement).mean())
    }
}

/// The scores of all pairs of vectors.
struct Places {
    count: usize,
    samples: usize,
}

struct Place {
    view: usize,
    sample: usize,
    other_view: usize,
    other_sample: usize,
}

impl Place {
    const fn same_view(&self) -> bool {
        self.view == self.other_view
    }
    const fn same_sample(&self) -> bool {
        self.sample == self.other_sample
    }
}

impl Places {
    /// The scores where `wanted`, [`UNUSED`] elsewhere.
    fn keep(&self, scores: &Tensor<2>, wanted: impl Fn(&Place) -> bool) -> Tensor<2> {
        let side = self.count * self.samples;
        let out = (0..side * side).map(|index| {
            let (row, column) = (index / side, index % side);
            !wanted(&Place {
                view: row / self.samples,
                sample: row % self.samples,
                other_view: column / self.samples,
                other_sample: column % self.samples,
            })
        });
        let out = TensorData::new(out.collect::<Vec<_>>(), [side, side]);
        let out = Tensor::<2, Bool>::from_data(out, &scores.device());
        scores.clone().mask_fill(out, UNUSED)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use burn::tensor::Device;

    use super::*;
    use crate::golden::vec;

    /// Two views of two samples in the plane: the first view on the axes, the second turned by the
    /// angle whose cosine is 0.6.
    fn views(device: &Device) -> Tensor<3> {
        Tensor::from_floats(
            [[[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.8], [-0.8, 0.6]]],
            device,
        )
    }

    fn loss(kind: MultiViewKind, temperature: f64) -> f32 {
        let device = Device::flex();
        let contrast = MultiView { kind, temperature };
        vec(contrast.loss(views(&device)).unwrap())[0]
    }

    #[test]
    fn info_nce_by_hand() {
        // Products: of a sample's two views 0.6; of different samples within a view 0; across views
        // 0.8 and -0.8.
        let e = f32::exp;
        let top = 2.0 * e(0.6);
        // Row (view 0, sample 0) sees (0,1): 0, (1,0): 0.6, (1,1): -0.8; row (1, 0): (1,1): 0,
        // (0,0): 0.6, (0,1): 0.8.
        let below = (1.0 + e(0.6) + e(-0.8)) + (1.0 + e(0.6) + e(0.8));
        let want = (below / top).ln();
        assert!((loss(MultiViewKind::InfoNce, 1.0) - want).abs() < 1e-5);
    }

    #[test]
    fn dhel_by_hand() {
        // One agreement of 0.6 / 0.5, and in each view one negative of 0.
        assert!((loss(MultiViewKind::Dhel, 0.5) + 1.2).abs() < 1e-5);
    }

    #[test]
    fn one_view_or_one_sample_is_nothing_to_contrast() {
        let device = Device::flex();
        let contrast = MultiView::default();
        assert!(contrast.loss(Tensor::ones([1, 4, 2], &device)).is_none());
        assert!(contrast.loss(Tensor::ones([3, 1, 2], &device)).is_none());
    }
}
