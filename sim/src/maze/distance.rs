//! Shortest paths.

use std::collections::VecDeque;

use super::{MAX_STEP, Map, Place};

/// Grid points per cell and axis.
const FINE: usize = 20;

/// The least number of ticks from every place to one place, found breadth first on a fine grid.
///
/// A tick moves both axes at once, so the eight neighbours of a grid point are equally far. Between
/// grid points the nearest free one counts, so distances are right to about half a tick.
#[derive(Clone, Debug)]
pub struct Distances {
    width: usize,
    steps: Vec<Option<u32>>,
}

impl Distances {
    /// Distances from a place. All are `None` if the point cannot be there.
    pub fn from(map: &Map, place: Place) -> Self {
        let (width, height) = (map.width() * FINE, map.height() * FINE);
        let free = (0..width * height)
            .map(|point| map.is_free(center(point % width, point / width)))
            .collect::<Vec<_>>();
        let mut distances = Self {
            width,
            steps: vec![None; free.len()],
        };
        let mut queue = VecDeque::new();
        if let Some(start) = distances.nearest(place, |point| free[point]) {
            distances.steps[start] = Some(0);
            queue.push_back(start);
        }
        while let Some(point) = queue.pop_front() {
            let next = distances.steps[point].map(|steps| steps + 1);
            for neighbour in neighbours(point, width, &free) {
                if distances.steps[neighbour].is_none() {
                    distances.steps[neighbour] = next;
                    queue.push_back(neighbour);
                }
            }
        }
        distances
    }

    /// Ticks to a place; `None` if it cannot be reached.
    pub fn ticks(&self, place: Place) -> Option<f64> {
        let point = self.nearest(place, |point| self.steps[point].is_some())?;
        let way = f64::from(self.steps[point]?) / FINE as f64;
        Some(way / MAX_STEP)
    }

    /// The nearest grid point among those around a place that are good.
    fn nearest(&self, [x, y]: Place, good: impl Fn(usize) -> bool) -> Option<usize> {
        let (column, row) = (grid(x)?, grid(y)?);
        let height = self.steps.len().checked_div(self.width)?;
        let around = |middle: usize, end: usize| middle.saturating_sub(2)..(middle + 3).min(end);
        let points = around(row, height).flat_map(|row| {
            let columns = around(column, self.width);
            columns.map(move |column| (column, row))
        });
        let far = |&(column, row): &(usize, usize)| {
            let [a, b] = center(column, row);
            (a - x).abs().max((b - y).abs())
        };
        points
            .filter(|&(column, row)| good(row * self.width + column))
            .min_by(|a, b| far(a).total_cmp(&far(b)))
            .map(|(column, row)| row * self.width + column)
    }
}

fn grid(coordinate: f64) -> Option<usize> {
    let index = (coordinate * FINE as f64).floor();
    (index >= 0.0 && index.is_finite()).then_some(index as usize)
}

fn center(column: usize, row: usize) -> Place {
    [column, row].map(|index| (index as f64 + 0.5) / FINE as f64)
}

/// Free neighbours; a corner is not cut.
fn neighbours(point: usize, width: usize, free: &[bool]) -> impl Iterator<Item = usize> {
    // The border is wall, so that every free point has eight neighbours.
    let at =
        move |right: isize, down: isize| point.checked_add_signed(down * width as isize + right);
    let is_free = move |point: Option<usize>| point.filter(|&point| free.get(point) == Some(&true));
    let ways = [-1, 0, 1]
        .into_iter()
        .flat_map(|down| [-1, 0, 1].map(|right| (right, down)));
    ways.filter_map(move |(right, down)| {
        let clear = is_free(at(right, 0)).is_some() && is_free(at(0, down)).is_some();
        is_free(at(right, down)).filter(|_| clear && (right, down) != (0, 0))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn in_the_open_the_larger_axis_counts() {
        let map = Map::parse("######\n#....#\n#....#\n######").unwrap();
        let distances = Distances::from(&map, [1.5, 1.5]);
        let ticks = distances.ticks([4.5, 2.5]).unwrap();
        assert!((ticks - 15.0).abs() < 0.6, "{ticks}");
    }

    #[test]
    fn walls_are_gone_around() {
        let map = Map::parse("#####\n#.#.#\n#...#\n#####").unwrap();
        let distances = Distances::from(&map, [1.5, 1.5]);
        // Down past the corner, across, and up again: not 10 ticks but more.
        let ticks = distances.ticks([3.5, 1.5]).unwrap();
        assert!(ticks > 11.0 && ticks < 20.0, "{ticks}");
        assert_eq!(distances.ticks([2.5, 1.2]), None);
        assert_eq!(distances.ticks([-1.0, 0.0]), None);
    }

    #[test]
    fn both_ways_are_equally_long() {
        let map = Map::large();
        let (a, b) = (map.center(0).unwrap(), map.center(40).unwrap());
        let there = Distances::from(&map, a).ticks(b).unwrap();
        let back = Distances::from(&map, b).ticks(a).unwrap();
        assert!((there - back).abs() < 1e-9 && there > 10.0);
    }
}
