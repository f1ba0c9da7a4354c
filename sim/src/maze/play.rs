//! Play without a task: pushing in a direction for a while, then in another.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Map, Maze, Place};
use crate::random::{between, index};

/// How the point is pushed about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlayConfig {
    /// Ticks of an episode.
    pub ticks: usize,
    /// Greatest number of ticks in one direction.
    pub longest_push: usize,
    /// Greatest change of the action at every tick.
    pub tremor: f32,
}

impl Default for PlayConfig {
    fn default() -> Self {
        Self {
            ticks: 200,
            longest_push: 12,
            tremor: 0.3,
        }
    }
}

/// One episode.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Play {
    /// Places, one more than there are actions.
    pub places: Vec<Place>,
    /// Actions, −1 … 1.
    pub actions: Vec<[f32; 2]>,
}

impl Play {
    /// Plays from a random place. Empty if the map has no floor.
    pub fn record(map: &Map, config: &PlayConfig, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let Some(start) = map.random_place(&mut rng) else {
            return Self::default();
        };
        let mut maze = Maze::new(map.clone(), start);
        let mut play = Self {
            places: vec![maze.place()],
            actions: Vec::with_capacity(config.ticks),
        };
        let (mut push, mut left) = ([0.0; 2], 0);
        for _ in 0..config.ticks {
            if left == 0 {
                push = [uniform(&mut rng), uniform(&mut rng)];
                left = 1 + index(&mut rng, config.longest_push);
            }
            left -= 1;
            let action = push.map(|push| {
                let tremor = config.tremor * uniform(&mut rng);
                (push + tremor).clamp(-1.0, 1.0)
            });
            play.actions.push(action);
            play.places.push(maze.step(action));
        }
        play
    }
}

fn uniform(rng: &mut impl Rng) -> f32 {
    between(rng, -1.0, 1.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_play_alike_and_play_gets_about() {
        let map = Map::medium();
        let config = PlayConfig::default();
        let play = Play::record(&map, &config, 3);
        assert_eq!(play, Play::record(&map, &config, 3));
        assert_ne!(play, Play::record(&map, &config, 4));
        assert_eq!((play.places.len(), play.actions.len()), (201, 200));
        assert!(play.places.iter().all(|&place| map.is_free(place)));
        let seen = (0..50).flat_map(|seed| Play::record(&map, &config, seed).places);
        let cells = seen.map(|[x, y]| (x as usize, y as usize));
        let cells = cells.collect::<std::collections::BTreeSet<_>>();
        assert_eq!(cells.len(), map.floor().count());
    }
}
