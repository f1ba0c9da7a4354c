//! Plain ways to cut trajectories into segments, to hold discovered ones against.

use rand::{Rng, RngExt as _};

/// Segments of equal length: the number of each step's segment.
pub fn uniform(steps: usize, segments: usize) -> Vec<usize> {
    let segments = segments.clamp(1, steps.max(1));
    (0..steps).map(|step| step * segments / steps).collect()
}

/// Segments of states (`width` numbers each) whose squared distances from their segment's mean are
/// least together: the exact solution of change-point detection for a known number of segments
/// (Jackson et al., "An algorithm for optimal partitioning of data on an interval", 2005). Gives the
/// number of each step's segment.
pub fn change_points(states: &[f32], width: usize, segments: usize) -> Vec<usize> {
    let rows = states.chunks_exact(width.max(1)).collect::<Vec<_>>();
    let steps = rows.len();
    if steps == 0 {
        return Vec::new();
    }
    let segments = segments.clamp(1, steps);
    // Sums of numbers and of squares before every step give the cost of any piece.
    let mut sums = vec![vec![0f64; width]];
    let mut squares = vec![0f64];
    for row in rows {
        let last = sums.last().cloned().unwrap_or_default();
        let next = last
            .iter()
            .zip(row)
            .map(|(sum, &value)| sum + f64::from(value));
        sums.push(next.collect());
        let square = row
            .iter()
            .map(|&value| f64::from(value).powi(2))
            .sum::<f64>();
        squares.push(squares.last().copied().unwrap_or(0.0) + square);
    }
    let cost = |begin: usize, end: usize| {
        let pairs = sums[end].iter().zip(&sums[begin]);
        let square = pairs.map(|(end, begin)| (end - begin).powi(2)).sum::<f64>();
        squares[end] - squares[begin] - square / (end - begin) as f64
    };
    // The least cost of the first `end` steps in so many segments, and where the last one begins.
    let mut least = (0..=steps)
        .map(|end| {
            if end == 0 {
                f64::INFINITY
            } else {
                cost(0, end)
            }
        })
        .collect::<Vec<_>>();
    let mut begins = vec![vec![0; steps + 1]];
    for count in 2..=segments {
        let mut next = vec![f64::INFINITY; steps + 1];
        let mut begin_of = vec![0; steps + 1];
        for end in count..=steps {
            for (begin, before) in least.iter().enumerate().take(end).skip(count - 1) {
                let total = before + cost(begin, end);
                if total < next[end] {
                    (next[end], begin_of[end]) = (total, begin);
                }
            }
        }
        least = next;
        begins.push(begin_of);
    }
    let mut labels = vec![0; steps];
    let mut end = steps;
    for (segment, begin_of) in begins.iter().enumerate().rev() {
        let begin = begin_of[end];
        labels[begin..end].fill(segment);
        end = begin;
    }
    labels
}

/// Clusters of states, whatever their time.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeans {
    width: usize,
    centres: Vec<Vec<f64>>,
}

impl KMeans {
    /// Lloyd's algorithm from centres that are drawn far apart (k-means++, Arthur and Vassilvitskii,
    /// 2007).
    pub fn fit(states: &[f32], width: usize, clusters: usize, rng: &mut impl Rng) -> Self {
        let rows = states.chunks_exact(width.max(1)).collect::<Vec<_>>();
        let float = |row: &[f32]| row.iter().map(|&value| f64::from(value)).collect();
        let mut means = Self {
            width,
            centres: Vec::new(),
        };
        while !rows.is_empty() && means.centres.len() < clusters {
            let weights = rows
                .iter()
                .map(|row| means.nearest(row).map_or(1.0, |found| found.1));
            let weights = weights.collect::<Vec<f64>>();
            let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
            let drawn = weights.iter().position(|weight| {
                left -= weight;
                left < 0.0
            });
            means.centres.push(float(rows[drawn.unwrap_or(0)]));
        }
        for _ in 0..50 {
            let mut sums = vec![(vec![0.0; width], 0.0); means.centres.len()];
            for row in &rows {
                if let Some((nearest, _)) = means.nearest(row) {
                    let (sum, count) = &mut sums[nearest];
                    *count += 1.0;
                    for (sum, &value) in sum.iter_mut().zip(*row) {
                        *sum += f64::from(value);
                    }
                }
            }
            let before = means.centres.clone();
            for (centre, (sum, count)) in means.centres.iter_mut().zip(sums) {
                if count > 0.0 {
                    *centre = sum.iter().map(|sum| sum / count).collect();
                }
            }
            if before == means.centres {
                break;
            }
        }
        means
    }

    /// The cluster of every state.
    pub fn labels(&self, states: &[f32]) -> Vec<usize> {
        let rows = states.chunks_exact(self.width.max(1));
        rows.map(|row| self.nearest(row).map_or(0, |found| found.0))
            .collect()
    }

    fn nearest(&self, row: &[f32]) -> Option<(usize, f64)> {
        let distances = self.centres.iter().enumerate().map(|(index, centre)| {
            let pairs = centre.iter().zip(row);
            let square = pairs.map(|(a, &b)| (a - f64::from(b)).powi(2)).sum::<f64>();
            (index, square)
        });
        distances.min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn equal_segments() {
        assert_eq!(uniform(5, 2), [0, 0, 0, 1, 1]);
        assert_eq!(uniform(2, 9), [0, 1]);
        assert!(uniform(0, 3).is_empty());
    }

    #[test]
    fn the_cut_lies_where_the_mean_changes() {
        // Cut after the third: 0.5 + 0.5. Cut elsewhere costs more.
        let states = [0.0, 1.0, 0.5, 9.0, 10.0];
        assert_eq!(change_points(&states, 1, 2), [0, 0, 0, 1, 1]);
        // Two numbers per state, three levels.
        let states = [0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 5.0, 5.0, 5.0, 5.0];
        assert_eq!(change_points(&states, 2, 3), [0, 0, 1, 2, 2]);
        assert_eq!(change_points(&states, 2, 1), [0; 5]);
        assert_eq!(change_points(&[1.0, 1.0], 1, 5), [0, 1]);
        assert!(change_points(&[], 1, 2).is_empty());
    }

    #[test]
    fn clusters_are_what_lies_together() {
        let states = [0.0, 0.2, 9.0, 9.2, 0.1];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let means = KMeans::fit(&states, 1, 2, &mut rng);
        let labels = means.labels(&states);
        assert_eq!(labels[0], labels[1]);
        assert_eq!(labels[0], labels[4]);
        assert_eq!(labels[2], labels[3]);
        assert_ne!(labels[0], labels[2]);
        let mut centres = means.centres.concat();
        centres.sort_by(f64::total_cmp);
        assert!((centres[0] - 0.1).abs() < 1e-6 && (centres[1] - 9.1).abs() < 1e-6);
        assert!(KMeans::fit(&[], 1, 2, &mut rng).labels(&[]).is_empty());
    }
}
