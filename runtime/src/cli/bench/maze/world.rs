//! The maze as the networks see it.

use cerebellum_policies::hilp::ObservationShape;
use cerebellum_policies::hilp::play::{EpisodeRows, PlayData};
use cerebellum_sim::maze::{Map, Place, Play, PlayConfig};

/// Episodes of play.
const PLAYS: u64 = 1000;

/// Wave lengths of the sines and cosines (cells).
const WAVES: [f64; 4] = [8.0, 4.0, 2.0, 1.0];
/// Numbers of [`seen`].
pub const SEEN: usize = 2 + 4 * WAVES.len();

/// A place as the networks see it: cells from the map's middle, and sines and cosines of either axis
/// (Tancik et al., arXiv 2006.10739).
///
/// Rooms that touch in the corner of two walls are a fraction of a cell from each other but twenty
/// ticks apart. A network of the two coordinates alone is too smooth to tell them apart, and φ then
/// has no way out of such a corner that leads nearer to what is behind it.
pub fn seen(map: &Map, place: Place) -> [f32; SEEN] {
    let mut seen = [0.0; SEEN];
    let size = [map.width(), map.height()];
    for (axis, (value, size)) in place.into_iter().zip(size).enumerate() {
        seen[axis] = (value - size as f64 / 2.0) as f32;
        for (index, wave) in WAVES.into_iter().enumerate() {
            let phase = std::f64::consts::TAU * value / wave;
            let first = 2 + 4 * index + axis;
            seen[first] = phase.sin() as f32;
            seen[first + 2] = phase.cos() as f32;
        }
    }
    seen
}

/// Play without a task.
///
/// # Errors
/// If the map has no floor.
pub fn play(map: &Map, seed: u64) -> Result<PlayData, String> {
    let mut data = PlayData::new(ObservationShape::State { width: SEEN }, 2);
    for play in 0..PLAYS {
        let play = Play::record(map, &PlayConfig::default(), seed * PLAYS + play);
        let places = play.places.iter().flat_map(|&place| seen(map, place));
        let places = places.collect::<Vec<_>>();
        data.push(EpisodeRows::States(&places), play.actions.as_flattened())?;
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_seen_from_the_middle_and_in_waves() {
        let map = Map::medium();
        let seen = seen(&map, [5.0, 2.5]);
        assert_eq!(seen[..2], [1.0, -1.5]);
        // Waves of 8 cells: sines of both axes, then cosines; then waves of 4.
        let want = [-0.707, 0.924, -0.707, -0.383, 1.0, -0.707, 0.0, -0.707];
        for (found, want) in seen[2..10].iter().zip(want) {
            assert!((found - want).abs() < 1e-3, "{seen:?}");
        }
    }
}
