//! Demonstrations to learn from.

use std::fs;
use std::path::Path;

use super::trajectory::Trajectory;
use crate::error::CheckpointError;
use crate::mdt::{MdtConfig, Statistics};

/// Ending of demonstration files.
const EXTENSION: &str = "safetensors";

/// Demonstrations in memory. A folder of them holds one file per demonstration.
#[derive(Clone, Debug, Default)]
pub struct DemoDataset {
    trajectories: Vec<Trajectory>,
    /// Number of steps before each trajectory, and the total at the end.
    starts: Vec<usize>,
}

/// One moment of a demonstration.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The demonstration.
    pub trajectory: &'a Trajectory,
    /// The step in it.
    pub step: usize,
}

impl DemoDataset {
    /// From demonstrations in memory.
    pub fn new(trajectories: Vec<Trajectory>) -> Self {
        let mut starts = vec![0];
        let mut total = 0;
        for trajectory in &trajectories {
            total += trajectory.steps();
            starts.push(total);
        }
        Self {
            trajectories,
            starts,
        }
    }

    /// Reads every demonstration of a folder, in the order of the file names.
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
        let trajectories = paths
            .iter()
            .map(|path| Trajectory::load(path))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self::new(trajectories))
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
    pub fn trajectories(&self) -> &[Trajectory] {
        &self.trajectories
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
            trajectory: self.trajectories.get(at)?,
            step: index - self.starts[at],
        })
    }

    /// Statistics that a network of this width needs.
    pub fn statistics(&self, proprioception: usize) -> Statistics {
        if proprioception == 0 {
            return Statistics::identity(0);
        }
        let numbers = self
            .trajectories
            .iter()
            .flat_map(|t| t.proprioception.iter().copied());
        Statistics::of(numbers, proprioception)
    }

    /// Why a network of this configuration cannot learn from the demonstrations, if so.
    pub fn problem(&self, config: &MdtConfig) -> Option<String> {
        if self.is_empty() {
            return Some("there are no demonstrations".into());
        }
        self.trajectories.iter().enumerate().find_map(|(index, t)| {
            let d = &config.denoiser;
            let complain = |what: String| Some(format!("demonstration {index}: {what}"));
            if let Some(problem) = t.problem() {
                return complain(problem);
            }
            if t.action_dim != d.action_dim {
                return complain(format!(
                    "{} numbers per action, the network has {}",
                    t.action_dim, d.action_dim
                ));
            }
            if d.proprioception > 0 && t.proprioception.len() != t.steps() * d.proprioception {
                return complain(format!(
                    "proprioception does not have the {} numbers of the network",
                    d.proprioception
                ));
            }
            config.cameras().iter().find_map(|camera| {
                let track = t.cameras.iter().find(|track| track.name == camera.name);
                match track {
                    Some(track) if track.size == camera.size => None,
                    Some(track) => complain(format!(
                        "camera {} has {} pixels, the network wants {}",
                        camera.name, track.size, camera.size
                    )),
                    None => complain(format!("camera {} is missing", camera.name)),
                }
            })
        })
    }
}

impl Moment<'_> {
    /// The image of a camera, `ahead` steps later but not beyond the end.
    pub fn image(&self, camera: &str, ahead: usize) -> Option<&[u8]> {
        let track = self
            .trajectory
            .cameras
            .iter()
            .find(|track| track.name == camera)?;
        let step = (self.step + ahead).min(self.trajectory.steps().saturating_sub(1));
        let area = track.size * track.size * 3;
        track.frames.get(step * area..(step + 1) * area)
    }

    /// Proprioception, `width` numbers.
    pub fn proprioception(&self, width: usize) -> Option<&[f32]> {
        self.trajectory
            .proprioception
            .get(self.step * width..(self.step + 1) * width)
    }

    /// Appends `count` actions from here on. After the end the tool rests and the gripper, the last
    /// number, keeps its last state.
    pub fn actions(&self, count: usize, out: &mut Vec<f32>) {
        let width = self.trajectory.action_dim;
        let steps = self.trajectory.steps();
        let gripper = self.trajectory.actions.last().copied().unwrap_or_default();
        for step in self.step..self.step + count {
            if step < steps {
                out.extend_from_slice(&self.trajectory.actions[step * width..(step + 1) * width]);
            } else {
                out.extend(std::iter::repeat_n(0.0, width.saturating_sub(1)));
                out.push(gripper);
            }
        }
    }
}
