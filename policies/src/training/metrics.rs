//! What a run reports.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::CheckpointError;

/// Losses of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Losses {
    /// Weighted sum.
    pub total: f32,
    /// Diffusion loss of actions.
    pub action: f32,
    /// Masked generative foresight.
    pub foresight: f32,
    /// Contrastive alignment.
    pub alignment: f32,
    /// Inverse dynamics.
    pub inverse_dynamics: f32,
}

impl Losses {
    /// The sum with `other` times `factor`.
    #[must_use]
    pub fn plus(self, other: Self, factor: f32) -> Self {
        Self {
            total: self.total + factor * other.total,
            action: self.action + factor * other.action,
            foresight: self.foresight + factor * other.foresight,
            alignment: self.alignment + factor * other.alignment,
            inverse_dynamics: self.inverse_dynamics + factor * other.inverse_dynamics,
        }
    }
}

/// State of a run, for progress bars and curves; one line of the metrics file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainProgress {
    /// Steps done.
    pub step: u64,
    /// Steps of the run.
    pub steps: u64,
    /// Losses, averaged since the last report.
    pub losses: Losses,
    /// Learning rate.
    pub learning_rate: f32,
    /// Norm of the last gradient, before clipping.
    pub grad_norm: f32,
    /// Observations per second since the last report.
    pub samples_per_second: f32,
    /// Seconds since this process started the run.
    pub elapsed_seconds: f32,
    /// Steps skipped because something was not finite.
    pub skipped: u64,
    /// Diffusion loss of the averaged weights on held-out data, with told goals, if just measured.
    pub validation: Option<f32>,
    /// The same with shown goals, if the network takes them.
    pub validation_shown: Option<f32>,
}

/// What every line of a metrics file holds.
#[derive(Deserialize)]
struct Numbered {
    step: u64,
}

/// One JSON object per line, each with its `step`.
pub struct MetricsFile {
    path: PathBuf,
    file: File,
}

impl MetricsFile {
    /// Opens for appending. Lines after `step` come from a part of the run that was lost and is
    /// repeated: they are dropped.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn open(path: &Path, step: u64) -> Result<Self, CheckpointError> {
        let io = |source| CheckpointError::Io {
            path: path.to_owned(),
            source,
        };
        let mut kept = Vec::new();
        if path.exists() {
            for line in BufReader::new(File::open(path).map_err(io)?).lines() {
                let line = line.map_err(io)?;
                let known = serde_json::from_str::<Numbered>(&line);
                if known.is_ok_and(|progress| progress.step <= step) {
                    kept.extend_from_slice(line.as_bytes());
                    kept.push(b'\n');
                }
            }
        }
        crate::checkpoint::file::write_atomically(path, &kept)?;
        let file = OpenOptions::new().append(true).open(path).map_err(io)?;
        let path = path.to_owned();
        Ok(Self { path, file })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&mut self, progress: &impl Serialize) -> Result<(), CheckpointError> {
        let line = || {
            let mut line = serde_json::to_vec(progress)?;
            line.push(b'\n');
            Ok(line)
        };
        line()
            .and_then(|line| self.file.write_all(&line))
            .map_err(|source| CheckpointError::Io {
                path: self.path.clone(),
                source,
            })
    }
}
