//! Time on the sphere: a unit feature and the moment at which it was seen become one unit vector.

use std::f64::consts::PI;

use burn::tensor::{Tensor, TensorData};

/// Moments from the start (0) to the end (1) of a trajectory are latitudes: features turn with the
/// angle `(2u - 1) pi / (2 rate)` towards a pole, so that the same feature early and late is two
/// different points. With a rate above 1 the poles are not reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeSphere {
    /// Pole to pole over the angle that trajectories span; above 1.
    pub rate: f64,
}

impl TimeSphere {
    fn angle(self, time: f64) -> f64 {
        (2.0 * time - 1.0) * PI / (2.0 * self.rate)
    }

    /// Unit features, `[batch, steps, width]`, at their times (`batch * steps`, row-major):
    /// `[sin, cos * feature]`, `[batch, steps, width + 1]`.
    pub fn embed(self, features: Tensor<3>, times: &[f32]) -> Tensor<3> {
        let [batch, steps, _] = features.dims();
        let device = features.device();
        // On the host: sines of GPUs may be coarse, and times are never learned.
        let of_angles = |function: fn(f64) -> f64| -> Tensor<3> {
            let values = times.iter().map(|&time| self.angle(f64::from(time)));
            let values = values
                .map(|angle| function(angle) as f32)
                .collect::<Vec<_>>();
            Tensor::from_data(TensorData::new(values, [batch, steps, 1]), &device)
        };
        Tensor::cat(vec![of_angles(f64::sin), features * of_angles(f64::cos)], 2)
    }

    /// One unit feature at its time, as numbers.
    pub fn point(self, feature: &[f64], time: f64) -> Vec<f64> {
        let (sine, cosine) = self.angle(time).sin_cos();
        let turned = feature.iter().map(|value| value * cosine);
        std::iter::once(sine).chain(turned).collect()
    }

    /// Time and unit feature of a point: the inverse of [`TimeSphere::point`].
    pub fn split(self, point: &[f64]) -> (f64, Vec<f64>) {
        let (sine, turned) = match point {
            [sine, turned @ ..] => (sine.clamp(-1.0, 1.0), turned),
            [] => (0.0, point),
        };
        let time = (sine.asin() * 2.0 * self.rate / PI + 1.0) / 2.0;
        let cosine = (1.0 - sine * sine).sqrt().max(f64::MIN_POSITIVE);
        (time, turned.iter().map(|value| value / cosine).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_middle_is_the_equator_and_the_end_is_75_degrees_north() {
        let sphere = TimeSphere { rate: 1.2 };
        let point = sphere.point(&[0.6, 0.8], 0.5);
        assert!(point[0].abs() < 1e-12 && (point[2] - 0.8).abs() < 1e-12);
        let end = sphere.point(&[1.0], 1.0);
        assert!((end[0] - 75f64.to_radians().sin()).abs() < 1e-12);
        assert!((end[1] - 75f64.to_radians().cos()).abs() < 1e-12);
    }

    #[test]
    fn splitting_undoes_embedding() {
        let sphere = TimeSphere { rate: 1.2 };
        for time in [0.0, 0.3, 1.0] {
            let (found, feature) = sphere.split(&sphere.point(&[0.6, -0.8], time));
            assert!((found - time).abs() < 1e-12);
            assert!((feature[0] - 0.6).abs() < 1e-12 && (feature[1] + 0.8).abs() < 1e-12);
        }
    }

    #[test]
    fn tensors_and_numbers_agree() {
        let sphere = TimeSphere { rate: 1.7 };
        let features = TensorData::new(vec![0.6f32, 0.8, 1.0, 0.0], [1, 2, 2]);
        let features = Tensor::from_data(features, &Device::flex());
        let found = sphere.embed(features, &[0.1, 0.9]).to_data();
        let expected = [
            sphere.point(&[0.6, 0.8], 0.1),
            sphere.point(&[1.0, 0.0], 0.9),
        ];
        for (found, expected) in found.iter::<f64>().zip(expected.concat()) {
            assert!((found - expected).abs() < 1e-6);
        }
    }
}
