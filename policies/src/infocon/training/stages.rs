//! The two things that are trained: the discovery model, and the policy on its key states.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::config::InfoConTraining;
use super::demos::{Demos, Targets};
use crate::checkpoint::file::Tensors;
use crate::checkpoint::{apply, collect};
use crate::error::CheckpointError;
use crate::hilp::statistics::Numbers;
use crate::host;
use crate::infocon::config::InfoConConfig;
use crate::infocon::cotpc::learner::CotLearner;
use crate::infocon::cotpc::{Cotpc, CotpcConfig};
use crate::infocon::error::InfoConError;
use crate::infocon::learner::DiscoveryLearner;
use crate::infocon::model::InfoCon;
use crate::infocon::objective::Mode;
use crate::policy::Weights;
use crate::training::AdamW;
use crate::training::run::Stage;

fn put(numbers: &mut Numbers, name: &str, value: &Tensor<1>) {
    numbers.put(name, &host::values(value.clone()));
}

/// Discovery: reconstruction first, then, with a fresh optimiser as in the authors' scripts, all
/// losses.
pub struct DiscoveryStage<'a> {
    demos: &'a Demos,
    config: InfoConConfig,
    train: InfoConTraining,
    device: Device,
    learner: DiscoveryLearner,
}

impl<'a> DiscoveryStage<'a> {
    /// A run that begins with fresh networks.
    ///
    /// # Errors
    /// If the sizes do not go together.
    pub fn new(
        demos: &'a Demos,
        config: InfoConConfig,
        train: InfoConTraining,
        device: &Device,
    ) -> Result<Self, InfoConError> {
        let learning = device.clone().inner().autodiff();
        learning.seed(train.seed);
        let model = InfoCon::new(&config, &learning)?;
        let mode = match train.reconstruction_steps {
            0 => Mode::Goal,
            _ => Mode::Reconstruction,
        };
        Ok(Self {
            demos,
            learner: DiscoveryLearner::new(model, train.discovery(mode)),
            config,
            train,
            device: learning,
        })
    }

    /// The model as it is now.
    pub fn model(&self) -> InfoCon {
        self.learner.finished()
    }
}

impl Stage for DiscoveryStage<'_> {
    type Error = InfoConError;

    fn about(&self) -> String {
        let (config, train, demos) = (&self.config, &self.train, self.demos.episodes().len());
        format!(
            "{config:?} {:?} {:?} {demos}",
            train.discovery(Mode::Reconstruction),
            train.discovery(Mode::Goal)
        )
    }

    fn update(
        &mut self,
        step: u64,
        batch: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Numbers, InfoConError> {
        if step == self.train.reconstruction_steps && step > 0 {
            let model = self.learner.model().clone();
            self.learner = DiscoveryLearner::new(model, self.train.discovery(Mode::Goal));
        }
        let batch = self
            .demos
            .discovery_batch(&self.config, batch, rng, &self.device)?;
        let made = self.learner.step(&batch)?;
        let found = made.discovery;
        let mut numbers = Numbers::default();
        put(&mut numbers, "loss", &found.total);
        put(&mut numbers, "reconstruction", &found.reconstruction_loss);
        put(&mut numbers, "cluster", &found.cluster_loss);
        if let Some(goal) = &found.goal {
            put(&mut numbers, "action", &goal.action_loss);
            put(&mut numbers, "key_state", &goal.future_loss);
            put(&mut numbers, "own_score", &goal.own_loss);
            put(&mut numbers, "turn_score", &goal.turn_loss);
        }
        let mut used = found.assignment.concepts;
        used.sort_unstable();
        used.dedup();
        numbers.put("concepts_used", &[used.len() as f32]);
        numbers.put("learning_rate", &[made.learning_rate as f32]);
        Ok(numbers)
    }

    fn weights(&self) -> Weights {
        collect(self.learner.model(), 0)
    }

    fn optimiser(&self) -> Tensors {
        self.learner.optimiser().state()
    }

    fn turn(&self) -> usize {
        self.learner.turn()
    }

    fn restore(
        &mut self,
        step: u64,
        turn: usize,
        weights: &Weights,
        optimiser: &Tensors,
        origin: &Path,
    ) -> Result<(), CheckpointError> {
        let model = apply(self.learner.model().clone(), weights, origin)?;
        let before = self.train.reconstruction_steps;
        let (mode, done) = if step <= before && before > 0 {
            (Mode::Reconstruction, step)
        } else {
            (Mode::Goal, step - before)
        };
        let config = self.train.discovery(mode);
        let optimiser = AdamW::from_state(config.adam, optimiser, &self.device);
        self.learner = DiscoveryLearner::resume(model, config, optimiser, done, turn);
        Ok(())
    }
}

/// The policy on given key states.
pub struct PolicyStage<'a> {
    demos: &'a Demos,
    targets: Targets,
    config: CotpcConfig,
    train: InfoConTraining,
    device: Device,
    learner: CotLearner,
}

impl<'a> PolicyStage<'a> {
    /// A run that begins with a fresh network; `targets` are the key states of every demonstration.
    ///
    /// # Errors
    /// If the sizes do not go together.
    pub fn new(
        demos: &'a Demos,
        targets: Targets,
        config: CotpcConfig,
        train: InfoConTraining,
        device: &Device,
    ) -> Result<Self, InfoConError> {
        let learning = device.clone().inner().autodiff();
        learning.seed(train.seed);
        let network = Cotpc::new(&config, &learning)?;
        Ok(Self {
            demos,
            targets,
            learner: CotLearner::new(network, train.policy()),
            config,
            train,
            device: learning,
        })
    }

    /// The network as it is now.
    pub fn network(&self) -> Cotpc {
        self.learner.finished()
    }
}

impl Stage for PolicyStage<'_> {
    type Error = InfoConError;

    fn about(&self) -> String {
        let (config, demos) = (&self.config, self.demos.episodes().len());
        // Which states are the key ones says what guides the policy.
        let states = self.targets.iter().flat_map(|(states, _)| states);
        let sum = states.map(|&value| f64::from(value)).sum::<f64>();
        format!("{config:?} {:?} {demos} {sum:.6}", self.train.policy())
    }

    fn update(
        &mut self,
        _: u64,
        batch: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Numbers, InfoConError> {
        let (config, device) = (&self.config, &self.device);
        let batch = self
            .demos
            .policy_batch(config, &self.targets, batch, rng, device)?;
        let made = self.learner.step(&batch)?;
        let mut numbers = Numbers::default();
        put(&mut numbers, "loss", &made.losses.total);
        put(&mut numbers, "action", &made.losses.actions);
        put(&mut numbers, "key_state", &made.losses.key_states);
        numbers.put("learning_rate", &[made.learning_rate as f32]);
        Ok(numbers)
    }

    fn weights(&self) -> Weights {
        collect(self.learner.network(), 0)
    }

    fn optimiser(&self) -> Tensors {
        self.learner.optimiser().state()
    }

    fn restore(
        &mut self,
        step: u64,
        _: usize,
        weights: &Weights,
        optimiser: &Tensors,
        origin: &Path,
    ) -> Result<(), CheckpointError> {
        let network = apply(self.learner.network().clone(), weights, origin)?;
        let config = self.train.policy();
        let optimiser = AdamW::from_state(config.adam, optimiser, &self.device);
        self.learner = CotLearner::resume(network, config, optimiser, step);
        Ok(())
    }
}
