//! A world of walls: a point that is pushed about in a maze, for navigation from play.
//!
//! Everything is arithmetic on a seed, so that equal seeds give equal data, bit for bit. The point
//! moves up to [`MAX_STEP`] along each axis per tick, so the least number of ticks between two
//! places is a shortest path in the larger of both axes' distances, which [`Distances`] finds on a
//! fine grid.
//!
//! ```
//! use cerebellum_sim::maze::{Distances, Map, Maze};
//!
//! let map = Map::medium();
//! let mut maze = Maze::new(map.clone(), map.center(0).unwrap());
//! let there = maze.step([1.0, 0.0]);
//! let distances = Distances::from(&map, there);
//! assert_eq!(distances.ticks(there), Some(0.0));
//! ```

mod distance;
mod map;
mod play;
mod world;

pub use distance::Distances;
pub use map::{Map, MapError};
pub use play::{Play, PlayConfig};
pub use world::{MAX_STEP, Maze, RADIUS};

/// A place: right and down from the map's corner, in cells.
pub type Place = [f64; 2];
