//! What the networks are worth: ranks of distances, and goals reached.

use cerebellum_policies::hilp::pilot::StatePilot;
use cerebellum_policies::hilp::planning::Midpoints;
use cerebellum_policies::hilp::play::PlayData;
use cerebellum_sim::maze::{Distances, Map, Maze, Place};
use indicatif::ProgressBar;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::world::seen;
use crate::report::TaskTally;

/// Episodes per way of prompting.
const EPISODES: usize = 200;
/// Ticks that an episode may take: more than twice the longest way of either map.
const TICKS: u64 = 250;
/// Cells from the goal that count as there.
const THERE: f64 = 0.3;
/// States of the play that may become midpoints.
const CANDIDATES: usize = 20_000;
/// Candidates whose mean is a midpoint, and how often the goal is replaced: the authors' numbers.
const NEAREST: usize = 50;
const RECURSIONS: usize = 3;
/// Goals, and places around each, whose distances are ranked.
const RANKED: [usize; 2] = [40, 50];

/// What is measured.
pub struct Score {
    /// Spearman's rank correlation of distances of φ and shortest paths.
    pub correlation: f64,
    /// Goals reached when prompted with the goal.
    pub straight: TaskTally,
    /// Goals reached over midpoints.
    pub midpoints: TaskTally,
}

/// Measures on places that are drawn anew, none of which is part of the play.
///
/// # Errors
/// If the map has no floor.
pub fn score(
    map: &Map,
    data: &PlayData,
    pilot: &StatePilot,
    seed: u64,
    bar: &ProgressBar,
) -> Result<Score, String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xE7A1);
    let correlation = correlation(map, pilot, &mut rng)?;
    let candidates = pilot.phi(&data.sample_rows(CANDIDATES, &mut rng));
    let width = candidates.len() / CANDIDATES;
    let midpoints = Midpoints::new(candidates, width, NEAREST, RECURSIONS);
    let starts = places(map, EPISODES, &mut rng)?;
    let goals = places(map, EPISODES, &mut rng)?;
    bar.set_length(2 * TICKS);
    let reach = |midpoints| reach(map, pilot, &starts, &goals, midpoints, bar);
    Ok(Score {
        correlation,
        straight: reach(None),
        midpoints: reach(Some(&midpoints)),
    })
}

fn places(map: &Map, count: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Place>, String> {
    let places = (0..count).map(|_| map.random_place(rng));
    let places = places.collect::<Option<_>>();
    places.ok_or_else(|| "the map has no floor".into())
}

fn rows<'a>(map: &Map, places: impl Iterator<Item = &'a Place>) -> Vec<f32> {
    places.flat_map(|&place| seen(map, place)).collect()
}

fn correlation(map: &Map, pilot: &StatePilot, rng: &mut ChaCha8Rng) -> Result<f64, String> {
    let [goals, around] = RANKED;
    let (mut of_phi, mut of_map) = (Vec::new(), Vec::new());
    for _ in 0..goals {
        let places = places(map, around + 1, rng)?;
        let phi = pilot.phi(&rows(map, places.iter()));
        let distances = Distances::from(map, places[0]);
        let (goal, others) = phi.split_at(phi.len() / places.len());
        for (place, other) in places[1..].iter().zip(others.chunks_exact(goal.len())) {
            let squares = goal.iter().zip(other).map(|(a, b)| (a - b) * (a - b));
            if let Some(ticks) = distances.ticks(*place) {
                of_phi.push(f64::from(squares.sum::<f32>()));
                of_map.push(ticks);
            }
        }
    }
    Ok(spearman(&of_phi, &of_map))
}

/// Spearman's rank correlation.
fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let middle = (a.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>()
    };
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

/// Ranks from 0; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order = (0..values.len()).collect::<Vec<_>>();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for same in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let below = values.iter().filter(|&&value| value < values[same[0]]);
        let rank = below.count() as f64 + (same.len() as f64 - 1.0) / 2.0;
        for &index in same {
            ranks[index] = rank;
        }
    }
    ranks
}

/// Goals that are reached, all episodes side by side.
fn reach(
    map: &Map,
    pilot: &StatePilot,
    starts: &[Place],
    goals: &[Place],
    midpoints: Option<&Midpoints>,
    bar: &ProgressBar,
) -> TaskTally {
    let phi = pilot.phi(&rows(map, goals.iter()));
    let width = phi.len() / goals.len().max(1);
    let mut open = Vec::new();
    for ((start, goal), phi) in starts.iter().zip(goals).zip(phi.chunks_exact(width)) {
        open.push((Maze::new(map.clone(), *start), goal, phi));
    }
    for _ in 0..TICKS {
        bar.inc(1);
        open.retain(|(maze, goal, _)| {
            let [x, y] = maze.place();
            (x - goal[0]).hypot(y - goal[1]) >= THERE
        });
        let here = open.iter().flat_map(|(maze, ..)| seen(map, maze.place()));
        let here = here.collect::<Vec<_>>();
        let goals = open.iter().flat_map(|(.., phi)| *phi).copied();
        let goals = goals.collect::<Vec<_>>();
        let actions = pilot.act(&here, &goals, midpoints);
        for ((maze, ..), action) in open.iter_mut().zip(actions.as_chunks::<2>().0) {
            maze.step(*action);
        }
    }
    let episodes = starts.len() as u64;
    TaskTally {
        episodes,
        successes: episodes - open.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_correlation_by_hand() {
        let rising = [1.0, 2.0, 3.0, 4.0];
        assert!((spearman(&rising, &[10.0, 20.0, 30.0, 99.0]) - 1.0).abs() < 1e-12);
        assert!((spearman(&rising, &[4.0, 3.0, 2.0, 1.0]) + 1.0).abs() < 1e-12);
        // One exchange of neighbours: 1 - 6 * 2 / (4 * 15).
        assert!((spearman(&rising, &[1.0, 3.0, 2.0, 4.0]) - 0.8).abs() < 1e-12);
        assert_eq!(ranks(&[5.0, 1.0, 5.0]), [1.5, 0.0, 1.5]);
    }
}
