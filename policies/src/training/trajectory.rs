//! One demonstration, in memory and as a file.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::checkpoint::file::write_atomically;
use crate::error::CheckpointError;

/// Images of one camera over a demonstration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraTrack {
    /// Name of the camera.
    pub name: String,
    /// Side of the square images [pixels].
    pub size: usize,
    /// `steps * size * size * 3` bytes, `rgb8`.
    pub frames: Vec<u8>,
}

/// One demonstration: what was asked, seen and done at every control tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Name of the task.
    pub task: String,
    /// The instruction.
    pub instruction: String,
    /// One track per camera.
    pub cameras: Vec<CameraTrack>,
    /// Proprioception vectors (see [`crate::mdt::inputs::proprioception`]), one per step, row-major;
    /// not normalised.
    pub proprioception: Vec<f32>,
    /// Actions in the policy's action space, one per step, row-major.
    pub actions: Vec<f32>,
    /// Numbers per action.
    pub action_dim: usize,
}

#[derive(Serialize, Deserialize)]
struct About {
    task: String,
    instruction: String,
}

const ABOUT: &str = "about";
const FRAMES: &str = "frames/";

impl Trajectory {
    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.actions.len().checked_div(self.action_dim).unwrap_or(0)
    }

    /// What does not fit together, if anything.
    pub fn problem(&self) -> Option<String> {
        let steps = self.steps();
        if steps == 0 || self.actions.len() != steps * self.action_dim {
            return Some("actions are empty or not whole".into());
        }
        if !self.proprioception.len().is_multiple_of(steps) {
            return Some("proprioception does not have one vector per action".into());
        }
        let numbers = self.actions.iter().chain(&self.proprioception);
        if numbers.into_iter().any(|value| !value.is_finite()) {
            return Some("a number is not finite".into());
        }
        self.cameras
            .iter()
            .find(|track| track.frames.len() != steps * track.size * track.size * 3)
            .map(|track| format!("camera {} does not have one image per action", track.name))
    }

    /// Writes the demonstration as a safetensors file (temporary name, then renamed).
    ///
    /// # Errors
    /// If it is inconsistent or the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        let refuse = |reason: String| CheckpointError::Format {
            path: path.to_owned(),
            reason,
        };
        if let Some(problem) = self.problem() {
            return Err(refuse(problem));
        }
        let steps = self.steps();
        let mut views = Vec::new();
        for track in &self.cameras {
            let shape = vec![steps, track.size, track.size, 3];
            let view = TensorView::new(Dtype::U8, shape, &track.frames);
            views.push((format!("{FRAMES}{}", track.name), view));
        }
        let actions = bytes(&self.actions);
        let states = bytes(&self.proprioception);
        views.push((
            "actions".to_owned(),
            TensorView::new(Dtype::F32, vec![steps, self.action_dim], &actions),
        ));
        views.push((
            "proprioception".to_owned(),
            TensorView::new(
                Dtype::F32,
                vec![steps, self.proprioception.len() / steps],
                &states,
            ),
        ));
        let views = views
            .into_iter()
            .map(|(key, view)| view.map(|view| (key, view)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| refuse(error.to_string()))?;
        let about = serde_json::to_string(&About {
            task: self.task.clone(),
            instruction: self.instruction.clone(),
        })
        .map_err(|error| refuse(error.to_string()))?;
        let metadata = HashMap::from([(ABOUT.to_owned(), about)]);
        let file = safetensors::serialize(views, Some(metadata))
            .map_err(|error| refuse(error.to_string()))?;
        write_atomically(path, &file)
    }

    /// Reads a demonstration.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged or inconsistent.
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let file = fs::read(path).map_err(|source| CheckpointError::Io {
            path: path.to_owned(),
            source,
        })?;
        let refuse = |reason: String| CheckpointError::Format {
            path: path.to_owned(),
            reason,
        };
        let damaged = |error| refuse(format!("not a demonstration: {error}"));
        let (_, metadata) = SafeTensors::read_metadata(&file).map_err(damaged)?;
        let about = metadata
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get(ABOUT))
            .ok_or_else(|| {
                refuse("not a demonstration: task and instruction are missing".into())
            })?;
        let about: About = serde_json::from_str(about)
            .map_err(|error| refuse(format!("task and instruction: {error}")))?;
        let tensors = SafeTensors::deserialize(&file).map_err(damaged)?;
        let matrix = |name: &str| -> Result<(Vec<f32>, usize), CheckpointError> {
            let view = tensors.tensor(name).map_err(damaged)?;
            match (view.dtype(), view.shape()) {
                (Dtype::F32, &[_, width]) => Ok((floats(view.data()), width)),
                _ => Err(refuse(format!("`{name}` is not a matrix of f32"))),
            }
        };
        let (actions, action_dim) = matrix("actions")?;
        let (proprioception, _) = matrix("proprioception")?;
        let mut cameras = Vec::new();
        for (key, view) in tensors.iter() {
            let Some(name) = key.strip_prefix(FRAMES) else {
                continue;
            };
            let &[_, rows, columns, 3] = view.shape() else {
                return Err(refuse(format!("`{key}` is not a stack of rgb images")));
            };
            if view.dtype() != Dtype::U8 || rows != columns {
                return Err(refuse(format!(
                    "`{key}` is not a stack of square rgb8 images"
                )));
            }
            cameras.push(CameraTrack {
                name: name.to_owned(),
                size: rows,
                frames: view.data().to_vec(),
            });
        }
        cameras.sort_by(|a, b| a.name.cmp(&b.name));
        let trajectory = Self {
            task: about.task,
            instruction: about.instruction,
            cameras,
            proprioception,
            actions,
            action_dim,
        };
        match trajectory.problem() {
            Some(problem) => Err(refuse(problem)),
            None => Ok(trajectory),
        }
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<4>();
    chunks
        .iter()
        .map(|chunk| f32::from_le_bytes(*chunk))
        .collect()
}
