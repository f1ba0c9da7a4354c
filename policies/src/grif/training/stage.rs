//! A policy in training.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use rand_chacha::ChaCha8Rng;

use super::config::GrifTraining;
use super::data::{Batcher, pick, problem};
use crate::checkpoint::file::Tensors;
use crate::checkpoint::package::Network;
use crate::checkpoint::{Card, PolicyPackage, apply, collect};
use crate::error::{CheckpointError, LearnError};
use crate::grif::config::Modality;
use crate::grif::dropout::KeepMasks;
use crate::grif::loss::{JointLoss, joint_loss};
use crate::grif::model::Grif;
use crate::grif::optimizer::Optimizer;
use crate::grif::policy_config::GrifPolicyConfig;
use crate::grif::task_encoder::TaskEncoderConfig;
use crate::hilp::statistics::Numbers;
use crate::host;
use crate::language::SentenceEncoder;
use crate::mdt::Statistics;
use crate::policy::Weights;
use crate::training::TrainError;
use crate::training::dataset::DemoDataset;
use crate::training::gradients::GradientSet;
use crate::training::labels::labelled;
use crate::training::run::Stage;
use crate::training::shadow::not_finite;

/// Joint training of the policy and of the alignment (the paper's section 4).
pub struct GrifStage<'a> {
    data: &'a DemoDataset,
    config: GrifPolicyConfig,
    train: GrifTraining,
    statistics: Statistics,
    sentences: BTreeMap<String, Vec<f32>>,
    language: String,
    /// Moments of the demonstrations whose instruction may be used.
    told: Vec<usize>,
    all: Vec<usize>,
    device: Device,
    policy: Grif,
    optimizer: Optimizer,
}

impl<'a> GrifStage<'a> {
    /// Fresh networks on demonstrations.
    ///
    /// # Errors
    /// If settings, networks and data do not go together.
    pub fn new(
        data: &'a DemoDataset,
        config: GrifPolicyConfig,
        train: GrifTraining,
        (batch, seed): (usize, u64),
        language: &dyn SentenceEncoder,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let settings = config.problem().or_else(|| train.problem(batch));
        if let Some(problem) = settings.or_else(|| problem(data, &config)) {
            return Err(TrainError::Settings(problem));
        }
        let width = config.network.language_task.as_ref();
        if width != Some(&TaskEncoderConfig::Vector(language.dim())) {
            return Err(TrainError::Settings(format!(
                "network.language_task must be a vector of {} numbers, those of the sentence \
                 encoder: text towers are trained with the authors' code and imported",
                language.dim()
            )));
        }
        let labelled = labelled(data.episodes(), train.labelled_share, seed);
        let mut sentences = BTreeMap::new();
        for episode in labelled.iter().filter_map(|&i| data.episodes().get(i)) {
            if !sentences.contains_key(&episode.instruction) {
                let vector = language.encode(&episode.instruction)?;
                sentences.insert(episode.instruction.clone(), vector);
            }
        }
        let device = device.clone().inner().autodiff();
        device.seed(seed);
        Ok(Self {
            statistics: data.statistics(config.network.proprioception),
            told: data.moments_of(&labelled),
            all: (0..data.len()).collect(),
            policy: Grif::new(&config.network, &device),
            optimizer: Optimizer::new(train.optimizer),
            language: language.name().to_owned(),
            data,
            config,
            train,
            sentences,
            device,
        })
    }

    /// The policy so far.
    pub fn package(&self, card: Card) -> PolicyPackage {
        PolicyPackage {
            network: Network::Grif {
                config: Box::new(self.config.clone()),
                statistics: self.statistics.clone(),
            },
            language: self.language.clone(),
            weights: collect(&self.policy, 0),
            card,
        }
    }
}

impl Stage for GrifStage<'_> {
    type Error = LearnError;

    fn about(&self) -> String {
        format!("{:?} {:?} {}", self.config, self.train, self.data.len())
    }

    fn update(
        &mut self,
        _: u64,
        batch: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Numbers, LearnError> {
        let told = self.train.told_rows(batch);
        let mut moments = pick(&self.told, told, rng);
        moments.extend(pick(&self.all, batch - told, rng));
        let batcher = Batcher {
            data: self.data,
            config: &self.config,
            statistics: &self.statistics,
            sentences: &self.sentences,
            train: &self.train,
        };
        let samples = batcher
            .batch(&moments, told, rng, &self.device)
            .map_err(|error| LearnError::Batch(error.to_string()))?;
        let head = &self.policy.head;
        let (widths, drop) = (head.widths(), head.dropout());
        let masks = KeepMasks::draw(moments.len(), widths, drop, &self.device, rng);
        let loss = joint_loss(&self.policy, &samples, masks.as_ref())?;
        let numbers = numbers(&loss);
        let refuse = |what| not_finite(what, &crate::online::ObjectiveId("grif".into()));
        if !numbers.iter().all(|(_, value)| value.is_finite()) {
            return Err(refuse("loss"));
        }
        let gradients = GradientSet::take(&self.policy, loss.total.backward(), |_| true);
        if !gradients.norm().is_finite() {
            return Err(refuse("gradient"));
        }
        let policy = self.policy.clone();
        self.policy = self.optimizer.step(policy, gradients, Grif::is_pretrained);
        Ok(numbers)
    }

    fn weights(&self) -> Weights {
        collect(&self.policy, 0)
    }

    fn optimiser(&self) -> Tensors {
        self.optimizer.state()
    }

    fn restore(
        &mut self,
        step: u64,
        _: usize,
        weights: &Weights,
        optimiser: &Tensors,
        origin: &Path,
    ) -> Result<(), CheckpointError> {
        self.policy = apply(self.policy.clone(), weights, origin)?;
        self.optimizer = Optimizer::resume(self.train.optimizer, step, optimiser, &self.device);
        Ok(())
    }
}

fn numbers(loss: &JointLoss) -> Numbers {
    let mut numbers = Numbers::default();
    let total = host::values(loss.total.clone());
    numbers.put("total", &total);
    for (modality, branch) in &loss.branches {
        let name = match modality {
            Modality::Image => "image_mse",
            Modality::Language => "language_mse",
        };
        numbers.put(name, &[branch.mse]);
    }
    if let Some(alignment) = loss.alignment {
        numbers.put("alignment", &[alignment]);
    }
    if let Some(contrast) = loss.contrast {
        numbers.put("image_accuracy", &[contrast.image_accuracy]);
        numbers.put("sentence_accuracy", &[contrast.sentence_accuracy]);
    }
    numbers
}
