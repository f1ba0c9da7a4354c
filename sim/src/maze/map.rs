//! Where walls are.

use rand::Rng;

use super::{Place, RADIUS};
use crate::random::{between, index};

/// Why a text is no map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// A sign that is neither wall nor floor.
    #[error("row {row} of the map holds `{sign}`: walls are `#`, floor is `.`")]
    Sign {
        /// Row, from 0.
        row: usize,
        /// What stands there.
        sign: char,
    },
    /// Rows of different lengths.
    #[error("row {row} of the map has {found} cells, expected {expected} as in the first one")]
    Length {
        /// Row, from 0.
        row: usize,
        /// Cells of the first row.
        expected: usize,
        /// Cells of this row.
        found: usize,
    },
    /// An opening in the border, or no floor at all.
    #[error("the map needs floor inside and walls all around")]
    Open,
}

/// A map of square cells, each wall or floor. The border is wall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    width: usize,
    walls: Vec<bool>,
}

impl Map {
    /// A map of 8 by 8 cells with rooms around short walls.
    pub fn medium() -> Self {
        Self::fixed(&[
            "########", "#..##..#", "#..#...#", "##...###", "#..#...#", "#.#..#.#", "#...#..#",
            "########",
        ])
    }

    /// A map of 12 by 9 cells with long detours.
    pub fn large() -> Self {
        Self::fixed(&[
            "############",
            "#....#.....#",
            "#.##.#.#.#.#",
            "#......#...#",
            "#.####.###.#",
            "#..#.#.....#",
            "##.#.#.#.###",
            "#..#...#...#",
            "############",
        ])
    }

    /// Rows that are known to be well formed.
    fn fixed(rows: &[&str]) -> Self {
        let width = rows.first().map_or(0, |row| row.len());
        let signs = rows.iter().flat_map(|row| row.chars());
        Self {
            width,
            walls: signs.map(|sign| sign == '#').collect(),
        }
    }

    /// A map from lines of `#` (wall) and `.` (floor).
    ///
    /// # Errors
    /// If a line holds something else or has another length, or the border has a hole.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        let rows = text.lines().collect::<Vec<_>>();
        let expected = rows.first().map_or(0, |row| row.chars().count());
        for (row, line) in rows.iter().enumerate() {
            let found = line.chars().count();
            if found != expected {
                return Err(MapError::Length {
                    row,
                    expected,
                    found,
                });
            }
            if let Some(sign) = line.chars().find(|sign| !matches!(sign, '#' | '.')) {
                return Err(MapError::Sign { row, sign });
            }
        }
        let map = Self::fixed(&rows);
        let height = map.height();
        let border = |cell: usize| {
            let (x, y) = (cell % map.width, cell / map.width);
            x == 0 || y == 0 || x + 1 == map.width || y + 1 == height
        };
        let open = (0..map.walls.len()).any(|cell| border(cell) && !map.walls[cell]);
        if open || map.floor().next().is_none() {
            return Err(MapError::Open);
        }
        Ok(map)
    }

    /// Cells from left to right.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Cells from top to bottom.
    pub fn height(&self) -> usize {
        self.walls.len().checked_div(self.width).unwrap_or(0)
    }

    /// Cells of floor, row by row.
    pub fn floor(&self) -> impl Iterator<Item = (usize, usize)> {
        let cells = self.walls.iter().enumerate();
        let floor = cells.filter(|&(_, wall)| !wall);
        floor.map(|(cell, _)| (cell % self.width, cell / self.width))
    }

    /// The middle of a cell of floor, counted row by row.
    pub fn center(&self, index: usize) -> Option<Place> {
        let (x, y) = self.floor().nth(index)?;
        Some([x as f64 + 0.5, y as f64 + 0.5])
    }

    /// Whether a place lies in a wall or outside.
    pub fn is_wall(&self, [x, y]: Place) -> bool {
        if x < 0.0 || y < 0.0 {
            return true;
        }
        let (column, row) = (x as usize, y as usize);
        column >= self.width || self.walls.get(row * self.width + column).is_none_or(|&w| w)
    }

    /// Whether the point can be at a place: no wall is nearer than its radius along either axis.
    pub fn is_free(&self, [x, y]: Place) -> bool {
        let corners = [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]];
        corners
            .iter()
            .all(|[right, down]| !self.is_wall([x + right * RADIUS, y + down * RADIUS]))
    }

    /// A place where the point can be, uniform over the floor; `None` if there is no floor.
    pub fn random_place(&self, rng: &mut impl Rng) -> Option<Place> {
        let cells = self.floor().collect::<Vec<_>>();
        if cells.is_empty() {
            return None;
        }
        loop {
            let (x, y) = cells[index(rng, cells.len())];
            let place = [x, y].map(|cell| cell as f64 + between(rng, 0.0, 1.0));
            if self.is_free(place) {
                return Some(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn the_maps_of_the_house_are_well_formed_and_connected() {
        for map in [Map::medium(), Map::large()] {
            let rows = map.walls.chunks(map.width);
            let rows = rows.map(|row| row.iter().map(|&w| if w { '#' } else { '.' }));
            let text = rows.map(Iterator::collect::<String>).collect::<Vec<_>>();
            assert_eq!(Map::parse(&text.join("\n")), Ok(map.clone()));
            let distances = super::super::Distances::from(&map, map.center(0).unwrap());
            for index in 0..map.floor().count() {
                let center = map.center(index).unwrap();
                assert!(distances.ticks(center).is_some(), "{center:?}");
            }
        }
    }

    #[test]
    fn texts_that_are_no_map() {
        let error = |text| Map::parse(text).unwrap_err();
        assert_eq!(error("###\n#x#\n###"), MapError::Sign { row: 1, sign: 'x' });
        let length = MapError::Length {
            row: 1,
            expected: 3,
            found: 2,
        };
        assert_eq!(error("###\n##\n###"), length);
        assert_eq!(error("###\n#..\n###"), MapError::Open);
        assert_eq!(error("###\n###\n###"), MapError::Open);
        assert_eq!(error(""), MapError::Open);
    }

    #[test]
    fn walls_keep_their_distance() {
        let map = Map::parse("####\n#..#\n####").unwrap();
        assert!(map.is_free([1.5, 1.5]) && map.is_free([2.0, 1.5]));
        assert!(!map.is_free([1.0 + RADIUS / 2.0, 1.5]));
        assert!(map.is_wall([-1.0, 1.0]) && map.is_wall([9.0, 1.5]) && map.is_wall([1.5, 9.0]));
    }
}
