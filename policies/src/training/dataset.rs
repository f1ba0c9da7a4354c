//! Demonstrations to learn from.

use std::fs;
use std::path::Path;

use super::episode::Episode;
use super::trajectory::Trajectory;
use crate::error::CheckpointError;
use crate::mdt::{MdtConfig, Statistics};

/// Ending of demonstration files.
const EXTENSION: &str = "safetensors";

/// Demonstrations. A folder of them holds one file per demonstration.
#[derive(Clone, Debug, Default)]
pub struct DemoDataset {
    episodes: Vec<Episode>,
    /// Number of steps before each demonstration, and the total at the end.
    starts: Vec<usize>,
}

/// One moment of a demonstration.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The demonstration.
    pub episode: &'a Episode,
    /// The step in it.
    pub step: usize,
}

impl DemoDataset {
    /// From demonstrations in memory.
    pub fn new(trajectories: Vec<Trajectory>) -> Self {
        Self::of(trajectories.into_iter().map(Episode::from).collect())
    }

    fn of(episodes: Vec<Episode>) -> Self {
        let mut starts = vec![0];
        let mut total = 0;
        for episode in &episodes {
            total += episode.steps();
            starts.push(total);
        }
        Self { episodes, starts }
    }

    /// Opens every demonstration of a folder, in the order of the file names. Pictures stay on disk.
    ///
    /// # Errors
    /// If the folder cannot be read, holds no demonstration, or one is damaged.
    pub fn load(folder: &Path) -> Result<Self, CheckpointError> {
        let io = |source| CheckpointError::Io {
            path: folder.to_owned(),
            source,
        };
        let mut paths = fs::read_dir(folder)
            .map_err(io)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(io)?;
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == EXTENSION)
        });
        paths.sort();
        if paths.is_empty() {
            return Err(CheckpointError::Format {
                path: folder.to_owned(),
                reason: format!("no demonstration (*.{EXTENSION}) in this folder"),
            });
        }
        let episodes = paths
            .iter()
            .map(|path| Episode::open(path))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of(episodes))
    }

    /// Writes demonstration `index` into a folder, which is created if needed.
    ///
    /// # Errors
    /// If the demonstration is inconsistent or cannot be written.
    pub fn store(
        folder: &Path,
        index: usize,
        trajectory: &Trajectory,
    ) -> Result<(), CheckpointError> {
        fs::create_dir_all(folder).map_err(|source| CheckpointError::Io {
            path: folder.to_owned(),
            source,
        })?;
        trajectory.save(&folder.join(format!("demonstration-{index:06}.{EXTENSION}")))
    }

    /// The demonstrations.
    pub fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    /// Steps of all demonstrations.
    pub fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moment `index` of all.
    pub fn moment(&self, index: usize) -> Option<Moment<'_>> {
        let at = self
            .starts
            .partition_point(|&start| start <= index)
            .checked_sub(1)?;
        Some(Moment {
            episode: self.episodes.get(at)?,
            step: index - self.starts[at],
        })
    }

    /// The moments of some demonstrations, by their numbers.
    pub fn moments_of(&self, episodes: &[usize]) -> Vec<usize> {
        let ranges = episodes.iter().filter_map(|&episode| {
            Some(*self.starts.get(episode)?..*self.starts.get(episode + 1)?)
        });
        ranges.flatten().collect()
    }

    /// Statistics that a network of this width needs.
    pub fn statistics(&self, proprioception: usize) -> Statistics {
        if proprioception == 0 {
            return Statistics::identity(0);
        }
        let episodes = self.episodes.iter();
        let numbers = episodes.flat_map(|episode| episode.proprioception.iter().copied());
        Statistics::of(numbers, proprioception)
    }

    /// Why a network of this configuration cannot learn from the demonstrations, if so.
    pub fn problem(&self, config: &MdtConfig) -> Option<String> {
        if self.is_empty() {
            return Some("there are no demonstrations".into());
        }
        let complaint = |(index, episode): (usize, &Episode)| {
            problem(episode, config).map(|problem| format!("demonstration {index}: {problem}"))
        };
        self.episodes.iter().enumerate().find_map(complaint)
    }
}

fn problem(episode: &Episode, config: &MdtConfig) -> Option<String> {
    let d = &config.denoiser;
    if episode.action_dim != d.action_dim {
        return Some(format!(
            "{} numbers per action, the network has {}",
            episode.action_dim, d.action_dim
        ));
    }
    let states = episode.steps() * d.proprioception;
    if d.proprioception > 0 && episode.proprioception.len() != states {
        return Some(format!(
            "proprioception does not have the {} numbers of the network",
            d.proprioception
        ));
    }
    config.cameras().iter().find_map(|camera| {
        match episode.tracks.get(&camera.name).map(|track| track.size) {
            Some(size) if size == camera.size => None,
            Some(size) => Some(format!(
                "camera {} has {size} pixels, the network wants {}",
                camera.name, camera.size
            )),
            None => Some(format!("camera {} is missing", camera.name)),
        }
    })
}

impl Moment<'_> {
    /// The picture of a camera, `ahead` steps later but not beyond the end, into `out`.
    ///
    /// # Errors
    /// If it is not there or cannot be read.
    pub fn image(
        &self,
        camera: &str,
        ahead: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CheckpointError> {
        let track = self.episode.tracks.get(camera);
        let step = (self.step + ahead).min(self.episode.steps().saturating_sub(1));
        let read = match track {
            Some(track) => track.read(step, out),
            None => Err(std::io::ErrorKind::NotFound.into()),
        };
        read.map_err(|source| CheckpointError::Io {
            path: track
                .map_or(Path::new(camera), |track| track.origin())
                .to_owned(),
            source,
        })
    }

    /// Proprioception, `width` numbers.
    pub fn proprioception(&self, width: usize) -> Option<&[f32]> {
        self.episode
            .proprioception
            .get(self.step * width..(self.step + 1) * width)
    }

    /// Appends `count` actions from here on. After the end the tool rests and the gripper, the last
    /// number, keeps its last state.
    pub fn actions(&self, count: usize, out: &mut Vec<f32>) {
        let width = self.episode.action_dim;
        let steps = self.episode.steps();
        let gripper = self.episode.actions.last().copied().unwrap_or_default();
        for step in self.step..self.step + count {
            if step < steps {
                out.extend_from_slice(&self.episode.actions[step * width..(step + 1) * width]);
            } else {
                out.extend(std::iter::repeat_n(0.0, width.saturating_sub(1)));
                out.push(gripper);
            }
        }
    }
}
