//! The training loop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::config::PlayTraining;
use super::learner::Learner;
use crate::checkpoint::package::Network;
use crate::checkpoint::{Card, PolicyPackage, collect};
use crate::error::{CheckpointError, LearnError};
use crate::hilp::HilpConfig;
use crate::hilp::goal_conditioned::goals::GoalSampler;
use crate::hilp::pilot::StatePilot;
use crate::hilp::play::PlayData;
use crate::hilp::statistics::Numbers;
use crate::hilp::variant::{Acting, VariantConfig};
use crate::mdt::Statistics;
use crate::policy::Weights;
use crate::training::metrics::MetricsFile;
use crate::training::order::stream;
use crate::training::resume::RunState;
use crate::training::skips::Skips;
use crate::training::trainer::{METRICS_FILE, STATE_FILE};
use crate::training::{Outcome, TrainError};

/// State of a run, for progress bars and curves; one line of the metrics file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlayProgress {
    /// Updates done.
    pub step: u64,
    /// Updates of the run.
    pub steps: u64,
    /// Losses and statistics under the authors' names, averaged since the last report.
    pub numbers: BTreeMap<String, f32>,
    /// Transitions per second since the last report.
    pub samples_per_second: f32,
    /// Seconds since this process started the run.
    pub elapsed_seconds: f32,
    /// Updates skipped because something was not finite.
    pub skipped: u64,
}

/// Description of a run in its state file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    step: u64,
    skipped: u64,
    train: PlayTraining,
    network: VariantConfig,
    /// Transitions of the data.
    transitions: usize,
}

/// A run, tied to a folder. All random numbers of an update follow from the seed and its number, so
/// that a resumed run gives what an uninterrupted one would.
pub struct PlayTrainer<'a> {
    train: PlayTraining,
    network: VariantConfig,
    data: &'a PlayData,
    sampler: GoalSampler,
    device: Device,
    folder: PathBuf,
    learner: Learner,
    step: u64,
    skipped: u64,
}

impl<'a> PlayTrainer<'a> {
    /// A run in `folder`; goes on from the state there, if there is one.
    ///
    /// # Errors
    /// If settings or data do not fit, or the folder holds another run.
    pub fn open(
        folder: &Path,
        train: PlayTraining,
        network: VariantConfig,
        data: &'a PlayData,
        device: &Device,
    ) -> Result<Self, TrainError> {
        if let Some(problem) = train.problem(&network, data) {
            return Err(TrainError::Settings(problem));
        }
        std::fs::create_dir_all(folder).map_err(|source| CheckpointError::Io {
            path: folder.to_owned(),
            source,
        })?;
        let device = device.clone().inner();
        let learning = device.clone().autodiff();
        learning.seed(train.seed);
        let mut trainer = Self {
            sampler: data.sampler(train.goals),
            learner: Learner::new(&network, &learning),
            folder: folder.to_owned(),
            train,
            network,
            data,
            device,
            step: 0,
            skipped: 0,
        };
        let path = folder.join(STATE_FILE);
        if path.exists() {
            trainer.restore(RunState::load(&path)?, path)?;
        }
        Ok(trainer)
    }

    fn restore(&mut self, state: RunState<About>, path: PathBuf) -> Result<(), TrainError> {
        let about = &state.about;
        // A run may be made longer or shorter, and told to save more often.
        let train = PlayTraining {
            steps: self.train.steps,
            checkpoint_every: self.train.checkpoint_every,
            report_every: self.train.report_every,
            ..about.train.clone()
        };
        let what = if about.network != self.network {
            Some("network settings")
        } else if train != self.train {
            Some("training settings")
        } else if about.transitions != self.data.len() {
            Some("data")
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
        let (network, optimiser) = (&self.network, &state.optimiser);
        let learner = self.learner.clone();
        self.learner = learner.restored(network, &weights, optimiser, &path, &self.device)?;
        self.step = state.about.step;
        self.skipped = state.about.skipped;
        Ok(())
    }

    /// Updates done.
    pub const fn step(&self) -> u64 {
        self.step
    }

    /// The networks that act.
    pub fn acting(&self) -> Acting {
        self.learner.acting()
    }

    /// The networks at work on states, many at once.
    pub fn pilot(&self) -> StatePilot {
        StatePilot::new(self.acting(), &self.network, self.device.clone())
    }

    /// The policy so far: the networks that act, with states of the data that may become midpoints.
    pub fn package(
        &self,
        config: &HilpConfig,
        statistics: &Statistics,
        card: Card,
    ) -> PolicyPackage {
        let count = config.midpoints.map_or(0, |midpoints| midpoints.candidates);
        // A stream that no update draws from, so that every checkpoint has the same candidates.
        let mut rng = stream(self.train.seed, u64::MAX);
        PolicyPackage {
            network: Network::Hilp {
                config: Box::new(config.clone()),
                statistics: statistics.clone(),
                candidates: Arc::new(self.data.sample_rows(count, &mut rng)),
            },
            language: String::new(),
            weights: collect(&self.acting(), 0),
            card,
        }
    }

    /// Trains until all updates are done or `stop` is raised. `progress` is called every
    /// [`PlayTraining::report_every`] updates, and `saved` after every checkpoint.
    ///
    /// # Errors
    /// If a checkpoint cannot be written, `saved` fails or the run diverges.
    pub fn run(
        &mut self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&PlayProgress),
        saved: &mut dyn FnMut(&Self) -> Result<(), TrainError>,
    ) -> Result<Outcome, TrainError> {
        let mut metrics = MetricsFile::open(&self.folder.join(METRICS_FILE), self.step)?;
        let begun = Instant::now();
        let mut window = Window::new();
        let mut skips = Skips::default();
        while self.step < self.train.steps {
            if stop.load(Ordering::Relaxed) {
                self.save()?;
                saved(self)?;
                return Ok(Outcome::Stopped);
            }
            match self.advance() {
                Ok(numbers) => {
                    skips.made();
                    window.add(&numbers);
                }
                Err(error) => {
                    tracing::warn!(step = self.step, "update skipped: {error}");
                    self.skipped += 1;
                    skips.skipped(self.step)?;
                }
            }
            self.step += 1;
            let last = self.step == self.train.steps;
            if self.step.is_multiple_of(self.train.checkpoint_every) || last {
                self.save()?;
                saved(self)?;
            }
            if self.step.is_multiple_of(self.train.report_every) || last {
                let report = PlayProgress {
                    step: self.step,
                    steps: self.train.steps,
                    skipped: self.skipped,
                    elapsed_seconds: begun.elapsed().as_secs_f32(),
                    ..window.report(self.train.batch)
                };
                metrics.write(&report)?;
                progress(&report);
                window = Window::new();
            }
        }
        Ok(Outcome::Finished)
    }

    fn advance(&mut self) -> Result<Numbers, LearnError> {
        let mut rng = stream(self.train.seed, self.step);
        let picked = self.data.pick(&self.sampler, self.train.batch, &mut rng);
        let left = self.train.learning_rate_left(self.step);
        self.learner.pace(&self.network, left);
        let (train, device) = (&self.train, &self.device);
        self.learner
            .update(self.data, &picked, train, &mut rng, device)
    }

    /// Writes the run's state.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self) -> Result<(), TrainError> {
        let state = RunState {
            about: About {
                step: self.step,
                skipped: self.skipped,
                train: self.train.clone(),
                network: self.network.clone(),
                transitions: self.data.len(),
            },
            weights: (*self.learner.weights().tensors).clone(),
            average: BTreeMap::new(),
            optimiser: self.learner.optimiser(),
        };
        Ok(state.save(&self.folder.join(STATE_FILE))?)
    }
}

/// Sums since the last report.
struct Window {
    begun: Instant,
    updates: u32,
    sums: BTreeMap<String, f64>,
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
            *self.sums.entry(name.to_owned()).or_default() += f64::from(value);
        }
    }

    fn report(&self, batch: usize) -> PlayProgress {
        let updates = f64::from(self.updates.max(1));
        let means = self.sums.iter();
        let means = means.map(|(name, sum)| (name.clone(), (sum / updates) as f32));
        let seconds = self.begun.elapsed().as_secs_f32().max(1e-6);
        PlayProgress {
            numbers: means.collect(),
            samples_per_second: (self.updates as usize * batch) as f32 / seconds,
            ..PlayProgress::default()
        }
    }
}
