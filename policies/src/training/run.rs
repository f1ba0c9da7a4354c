//! The resumable loop around whatever is trained step by step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::metrics::MetricsFile;
use super::order::stream;
use super::resume::RunState;
use super::skips::Skips;
use super::trainer::{METRICS_FILE, STATE_FILE};
use super::{Outcome, TrainError};
use crate::checkpoint::file::Tensors;
use crate::error::CheckpointError;
use crate::hilp::statistics::Numbers;
use crate::policy::Weights;

/// Settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSettings {
    /// Steps.
    pub steps: u64,
    /// Samples per step.
    pub batch: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Steps between reports of progress.
    pub report_every: u64,
}

/// What is trained.
pub trait Stage {
    /// Why a step was not taken.
    type Error: std::fmt::Display;

    /// What makes one run differ from another, beside [`RunSettings`].
    fn about(&self) -> String;

    /// Step number `step`, on samples that `rng` draws.
    ///
    /// # Errors
    /// If a batch does not fit or a loss is not finite; nothing has changed then.
    fn update(
        &mut self,
        step: u64,
        batch: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Numbers, Self::Error>;

    /// Weights.
    fn weights(&self) -> Weights;

    /// State of the optimiser.
    fn optimiser(&self) -> Tensors;

    /// A number that the next step depends on.
    fn turn(&self) -> usize {
        0
    }

    /// Goes on as it was after `step` steps.
    ///
    /// # Errors
    /// If the tensors do not fit; `origin` names where they come from.
    fn restore(
        &mut self,
        step: u64,
        turn: usize,
        weights: &Weights,
        optimiser: &Tensors,
        origin: &Path,
    ) -> Result<(), CheckpointError>;
}

/// State of a run, for progress bars and curves; one line of the metrics file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunProgress {
    /// Steps done.
    pub step: u64,
    /// Steps of the run.
    pub steps: u64,
    /// Losses, averaged since the last report.
    pub numbers: BTreeMap<String, f32>,
    /// Samples per second since the last report.
    pub samples_per_second: f32,
    /// Seconds since this process started the run.
    pub elapsed_seconds: f32,
    /// Steps skipped because something was not finite.
    pub skipped: u64,
}

/// Description of a run in its state file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    step: u64,
    skipped: u64,
    turn: usize,
    settings: RunSettings,
    stage: String,
}

/// A run, tied to a folder. All random numbers of a step follow from the seed and its number, so
/// that a resumed run gives what an uninterrupted one would.
pub struct Run<S> {
    folder: PathBuf,
    settings: RunSettings,
    stage: S,
    step: u64,
    skipped: u64,
}

impl<S: Stage> Run<S> {
    /// A run in `folder`; goes on from the state there, if there is one.
    ///
    /// # Errors
    /// If the folder cannot be used or holds another run.
    pub fn open(folder: &Path, settings: RunSettings, stage: S) -> Result<Self, TrainError> {
        std::fs::create_dir_all(folder).map_err(|source| CheckpointError::Io {
            path: folder.to_owned(),
            source,
        })?;
        let mut run = Self {
            folder: folder.to_owned(),
            settings,
            stage,
            step: 0,
            skipped: 0,
        };
        let path = folder.join(STATE_FILE);
        if path.exists() {
            run.restore(RunState::load(&path)?, path)?;
        }
        Ok(run)
    }

    fn restore(&mut self, state: RunState<About>, path: PathBuf) -> Result<(), TrainError> {
        let about = state.about;
        // Both are part of schedules, unlike how often a run saves and reports.
        let found = (
            about.settings.steps,
            about.settings.batch,
            about.settings.seed,
        );
        let wanted = (self.settings.steps, self.settings.batch, self.settings.seed);
        let what = if found != wanted {
            Some("training settings")
        } else if about.stage != self.stage.about() {
            Some("networks, losses or data")
        } else {
            None
        };
        if let Some(what) = what {
            return Err(TrainError::OtherRun { path, what });
        }
        let weights = Weights {
            tensors: Arc::new(state.weights),
            generation: 0,
        };
        let (step, turn) = (about.step, about.turn);
        self.stage
            .restore(step, turn, &weights, &state.optimiser, &path)?;
        self.step = step;
        self.skipped = about.skipped;
        Ok(())
    }

    /// Steps done.
    pub const fn step(&self) -> u64 {
        self.step
    }

    /// What is trained.
    pub const fn stage(&self) -> &S {
        &self.stage
    }

    /// Trains until all steps are done or `stop` is raised.
    ///
    /// # Errors
    /// If a checkpoint cannot be written or the run diverges.
    pub fn run(
        &mut self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&RunProgress),
    ) -> Result<Outcome, TrainError> {
        if self.step >= self.settings.steps {
            return Ok(Outcome::Finished);
        }
        let mut metrics = MetricsFile::open(&self.folder.join(METRICS_FILE), self.step)?;
        let begun = Instant::now();
        let mut window = Window::new();
        let mut skips = Skips::default();
        while self.step < self.settings.steps {
            if stop.load(Ordering::Relaxed) {
                self.save()?;
                return Ok(Outcome::Stopped);
            }
            let mut rng = stream(self.settings.seed, self.step);
            let batch = self.settings.batch;
            match self.stage.update(self.step, batch, &mut rng) {
                Ok(numbers) => {
                    skips.made();
                    window.add(&numbers);
                }
                Err(error) => {
                    tracing::warn!(step = self.step, "step skipped: {error}");
                    self.skipped += 1;
                    skips.skipped(self.step)?;
                }
            }
            self.step += 1;
            let last = self.step == self.settings.steps;
            if self.step.is_multiple_of(self.settings.checkpoint_every) || last {
                self.save()?;
            }
            if self.step.is_multiple_of(self.settings.report_every) || last {
                let report = RunProgress {
                    step: self.step,
                    steps: self.settings.steps,
                    skipped: self.skipped,
                    elapsed_seconds: begun.elapsed().as_secs_f32(),
                    ..window.report(batch)
                };
                metrics.write(&report)?;
                progress(&report);
                window = Window::new();
            }
        }
        Ok(Outcome::Finished)
    }

    fn save(&self) -> Result<(), TrainError> {
        let state = RunState {
            about: About {
                step: self.step,
                skipped: self.skipped,
                turn: self.stage.turn(),
                settings: self.settings.clone(),
                stage: self.stage.about(),
            },
            weights: (*self.stage.weights().tensors).clone(),
            average: BTreeMap::new(),
            optimiser: self.stage.optimiser(),
        };
        Ok(state.save(&self.folder.join(STATE_FILE))?)
    }
}

/// Sums since the last report.
struct Window {
    begun: Instant,
    updates: u32,
    sums: BTreeMap<String, (f64, u32)>,
}

impl Window {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            updates: 0,
            sums: BTreeMap::new(),
        }
    }

    fn add(&mut self, numbers: &Numbers) {
        self.updates += 1;
        for (name, value) in numbers.iter() {
            let (sum, count) = self.sums.entry(name.to_owned()).or_default();
            *sum += f64::from(value);
            *count += 1;
        }
    }

    fn report(&self, batch: usize) -> RunProgress {
        let means = self.sums.iter();
        let means =
            means.map(|(name, (sum, count))| (name.clone(), (sum / f64::from(*count)) as f32));
        let seconds = self.begun.elapsed().as_secs_f32().max(1e-6);
        RunProgress {
            numbers: means.collect(),
            samples_per_second: (self.updates as usize * batch) as f32 / seconds,
            ..RunProgress::default()
        }
    }
}
