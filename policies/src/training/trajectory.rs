//! One demonstration, in memory and as a file.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
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

/// Description in a file's header.
#[derive(Serialize, Deserialize)]
pub(super) struct About {
    pub(super) task: String,
    pub(super) instruction: String,
}

/// Key of [`About`].
pub(super) const ABOUT: &str = "about";
/// Beginning of the keys of images; the camera's name follows.
pub(super) const FRAMES: &str = "frames/";

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
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}
