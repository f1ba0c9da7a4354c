//! Midpoints on the way to a far goal (section 6.2 of the paper).
//!
//! Out of a set of known states, those are looked for whose larger distance to here and to the goal
//! is smallest. As in the authors' code the midpoint is the mean of the nearest ones' φ, it replaces
//! the goal, and this is repeated, so that the goal comes closer.

/// φ of states that may become midpoints, row-major.
#[derive(Clone, Debug)]
pub struct Midpoints {
    candidates: Vec<f32>,
    width: usize,
    /// Candidates whose mean is a midpoint (50 in the authors' runs).
    pub nearest: usize,
    /// How often the goal is replaced (3 in the authors' runs).
    pub recursions: usize,
}

/// One midpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Midpoint {
    /// Its φ.
    pub phi: Vec<f32>,
    /// The candidates that it is the mean of, in ascending order.
    pub candidates: Vec<usize>,
}

impl Midpoints {
    /// Candidates as rows of `width` numbers; numbers beyond the last whole row are dropped.
    pub fn new(candidates: Vec<f32>, width: usize, nearest: usize, recursions: usize) -> Self {
        Self {
            candidates,
            width,
            nearest,
            recursions,
        }
    }

    /// The midpoints between φ of here and of the goal, the one nearest to here last. Empty if
    /// there are no candidates or the widths differ.
    pub fn plan(&self, here: &[f32], goal: &[f32]) -> Vec<Midpoint> {
        self.plan_while(here, goal, |_| true)
    }

    /// As [`Midpoints::plan`], as long as `more` says so, which is told how many are found.
    pub fn plan_while(
        &self,
        here: &[f32],
        goal: &[f32],
        mut more: impl FnMut(usize) -> bool,
    ) -> Vec<Midpoint> {
        let rows = self.rows();
        if rows == 0 || self.nearest == 0 || here.len() != self.width || goal.len() != self.width {
            return Vec::new();
        }
        let from_here = self.distances(here);
        let mut goal = goal.to_vec();
        let mut midpoints = Vec::with_capacity(self.recursions);
        while midpoints.len() < self.recursions && more(midpoints.len()) {
            let mut ranked = self.distances(&goal);
            for (distance, here) in ranked.iter_mut().zip(&from_here) {
                distance.0 = distance.0.max(here.0);
            }
            let nearest = self.nearest.min(rows);
            ranked.select_nth_unstable_by(nearest - 1, |a, b| {
                a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
            });
            let mut candidates = ranked[..nearest].iter().map(|&(_, row)| row);
            let mut candidates = candidates.by_ref().collect::<Vec<_>>();
            candidates.sort_unstable();
            goal = self.mean(&candidates);
            midpoints.push(Midpoint {
                phi: goal.clone(),
                candidates,
            });
        }
        midpoints
    }

    /// Candidates.
    pub fn rows(&self) -> usize {
        self.candidates.len().checked_div(self.width).unwrap_or(0)
    }

    /// Squared distance and row of every candidate: the order is that of the distances.
    fn distances(&self, point: &[f32]) -> Vec<(f32, usize)> {
        let rows = self.candidates.chunks_exact(self.width);
        let distance = |row: &[f32]| {
            let squares = row.iter().zip(point).map(|(a, b)| (a - b) * (a - b));
            squares.sum::<f32>()
        };
        rows.map(distance).zip(0..).collect()
    }

    fn mean(&self, rows: &[usize]) -> Vec<f32> {
        let mut sum = vec![0f64; self.width];
        for &row in rows {
            let candidate = &self.candidates[row * self.width..(row + 1) * self.width];
            for (sum, value) in sum.iter_mut().zip(candidate) {
                *sum += f64::from(*value);
            }
        }
        let count = rows.len() as f64;
        sum.iter().map(|sum| (sum / count) as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Candidates at 0, 1, … 9 on a line.
    fn line(nearest: usize, recursions: usize) -> Midpoints {
        let candidates = (0u8..10).map(f32::from).collect();
        Midpoints::new(candidates, 1, nearest, recursions)
    }

    #[test]
    fn each_midpoint_halves_the_way() {
        let plan = line(1, 3).plan(&[0.0], &[8.0]);
        let places = plan.iter().map(|midpoint| midpoint.phi[0]);
        assert_eq!(places.collect::<Vec<_>>(), [4.0, 2.0, 1.0]);
        assert_eq!(plan[0].candidates, [4]);
        let less = line(1, 3).plan_while(&[0.0], &[8.0], |found| found < 2);
        assert_eq!(less, plan[..2]);
    }

    #[test]
    fn a_midpoint_is_the_mean_of_the_nearest() {
        // Larger distances to 0 and 6: 6 5 4 3 4 5 6 7 8 9; the best three are 3, 2 and 4.
        let plan = line(3, 1).plan(&[0.0], &[6.0]);
        assert_eq!(plan[0].phi, [3.0]);
        assert_eq!(plan[0].candidates, [2, 3, 4]);
        // More than there are: all.
        assert_eq!(line(99, 1).plan(&[0.0], &[6.0])[0].phi, [4.5]);
    }

    #[test]
    fn nothing_to_plan_with() {
        assert!(
            Midpoints::new(vec![], 1, 5, 3)
                .plan(&[0.0], &[1.0])
                .is_empty()
        );
        assert!(line(0, 3).plan(&[0.0], &[1.0]).is_empty());
        assert!(line(1, 3).plan(&[0.0, 1.0], &[1.0]).is_empty());
        assert!(Midpoints::new(vec![1.0], 0, 5, 3).plan(&[], &[]).is_empty());
    }
}
