//! The maze as the networks see it.

use cerebellum_policies::hilp::ObservationShape;
use cerebellum_policies::hilp::play::{EpisodeRows, PlayData};
use cerebellum_sim::maze::{Map, Place, Play, PlayConfig};

/// Episodes of play.
const PLAYS: u64 = 1000;

/// A place as the networks see it: −1 … 1 over the map.
pub fn seen(map: &Map, [x, y]: Place) -> [f32; 2] {
    let scaled = |value: f64, size: usize| (2.0 * value / size as f64 - 1.0) as f32;
    [scaled(x, map.width()), scaled(y, map.height())]
}

/// Play without a task.
///
/// # Errors
/// If the map has no floor.
pub fn play(map: &Map, seed: u64) -> Result<PlayData, String> {
    let mut data = PlayData::new(ObservationShape::State { width: 2 }, 2);
    for play in 0..PLAYS {
        let play = Play::record(map, &PlayConfig::default(), seed * PLAYS + play);
        let places = play.places.iter().flat_map(|&place| seen(map, place));
        let places = places.collect::<Vec<_>>();
        data.push(EpisodeRows::States(&places), play.actions.as_flattened())?;
    }
    Ok(data)
}
