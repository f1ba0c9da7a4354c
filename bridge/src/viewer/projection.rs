//! Shows long vectors as points in a plane.

use std::collections::VecDeque;

/// Vectors that the plane is fitted to and that the trail shows.
const WINDOW: usize = 128;
/// Longer vectors are not shown in a plane: the fit would cost more than it shows.
const MAX_WIDTH: usize = 8192;
/// Rounds of the power method per vector. Few are enough, since each fit starts from the last.
const ROUNDS: usize = 3;

/// The two principal directions of the newest vectors of one kind, and those vectors along them.
///
/// Power method with deflation on the centred window, started from the last fit, so that the
/// picture turns slowly instead of jumping.
#[derive(Debug, Default)]
pub(crate) struct Projection {
    window: VecDeque<Vec<f32>>,
    axes: [Vec<f32>; 2],
}

impl Projection {
    /// Adds a vector and gives the whole trail, oldest first; empty if the vector is too long,
    /// empty or not finite.
    pub(crate) fn push(&mut self, vector: &[f32]) -> Vec<[f32; 2]> {
        let width = vector.len();
        if width == 0 || width > MAX_WIDTH || vector.iter().any(|x| !x.is_finite()) {
            return Vec::new();
        }
        if self.window.back().is_some_and(|last| last.len() != width) {
            *self = Self::default();
        }
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(vector.to_vec());
        let mean = self.mean(width);
        for axis in 0..2 {
            self.fit(axis, &mean);
        }
        self.window
            .iter()
            .map(|row| {
                let mut point = [0.0; 2];
                for (coordinate, axis) in point.iter_mut().zip(&self.axes) {
                    *coordinate = centred_dot(row, &mean, axis);
                }
                point
            })
            .collect()
    }

    fn mean(&self, width: usize) -> Vec<f32> {
        let mut mean = vec![0.0; width];
        let share = 1.0 / self.window.len() as f32;
        for row in &self.window {
            add_scaled(&mut mean, row, share);
        }
        mean
    }

    /// Improves one axis; the axes before it are removed from it.
    fn fit(&mut self, index: usize, mean: &[f32]) {
        let width = mean.len();
        let mut axis = std::mem::take(&mut self.axes[index]);
        if axis.len() != width {
            axis = start(width, index);
        }
        for _ in 0..ROUNDS {
            let mut next = vec![0.0; width];
            for row in &self.window {
                let along = centred_dot(row, mean, &axis);
                add_scaled(&mut next, row, along);
                add_scaled(&mut next, mean, -along);
            }
            if let Some(first) = self.axes[..index].first() {
                let along = dot(&next, first);
                add_scaled(&mut next, first, -along);
            }
            let length = dot(&next, &next).sqrt();
            // No spread along this axis (yet): keep it.
            if !(length.is_normal() && length > 1e-12) {
                break;
            }
            next.iter_mut().for_each(|x| *x /= length);
            axis = next;
        }
        self.axes[index] = axis;
    }
}

/// A direction that no structured data is likely to be orthogonal to: a fixed scramble of ±1.
fn start(width: usize, index: usize) -> Vec<f32> {
    let scale = 1.0 / (width as f32).sqrt();
    let mut state = 0x9e37_79b9_u32.wrapping_add(index as u32);
    (0..width)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            if state & 1 == 0 { scale } else { -scale }
        })
        .collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn centred_dot(row: &[f32], mean: &[f32], axis: &[f32]) -> f32 {
    let terms = row.iter().zip(mean).zip(axis);
    terms.map(|((row, mean), axis)| (row - mean) * axis).sum()
}

fn add_scaled(sum: &mut [f32], vector: &[f32], scale: f32) {
    for (sum, x) in sum.iter_mut().zip(vector) {
        *sum += x * scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors that move in a plane of a 64-dimensional space: the trail shows that motion, up to
    /// rotation, so distances between points are kept.
    #[test]
    fn motion_in_a_plane_keeps_its_distances() {
        let (u, v) = (start(64, 5), start(64, 77));
        let along = dot(&u, &v);
        let mut projection = Projection::default();
        let mut trail = Vec::new();
        let mut plane = Vec::new();
        for step in 0..100 {
            let angle = step as f32 * 0.1;
            let (a, b) = (3.0 * angle.cos(), angle.sin());
            let row: Vec<f32> = u.iter().zip(&v).map(|(u, v)| a * u + b * v + 1.0).collect();
            trail = projection.push(&row);
            plane.push((a, b));
        }
        assert_eq!(trail.len(), 100);
        for (i, j) in [(0, 50), (10, 30), (70, 99)] {
            let (da, db) = (plane[i].0 - plane[j].0, plane[i].1 - plane[j].1);
            let expected = (da * da + db * db + 2.0 * da * db * along).sqrt();
            let (dx, dy) = (trail[i][0] - trail[j][0], trail[i][1] - trail[j][1]);
            let found = dx.hypot(dy);
            assert!((found - expected).abs() < 0.02, "{found} {expected}");
        }
    }

    #[test]
    fn the_window_is_bounded() {
        let mut projection = Projection::default();
        let mut trail = Vec::new();
        for step in 0..300 {
            trail = projection.push(&[step as f32, 1.0, 2.0]);
        }
        assert_eq!(trail.len(), WINDOW);
    }

    #[test]
    fn unusable_vectors_and_new_widths_do_no_harm() {
        let mut projection = Projection::default();
        assert!(projection.push(&[]).is_empty());
        assert!(projection.push(&[f32::NAN]).is_empty());
        assert!(projection.push(&vec![0.0; MAX_WIDTH + 1]).is_empty());
        assert_eq!(projection.push(&[1.0, 2.0]).len(), 1);
        assert_eq!(projection.push(&[1.0]).len(), 1);
        assert_eq!(projection.push(&[1.0]).len(), 2);
        let trail = projection.push(&[3.0]);
        assert!(trail.iter().flatten().all(|x| x.is_finite()));
    }
}
