//! The point and how it moves.

use super::{Map, Place};

/// Way along each axis per tick at action 1, in cells.
pub const MAX_STEP: f64 = 0.2;
/// Half the side of the square that the point takes up, in cells.
pub const RADIUS: f64 = 0.1;
/// Halvings in the search for the last free place before a wall.
const HALVINGS: u32 = 20;

/// A point in a maze.
#[derive(Clone, Debug, PartialEq)]
pub struct Maze {
    map: Map,
    place: Place,
}

impl Maze {
    /// A point at a place, or in the middle of the first cell of floor if there is a wall.
    pub fn new(map: Map, place: Place) -> Self {
        let place = if map.is_free(place) {
            place
        } else {
            map.center(0).unwrap_or(place)
        };
        Self { map, place }
    }

    /// The map.
    pub const fn map(&self) -> &Map {
        &self.map
    }

    /// Where the point is.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// One tick: the action, cut to −1 … 1, times [`MAX_STEP`], along one axis and then the other,
    /// each up to the wall. An action that is no number moves nothing.
    pub fn step(&mut self, action: [f32; 2]) -> Place {
        for (axis, share) in action.into_iter().enumerate() {
            let push = f64::from(share).clamp(-1.0, 1.0) * MAX_STEP;
            if push.is_finite() {
                self.place = self.moved(axis, push);
            }
        }
        self.place
    }

    fn moved(&self, axis: usize, push: f64) -> Place {
        let at = |share: f64| {
            let mut place = self.place;
            place[axis] += push * share;
            place
        };
        if self.map.is_free(at(1.0)) {
            return at(1.0);
        }
        let (mut free, mut blocked) = (0.0, 1.0);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (free + blocked);
            if self.map.is_free(at(middle)) {
                free = middle;
            } else {
                blocked = middle;
            }
        }
        at(free)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn the_point_slides_along_walls_and_never_enters_them() {
        let map = Map::parse("#####\n#...#\n#####").unwrap();
        let mut maze = Maze::new(map, [1.5, 1.5]);
        let free = maze.step([1.0, 0.0]);
        assert!((free[0] - 1.7).abs() < 1e-12 && free[1] == 1.5);
        for _ in 0..30 {
            maze.step([1.0, 1.0]);
        }
        let [x, y] = maze.place();
        assert!((x - (4.0 - RADIUS)).abs() < 1e-4 && (y - (2.0 - RADIUS)).abs() < 1e-4);
        assert!(maze.map().is_free(maze.place()));
        let before = maze.place();
        assert_eq!(maze.step([f32::NAN, f32::NAN]), before);
    }

    #[test]
    fn a_place_in_a_wall_is_not_taken() {
        let map = Map::medium();
        let maze = Maze::new(map.clone(), [0.5, 0.5]);
        assert_eq!(Some(maze.place()), map.center(0));
    }
}
