//! Prototypes of concepts as numbers, and how they follow the steps that are assigned to them.

use super::time_sphere::TimeSphere;

/// Unit feature and time of every concept, and the points that they are on the sphere.
#[derive(Clone, Debug, PartialEq)]
pub struct Prototypes {
    sphere: TimeSphere,
    features: Vec<Vec<f64>>,
    times: Vec<f64>,
    points: Vec<Vec<f64>>,
}

/// How prototypes move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Movement {
    /// Share of the old place that is kept.
    pub decay: f64,
    /// Once per batch towards the mean of the assigned steps, else once per step.
    pub averaged: bool,
}

impl Prototypes {
    /// From features (`width` per concept, row-major, of any length) and times.
    pub fn new(sphere: TimeSphere, features: &[f32], times: &[f32]) -> Self {
        let width = (features.len() / times.len().max(1)).max(1);
        let features = features.chunks_exact(width).map(unit).collect::<Vec<_>>();
        let times = times
            .iter()
            .map(|&time| f64::from(time))
            .collect::<Vec<_>>();
        let points = features.iter().zip(&times);
        let points = points.map(|(feature, &time)| sphere.point(feature, time));
        Self {
            points: points.collect(),
            sphere,
            features,
            times,
        }
    }

    /// Number of concepts.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The point of one concept; empty if there is no such concept.
    pub fn point(&self, concept: usize) -> &[f64] {
        self.points.get(concept).map_or(&[], Vec::as_slice)
    }

    /// Points on the sphere, row-major: concepts by width of a feature plus one.
    pub fn points(&self) -> Vec<f32> {
        self.points
            .iter()
            .flatten()
            .map(|&value| value as f32)
            .collect()
    }

    /// Unit features, row-major.
    pub fn features(&self) -> Vec<f32> {
        let values = self.features.iter().flatten();
        values.map(|&value| value as f32).collect()
    }

    /// Time of every concept: 0 at the start of trajectories, 1 at their end.
    pub fn times(&self) -> Vec<f32> {
        self.times.iter().map(|&time| time as f32).collect()
    }

    /// After one batch: `points` of the steps (row-major) and the concept of each. `radii` shrink
    /// the old places before they are mixed, so that short prototypes move faster.
    #[must_use]
    pub fn moved(&self, points: &[f32], concepts: &[usize], radii: &[f32], how: Movement) -> Self {
        let mut places = self.points.iter().zip(radii);
        let mut places = places
            .by_ref()
            .map(|(point, &radius)| scaled(point, f64::from(radius)))
            .collect::<Vec<_>>();
        let width = self.points.first().map_or(1, Vec::len);
        let steps = points.chunks_exact(width).zip(concepts);
        if how.averaged {
            let mut sums = vec![vec![0.0; width]; places.len()];
            let mut counts = vec![0usize; places.len()];
            for (point, &concept) in steps {
                if let (Some(sum), Some(count)) = (sums.get_mut(concept), counts.get_mut(concept)) {
                    *count += 1;
                    for (sum, &value) in sum.iter_mut().zip(point) {
                        *sum += f64::from(value);
                    }
                }
            }
            for ((place, sum), count) in places.iter_mut().zip(&sums).zip(counts) {
                // One more than there are: few steps pull less.
                let mean = scaled(sum, 1.0 / (1 + count) as f64);
                *place = mixed(place, &mean, how.decay);
            }
        } else {
            for (point, &concept) in steps {
                if let Some(place) = places.get_mut(concept) {
                    let point = point.iter().map(|&value| f64::from(value));
                    *place = mixed(place, &point.collect::<Vec<_>>(), how.decay);
                }
            }
        }
        let split = places
            .iter()
            .map(|place| self.sphere.split(&normalised(place)));
        let (times, features): (Vec<_>, Vec<_>) = split.unzip();
        // Through single precision, as they are stored.
        let times = times.iter().map(|&time| time as f32).collect::<Vec<_>>();
        let features = features.iter().flatten().map(|&value: &f64| value as f32);
        Self::new(self.sphere, &features.collect::<Vec<_>>(), &times)
    }
}

fn unit(values: &[f32]) -> Vec<f64> {
    let values = values
        .iter()
        .map(|&value| f64::from(value))
        .collect::<Vec<_>>();
    normalised(&values)
}

fn scaled(values: &[f64], factor: f64) -> Vec<f64> {
    values.iter().map(|value| value * factor).collect()
}

fn normalised(values: &[f64]) -> Vec<f64> {
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    scaled(values, 1.0 / length.max(1e-12))
}

fn mixed(old: &[f64], new: &[f64], decay: f64) -> Vec<f64> {
    let both = old.iter().zip(new);
    let mixed = both.map(|(old, new)| decay * old + (1.0 - decay) * new);
    normalised(&mixed.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPHERE: TimeSphere = TimeSphere { rate: 1.2 };

    fn two() -> Prototypes {
        Prototypes::new(SPHERE, &[1.0, 0.0, 0.0, 2.0], &[0.5, 0.5])
    }

    #[test]
    fn features_are_unit_and_points_know_their_time() {
        let prototypes = two();
        assert_eq!(prototypes.len(), 2);
        assert_eq!(prototypes.features(), [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(prototypes.points(), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn the_mean_of_a_batch_counts_one_step_more() {
        let how = Movement {
            decay: 0.5,
            averaged: true,
        };
        // Two steps of concept 0 at (0, 0, 1): mean 2/3 of it. Mix: (0, 1/2, 1/3), angle atan(2/3).
        let moved = two().moved(&[0.0, 0.0, 1.0, 0.0, 0.0, 1.0], &[0, 0], &[1.0, 1.0], how);
        let found = moved.features();
        assert!((f64::from(found[1] / found[0]) - 2.0 / 3.0).abs() < 1e-6);
        assert!((moved.times()[0] - 0.5).abs() < 1e-6);
        assert_eq!(moved.features()[2..], [0.0, 1.0], "unused concepts stay");
    }

    #[test]
    fn step_by_step_the_order_counts() {
        let how = Movement {
            decay: 0.5,
            averaged: false,
        };
        // One step: (0, 1/2, 1/2) at 45 degrees; a second one halves the rest to 67.5.
        let step = [0.0, 0.0, 1.0];
        let moved = two().moved(&[step, step].concat(), &[0, 0], &[1.0, 1.0], how);
        let found = moved.features();
        assert!((f64::from(found[1]).atan2(f64::from(found[0])).to_degrees() - 67.5).abs() < 1e-4);
    }

    #[test]
    fn a_short_radius_moves_faster() {
        let how = Movement {
            decay: 0.9,
            averaged: false,
        };
        let to = |radius| {
            let moved = two().moved(&[0.0, 0.0, 1.0], &[0], &[radius, 1.0], how);
            moved.features()[1]
        };
        assert!(to(0.5) > to(1.0));
    }

    #[test]
    fn concepts_that_do_not_exist_are_passed_over() {
        let how = Movement {
            decay: 0.9,
            averaged: true,
        };
        assert_eq!(two().moved(&[0.0, 0.0, 1.0], &[7], &[1.0, 1.0], how), two());
    }
}
