//! The training loop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;

use super::adamw::AdamW;
use super::average::Average;
use super::batch::{Batcher, Extras, GoalTable};
use super::config::TrainConfig;
use super::dataset::DemoDataset;
use super::labels::labelled;
use super::learner::{Learner, Shard, side_by_side};
use super::metrics::MetricsFile;
pub use super::metrics::{Losses, TrainProgress};
use super::order::{Draw, TwoOrders, stream};
use super::resume::{About, RunState};
use super::skips::Skips;
use super::step::Step;
use super::validation::validate;
use crate::checkpoint::package::Network;
use crate::checkpoint::{Card, PolicyPackage, apply, collect};
use crate::error::{CheckpointError, PolicyError};
use crate::language::SentenceEncoder;
use crate::mdt::{Mdt, MdtConfig, Statistics};
use crate::policy::Weights;

/// Name of the run's state inside its folder.
pub const STATE_FILE: &str = "state.safetensors";
/// Name of the policy package inside the folder.
pub const POLICY_FOLDER: &str = "policy";
/// Name of the metrics inside the folder: one JSON object per line.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// Why a run cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The settings or the data do not fit.
    #[error("cannot train: {0}")]
    Settings(String),
    /// The folder holds a run with other settings.
    #[error(
        "{path} holds a run with other {what}: choose another folder, or continue with the settings in it"
    )]
    OtherRun {
        /// The state file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// Loss or gradients stayed without finite values.
    #[error(
        "{steps} steps in a row gave no finite loss and gradient (step {step}): lower the learning rate"
    )]
    Diverged {
        /// The last step.
        step: u64,
        /// How many.
        steps: u32,
    },
    /// A file.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// An instruction or a device.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are done.
    Finished,
    /// The stop flag was raised; the state is saved.
    Stopped,
}

/// A run: network, optimiser and average, tied to a folder.
pub struct Trainer<'a> {
    train: TrainConfig,
    network: MdtConfig,
    statistics: Statistics,
    dataset: &'a DemoDataset,
    validation: Option<&'a DemoDataset>,
    goals: GoalTable,
    language: String,
    device: Device,
    folder: PathBuf,
    learner: Learner,
    order: TwoOrders,
    labelled: usize,
    card: Card,
    step: u64,
    skipped: u64,
}

impl<'a> Trainer<'a> {
    /// A run in `folder`; goes on from the state there, if there is one.
    ///
    /// # Errors
    /// If settings or data do not fit, or the folder holds another run.
    pub fn open(
        folder: &Path,
        train: TrainConfig,
        network: MdtConfig,
        dataset: &'a DemoDataset,
        validation: Option<&'a DemoDataset>,
        language: &dyn SentenceEncoder,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let settings = network.problem().or_else(|| train.problem(&network));
        let problem = settings.or_else(|| {
            dataset
                .problem(&network)
                .or_else(|| validation.and_then(|data| data.problem(&network)))
        });
        if let Some(problem) = problem {
            return Err(TrainError::Settings(problem));
        }
        let d = &network.denoiser;
        if train.shards > 1 && d.dropout_rates().iter().any(|&rate| rate > 0.0) {
            return Err(TrainError::Settings(
                "dropout draws from one generator per device: set shards to 1, or dropout to 0"
                    .into(),
            ));
        }
        if language.dim() != network.denoiser.goal_dim {
            return Err(TrainError::Settings(format!(
                "the sentence encoder gives {} numbers, denoiser.goal_dim is {}",
                language.dim(),
                network.denoiser.goal_dim
            )));
        }
        // Instructions that may not be used are not even encoded.
        let labelled = labelled(dataset.episodes(), train.labelled_share, train.seed);
        let told = labelled.iter().filter_map(|&i| dataset.episodes().get(i));
        let judged = validation.into_iter().flat_map(DemoDataset::episodes);
        let mut goals = GoalTable::new();
        for episode in told.chain(judged) {
            if !goals.contains_key(&episode.instruction) {
                let vector = language.encode(&episode.instruction)?;
                goals.insert(episode.instruction.clone(), vector);
            }
        }
        let shown = network.goal_encoder.as_ref().map(|_| 0..dataset.len());
        std::fs::create_dir_all(folder).map_err(|source| CheckpointError::Io {
            path: folder.to_owned(),
            source,
        })?;
        let device = device.clone().inner().autodiff();
        device.seed(train.seed);
        let model = Mdt::new(&network, &device);
        let mut trainer = Self {
            statistics: dataset.statistics(network.denoiser.proprioception),
            learner: Learner::new(model, &train),
            order: TwoOrders::new(dataset.moments_of(&labelled), shown, train.seed),
            labelled: labelled.len(),
            card: Card::default(),
            folder: folder.to_owned(),
            train,
            network,
            dataset,
            validation,
            goals,
            language: language.name().to_owned(),
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

    fn restore(&mut self, state: RunState, path: PathBuf) -> Result<(), TrainError> {
        let what = if state.about.network != self.network {
            Some("network settings")
        } else if state.about.train != self.train {
            Some("training settings")
        } else {
            None
        };
        if let Some(what) = what {
            return Err(TrainError::OtherRun { path, what });
        }
        let weights = |tensors| Weights {
            tensors: Arc::new(tensors),
            generation: 0,
        };
        self.learner.model = apply(self.learner.model.clone(), &weights(state.weights), &path)?;
        self.learner.average = Average::from_weights(&weights(state.average), &self.device);
        self.learner.optimiser =
            AdamW::from_state(self.train.adamw, &state.optimiser, &self.device);
        self.step = state.about.step;
        self.skipped = state.about.skipped;
        Ok(())
    }

    /// Starts from the weights of another policy of the same configuration, if no step is done yet:
    /// its network, not the state of its training.
    ///
    /// # Errors
    /// If the package cannot be read or its weights do not fit.
    pub fn start_from(&mut self, folder: &Path) -> Result<(), TrainError> {
        if self.step > 0 {
            return Ok(());
        }
        let package = PolicyPackage::load(folder)?;
        self.learner.model = apply(self.learner.model.clone(), &package.weights, folder)?;
        self.learner.average = Average::of(&self.learner.model);
        Ok(())
    }

    /// What the card of the policy in the folder says, beside the steps done.
    pub fn describe(&mut self, card: Card) {
        self.card = card;
    }

    /// Demonstrations whose instruction is used.
    pub const fn labelled(&self) -> usize {
        self.labelled
    }

    /// Steps done.
    pub const fn step(&self) -> u64 {
        self.step
    }

    /// Trains until all steps are done or `stop` is raised. `progress` is called every
    /// [`TrainConfig::report_every`] steps.
    ///
    /// # Errors
    /// If a checkpoint cannot be written or the run diverges.
    pub fn run(
        &mut self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&TrainProgress),
    ) -> Result<Outcome, TrainError> {
        let mut metrics = MetricsFile::open(&self.folder.join(METRICS_FILE), self.step)?;
        let begun = Instant::now();
        let mut window = Window::new();
        let mut skips = Skips::default();
        while self.step < self.train.steps {
            if stop.load(Ordering::Relaxed) {
                self.save()?;
                return Ok(Outcome::Stopped);
            }
            let done = self.advance()?;
            match done {
                Some(step) => {
                    skips.made();
                    window.add(step);
                }
                None => {
                    self.skipped += 1;
                    tracing::warn!(
                        step = self.step,
                        "loss or gradient not finite: step skipped"
                    );
                    skips.skipped(self.step)?;
                }
            }
            self.step += 1;
            if self.step.is_multiple_of(self.train.checkpoint_every)
                || self.step == self.train.steps
            {
                self.save()?;
            }
            let last = self.step == self.train.steps;
            let validate = self.step.is_multiple_of(self.train.validate_every) || last;
            if self.step.is_multiple_of(self.train.report_every) || validate {
                let mut report = window.report(self.train.batch);
                report.step = self.step;
                report.steps = self.train.steps;
                report.skipped = self.skipped;
                report.learning_rate = self.learning_rate();
                report.elapsed_seconds = begun.elapsed().as_secs_f32();
                if validate {
                    report.validation = self.validate(false);
                    report.validation_shown = self.validate(true);
                }
                metrics.write(&report)?;
                progress(&report);
                window = Window::new();
            }
        }
        Ok(Outcome::Finished)
    }

    fn learning_rate(&self) -> f32 {
        self.train.learning_rate.at(self.step, self.train.steps)
    }

    fn batcher(&self) -> Batcher<'_> {
        Batcher {
            dataset: self.dataset,
            config: &self.network,
            statistics: &self.statistics,
            goals: &self.goals,
            augment: self.train.augment,
            goal_frames: self.train.goal_frames,
        }
    }

    /// One optimiser step; `None` if it was skipped because something was not finite.
    fn advance(&mut self) -> Result<Option<Step>, TrainError> {
        let draw = self
            .order
            .batch(self.step, self.train.batch, self.train.told_rows());
        // Dropout draws on the device.
        self.device
            .seed(self.train.seed ^ self.step.rotate_left(32));
        let pieces = draw.pieces(self.train.shards);
        let shards = side_by_side(pieces.len(), |shard| self.shard(shard, &pieces[shard]));
        let shards = shards.into_iter().collect::<Result<Vec<_>, _>>()?;
        let rate = self.learning_rate();
        Ok(self.learner.step(shards, &self.train, rate, self.step + 1))
    }

    /// Loss and gradients of one shard of a batch.
    fn shard(&self, shard: usize, draw: &Draw) -> Result<Shard, CheckpointError> {
        let mut rng = stream(
            self.train.seed,
            self.step * self.train.shards as u64 + shard as u64,
        );
        let extras = Extras::of(&self.network, &self.train, draw.told.len());
        let batch = self.batcher().batch(draw, extras, &mut rng, &self.device)?;
        let progress = self.step as f64 / self.train.steps as f64;
        Ok(self
            .learner
            .shard(&self.network, &self.train, (batch, progress), &mut rng))
    }

    /// See [`validate`]; `None` without data for it.
    fn validate(&self, shown: bool) -> Option<f32> {
        let weights = self.learner.average.weights(0);
        let model = apply(self.learner.model.valid(), &weights, Path::new(STATE_FILE)).ok()?;
        let batcher = Batcher {
            dataset: self.validation?,
            ..self.batcher()
        };
        validate(&model, batcher, &self.train, shown)
    }

    /// Writes the run's state, and the policy so far into [`POLICY_FOLDER`].
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self) -> Result<(), TrainError> {
        self.save_state()?;
        let card = Card {
            training: format!(
                "{}; {} of {} steps",
                self.card.training, self.step, self.train.steps
            ),
            ..self.card.clone()
        };
        Ok(self.package(card).save(&self.folder.join(POLICY_FOLDER))?)
    }

    fn save_state(&self) -> Result<(), TrainError> {
        let state = RunState {
            about: About {
                step: self.step,
                skipped: self.skipped,
                train: self.train.clone(),
                network: self.network.clone(),
            },
            weights: (*collect(&self.learner.model, 0).tensors).clone(),
            average: (*self.learner.average.weights(0).tensors).clone(),
            optimiser: self.learner.optimiser.state(),
        };
        Ok(state.save(&self.folder.join(STATE_FILE))?)
    }

    /// The policy so far: averaged weights, configuration and statistics.
    pub fn package(&self, card: Card) -> PolicyPackage {
        PolicyPackage {
            network: Network::Mdt {
                config: Box::new(self.network.clone()),
                statistics: self.statistics.clone(),
            },
            language: self.language.clone(),
            weights: self.learner.average.weights(0),
            card,
        }
    }
}

/// Sums since the last report.
struct Window {
    begun: Instant,
    steps: u32,
    sum: Losses,
    grad_norm: f32,
}

impl Window {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            steps: 0,
            sum: Losses::default(),
            grad_norm: 0.0,
        }
    }

    fn add(&mut self, step: Step) {
        self.steps += 1;
        self.sum = self.sum.plus(step.losses, 1.0);
        self.grad_norm = step.grad_norm;
    }

    fn report(&self, batch: usize) -> TrainProgress {
        let steps = self.steps.max(1) as f32;
        TrainProgress {
            losses: Losses::default().plus(self.sum, 1.0 / steps),
            grad_norm: self.grad_norm,
            samples_per_second: (self.steps as usize * batch) as f32
                / self.begun.elapsed().as_secs_f32().max(1e-6),
            ..TrainProgress::default()
        }
    }
}
