//! From recorded play to rows of observations and actions.

use crate::hilp::ObservationShape;
use crate::hilp::config::InputConfig;
use crate::hilp::play::{EpisodeRows, PlayData};
use crate::mdt::Statistics;
use crate::training::DemoDataset;
use crate::training::TrainError;
use crate::training::episode::Episode;

/// What a HILP reads of recorded episodes, and the statistics by which it is normalised. The last
/// action of an episode, after which nothing was recorded, is left out.
///
/// # Errors
/// If an episode lacks an input, or a picture cannot be read.
pub fn play_data(
    episodes: &DemoDataset,
    inputs: &InputConfig,
) -> Result<(PlayData, Statistics), TrainError> {
    let action_dim = episodes.episodes().first().map_or(0, |e| e.action_dim);
    let shape = inputs.shape();
    let vectors = || {
        let all = episodes.episodes().iter();
        all.flat_map(|episode| episode.proprioception.iter().copied())
    };
    let statistics = match inputs {
        InputConfig::Proprioception | InputConfig::Tracked => {
            Statistics::of(vectors(), shape.len())
        }
        InputConfig::Cameras { .. } => Statistics::default(),
    };
    let mut data = PlayData::new(shape, action_dim);
    for (index, episode) in episodes.episodes().iter().enumerate() {
        let steps = episode.steps();
        if steps < 2 {
            continue;
        }
        let refuse = |reason: String| TrainError::Settings(format!("episode {index}: {reason}"));
        let actions = &episode.actions[..(steps - 1) * action_dim];
        match inputs {
            InputConfig::Proprioception | InputConfig::Tracked => {
                if episode.proprioception.len() != steps * shape.len() {
                    return Err(refuse(format!(
                        "expected {} numbers of proprioception per step",
                        shape.len()
                    )));
                }
                let mut states = Vec::with_capacity(episode.proprioception.len());
                for state in episode.proprioception.chunks_exact(shape.len()) {
                    statistics.normalise(state, &mut states);
                }
                data.push(EpisodeRows::States(&states), actions)
            }
            InputConfig::Cameras { names, .. } => {
                let pictures = pictures(episode, names, shape).map_err(refuse)?;
                data.push(EpisodeRows::Images(&pictures), actions)
            }
        }
        .map_err(refuse)?;
    }
    Ok((data, statistics))
}

/// The pictures of all cameras, their channels one after the other at every pixel.
fn pictures(
    episode: &Episode,
    names: &[String],
    shape: ObservationShape,
) -> Result<Vec<u8>, String> {
    let area = shape.len() / (3 * names.len().max(1));
    let mut pictures = vec![0; episode.steps() * shape.len()];
    let mut bytes = Vec::new();
    for (camera, name) in names.iter().enumerate() {
        let track = episode.tracks.get(name);
        let track = track.ok_or_else(|| format!("it has no pictures of camera `{name}`"))?;
        if track.size * track.size != area {
            return Err(format!("its pictures of camera `{name}` have another size"));
        }
        for (step, picture) in pictures.chunks_exact_mut(shape.len()).enumerate() {
            track
                .read(step, &mut bytes)
                .map_err(|error| format!("{}: {error}", track.origin().display()))?;
            let pixels = picture.chunks_exact_mut(3 * names.len());
            for (pixel, seen) in pixels.zip(bytes.chunks_exact(3)) {
                pixel[3 * camera..3 * camera + 3].copy_from_slice(seen);
            }
        }
    }
    Ok(pictures)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use burn::tensor::Device;

    use super::*;
    use crate::hilp::Observations;
    use crate::training::Trajectory;
    use crate::training::trajectory::CameraTrack;

    fn recorded() -> DemoDataset {
        let track = |name: &str, first: u8| CameraTrack {
            name: name.into(),
            size: 1,
            frames: (first..first + 9).collect(),
        };
        DemoDataset::new(vec![Trajectory {
            task: "push".into(),
            instruction: String::new(),
            cameras: vec![track("front", 0), track("wrist", 100)],
            proprioception: (0..3 * 17u8).map(f32::from).collect(),
            actions: vec![0.5; 3 * 7],
            action_dim: 7,
        }])
    }

    #[test]
    fn the_last_action_is_left_out_and_views_share_pixels() {
        let (data, statistics) = play_data(&recorded(), &InputConfig::Proprioception).unwrap();
        assert_eq!((data.len(), data.action_dim()), (2, 7));
        assert_eq!(statistics.proprioception_mean[0], 17.0);
        let inputs = InputConfig::Cameras {
            names: vec!["front".into(), "wrist".into()],
            size: 1,
        };
        let (data, _) = play_data(&recorded(), &inputs).unwrap();
        let Observations::Images(images) = data.observations(&[1], &Device::flex()) else {
            panic!("states");
        };
        let pixel = crate::golden::vec(images);
        assert_eq!(pixel, [3.0, 4.0, 5.0, 103.0, 104.0, 105.0]);
        let other = InputConfig::Cameras {
            names: vec!["side".into()],
            size: 1,
        };
        assert!(play_data(&recorded(), &other).is_err());
    }
}
