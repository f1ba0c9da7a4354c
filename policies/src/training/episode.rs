//! A demonstration as the trainer reads it: numbers in memory, pictures in memory or on disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use super::trajectory::{ABOUT, About, FRAMES, Trajectory};
use crate::error::CheckpointError;

/// A demonstration.
#[derive(Clone, Debug)]
pub struct Episode {
    /// Name of the task.
    pub task: String,
    /// The instruction.
    pub instruction: String,
    /// Proprioception vectors, one per step, row-major.
    pub proprioception: Vec<f32>,
    /// Actions, one per step, row-major.
    pub actions: Vec<f32>,
    /// Numbers per action.
    pub action_dim: usize,
    /// Cameras by name.
    pub tracks: BTreeMap<String, Track>,
}

/// Pictures of one camera.
#[derive(Clone, Debug)]
pub struct Track {
    /// Side of the square images [pixels].
    pub size: usize,
    pixels: Pixels,
}

#[derive(Clone, Debug)]
enum Pixels {
    Memory(Arc<[u8]>),
    /// From `start` in the file. Read picture by picture: a training set does not fit in memory,
    /// and the system keeps what does.
    File {
        path: Arc<PathBuf>,
        start: u64,
    },
}

impl Track {
    /// Picture `step` as `rgb8` into `out`, replacing its content.
    ///
    /// # Errors
    /// If the file cannot be read, or there is no such picture.
    pub fn read(&self, step: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let area = self.size * self.size * 3;
        out.clear();
        match &self.pixels {
            Pixels::Memory(bytes) => {
                let picture = bytes
                    .get(step * area..(step + 1) * area)
                    .ok_or(io::ErrorKind::UnexpectedEof)?;
                out.extend_from_slice(picture);
            }
            Pixels::File { path, start } => {
                out.resize(area, 0);
                let mut file = File::open(&**path)?;
                file.seek(SeekFrom::Start(start + (step * area) as u64))?;
                file.read_exact(out)?;
            }
        }
        Ok(())
    }

    /// The file behind the pictures, for messages.
    pub fn origin(&self) -> &Path {
        match &self.pixels {
            Pixels::Memory(_) => Path::new("demonstration in memory"),
            Pixels::File { path, .. } => path,
        }
    }
}

impl From<Trajectory> for Episode {
    fn from(trajectory: Trajectory) -> Self {
        let track = |track: super::trajectory::CameraTrack| {
            let pixels = Pixels::Memory(track.frames.into());
            (
                track.name,
                Track {
                    size: track.size,
                    pixels,
                },
            )
        };
        Self {
            task: trajectory.task,
            instruction: trajectory.instruction,
            proprioception: trajectory.proprioception,
            actions: trajectory.actions,
            action_dim: trajectory.action_dim,
            tracks: trajectory.cameras.into_iter().map(track).collect(),
        }
    }
}

/// Longest header that is read: demonstrations have a few hundred bytes.
const LONGEST_HEADER: u64 = 1 << 20;

impl Episode {
    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.actions.len().checked_div(self.action_dim).unwrap_or(0)
    }

    /// Opens a file written by [`Trajectory::save`]. Pictures stay in it.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged or inconsistent.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let mut reader = Reader::open(path)?;
        let about = reader
            .metadata
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get(ABOUT))
            .ok_or_else(|| reader.refuse("task and instruction are missing"))?;
        let about: About =
            serde_json::from_str(about).map_err(|error| reader.refuse(&error.to_string()))?;
        let (actions, [steps, action_dim]) = reader.matrix("actions")?;
        let (proprioception, [states, _]) = reader.matrix("proprioception")?;
        if steps == 0
            || states != steps
            || actions
                .iter()
                .chain(&proprioception)
                .any(|v| !v.is_finite())
        {
            return Err(reader.refuse("actions and proprioception do not fit together"));
        }
        let shared = Arc::new(path.to_owned());
        let mut tracks = BTreeMap::new();
        for key in reader.metadata.offset_keys() {
            let (Some(name), Some(info)) = (key.strip_prefix(FRAMES), reader.metadata.info(&key))
            else {
                continue;
            };
            match info.shape.as_slice() {
                &[count, rows, columns, 3]
                    if info.dtype == Dtype::U8 && rows == columns && count == steps =>
                {
                    let pixels = Pixels::File {
                        path: Arc::clone(&shared),
                        start: reader.data + info.data_offsets.0 as u64,
                    };
                    tracks.insert(name.to_owned(), Track { size: rows, pixels });
                }
                _ => {
                    return Err(
                        reader.refuse(&format!("`{key}` is not one square rgb8 image per step"))
                    );
                }
            }
        }
        Ok(Self {
            task: about.task,
            instruction: about.instruction,
            proprioception,
            actions,
            action_dim,
            tracks,
        })
    }
}

/// A safetensors file of which only the header is in memory.
struct Reader {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the tensors begin.
    data: u64,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, CheckpointError> {
        let io = |source| CheckpointError::Io {
            path: path.to_owned(),
            source,
        };
        let refuse = |reason: &str| CheckpointError::Format {
            path: path.to_owned(),
            reason: format!("not a demonstration: {reason}"),
        };
        let mut file = File::open(path).map_err(io)?;
        let whole = file.metadata().map_err(io)?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(io)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER {
            return Err(refuse("its header is too long"));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(io)?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|error| refuse(&error.to_string()))?;
        let data = 8 + length;
        if data + metadata.data_len() as u64 != whole {
            return Err(refuse("it was cut short or has something after its end"));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
            data,
        })
    }

    fn refuse(&self, reason: &str) -> CheckpointError {
        CheckpointError::Format {
            path: self.path.clone(),
            reason: format!("not a demonstration: {reason}"),
        }
    }

    fn matrix(&mut self, name: &str) -> Result<(Vec<f32>, [usize; 2]), CheckpointError> {
        let refusal = self.refuse(&format!("`{name}` is not a matrix of f32"));
        let Some(TensorInfo {
            dtype: Dtype::F32,
            shape,
            data_offsets: (start, end),
        }) = self.metadata.info(name).cloned()
        else {
            return Err(refusal);
        };
        let &[rows, columns] = shape.as_slice() else {
            return Err(refusal);
        };
        let mut bytes = vec![0; end.saturating_sub(start)];
        let read = self
            .file
            .seek(SeekFrom::Start(self.data + start as u64))
            .and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|source| CheckpointError::Io {
            path: self.path.clone(),
            source,
        })?;
        let (chunks, _) = bytes.as_chunks::<4>();
        let values = chunks
            .iter()
            .map(|chunk| f32::from_le_bytes(*chunk))
            .collect();
        Ok((values, [rows, columns]))
    }
}
