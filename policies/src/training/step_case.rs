//! Training steps of the shipped policy's size on random pictures, as benchmarks run them.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::batch::{Batch, Batcher, Extras, GoalTable};
use super::config::TrainConfig;
use super::dataset::DemoDataset;
use super::learner::{Learner, side_by_side};
use super::order::{Draw, stream};
use super::trajectory::{CameraTrack, Trajectory};
use crate::checkpoint::collect;
use crate::checkpoint::file::Tensors;
use crate::error::CheckpointError;
use crate::host;
use crate::mdt::loss::{ActionNoise, normals};
use crate::mdt::{Mdt, MdtConfig, Statistics};
use crate::policy::WeightTensor;

/// Constant, for a step costs the same at any.
const LEARNING_RATE: f32 = 1e-4;

/// Steps of the one demonstration.
const MOMENTS: usize = 128;

/// The instruction of the demonstration.
const INSTRUCTION: &str = "instruction";

/// Loss and norm of the gradient of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepFigures {
    /// Weighted sum of all losses.
    pub loss: f32,
    /// Before clipping.
    pub grad_norm: f32,
}

/// A network, its optimiser, and a batch that every step learns from.
pub struct StepCase {
    network: MdtConfig,
    train: TrainConfig,
    dataset: DemoDataset,
    statistics: Statistics,
    goals: GoalTable,
    draw: Draw,
    device: Device,
    learner: Learner,
    batches: Vec<Batch>,
    number: u64,
}

impl StepCase {
    /// The shipped policy in the settings that it was trained with but for the number of shards.
    ///
    /// # Errors
    /// Never, as the pictures are in memory.
    pub fn shipped(shards: usize) -> Result<Self, CheckpointError> {
        let train = TrainConfig {
            noise_draws: 2,
            auxiliary_share: 0.125,
            shards,
            ..TrainConfig::default()
        };
        Self::new(MdtConfig::tabletop(), train)
    }

    /// Random weights and pictures.
    ///
    /// # Errors
    /// Never, as the pictures are in memory.
    pub fn new(network: MdtConfig, train: TrainConfig) -> Result<Self, CheckpointError> {
        let device = Device::flex().autodiff();
        device.seed(train.seed);
        let mut rng = ChaCha8Rng::seed_from_u64(train.seed);
        let dataset = DemoDataset::new(vec![demonstration(&network, &mut rng)]);
        let goal = normals(network.denoiser.goal_dim, &mut rng);
        let told = train.told_rows();
        let mut case = Self {
            statistics: dataset.statistics(network.denoiser.proprioception),
            goals: BTreeMap::from([(INSTRUCTION.to_owned(), goal)]),
            draw: Draw {
                told: (0..told).map(|row| row % MOMENTS).collect(),
                shown: (told..train.batch).map(|row| row % MOMENTS).collect(),
            },
            learner: Learner::new(Mdt::new(&network, &device), &train),
            batches: Vec::new(),
            number: 0,
            network,
            train,
            dataset,
            device,
        };
        case.batches = case.assemble()?;
        Ok(case)
    }

    /// Numbers that learn.
    pub fn parameters(&self) -> usize {
        let weights = collect(&self.learner.model, 0).tensors;
        weights.values().map(|tensor| tensor.values.len()).sum()
    }

    /// The batch anew: pictures are read, shifted and normalised.
    ///
    /// # Errors
    /// Never, as the pictures are in memory.
    pub fn assemble(&self) -> Result<Vec<Batch>, CheckpointError> {
        let batcher = Batcher {
            dataset: &self.dataset,
            config: &self.network,
            statistics: &self.statistics,
            goals: &self.goals,
            augment: self.train.augment,
            goal_frames: self.train.goal_frames,
        };
        let pieces = self.draw.pieces(self.train.shards);
        let mut rng = self.rng(self.train.shards);
        pieces
            .iter()
            .map(|piece| {
                let extras = Extras::of(&self.network, &self.train, piece.told.len());
                batcher.batch(piece, extras, &mut rng, &self.device)
            })
            .collect()
    }

    fn rng(&self, shard: usize) -> ChaCha8Rng {
        stream(self.train.seed, shard as u64)
    }

    /// Forward and backward pass of all shards, optimiser and moving average. The random numbers
    /// are the same every time. `None` if something was not finite.
    pub fn step(&mut self) -> Option<StepFigures> {
        self.number += 1;
        let this: &Self = self;
        let shards = side_by_side::<CheckpointError>(self.train.shards, |shard| {
            Ok(this.learner.shard(
                &this.network,
                &this.train,
                (this.batches[shard].clone(), 0.0),
                &mut this.rng(shard),
            ))
        });
        let shards = shards.into_iter().collect::<Result<Vec<_>, _>>().ok()?;
        let step = self
            .learner
            .step(shards, &self.train, LEARNING_RATE, self.number)?;
        Some(StepFigures {
            loss: step.losses.total,
            grad_norm: step.grad_norm,
        })
    }

    /// What others compute the same from, if all is one shard: the weights under their keys, and the
    /// batch with its random numbers under `case.`.
    pub fn tensors(&self) -> Option<Tensors> {
        let [batch] = &self.batches[..] else {
            return None;
        };
        let future = batch.future.as_ref()?;
        let foresight = self.learner.model.gen_img.as_ref()?;
        let [rows, horizon, width] = batch.actions.dims();
        let mut rng = self.rng(0);
        let numbers = horizon * width;
        let draws = self.train.noise_draws;
        let noise = ActionNoise::draw(&self.network.diffusion, rows, draws, numbers, &mut rng);
        let [count, ..] = future.targets.dims();
        let uniforms = (0..count * foresight.patches())
            .map(|_| rng.random::<f32>())
            .collect::<Vec<_>>();

        let mut tensors = (*collect(&self.learner.model, 0).tensors).clone();
        let mut add = |name: &str, shape: Vec<usize>, values: Vec<f32>| {
            tensors.insert(format!("case.{name}"), WeightTensor { shape, values });
        };
        let samples = noise.sigma.len();
        add("sigma", vec![samples], noise.sigma);
        add("noise", vec![samples, horizon, width], noise.noise);
        let mask = foresight.mask(&uniforms);
        add("mask", vec![count, foresight.patches()], mask);
        let (inputs, later) = (&batch.inputs, &future.inputs);
        for (name, images) in [
            ("static", &inputs.static_images),
            ("gripper", &inputs.gripper_images),
            ("later_static", &later.static_images),
            ("later_gripper", &later.gripper_images),
            ("goal_images", &batch.shown.as_ref()?.images),
        ] {
            add(name, images.dims().to_vec(), values(images));
        }
        add(
            "targets",
            future.targets.dims().to_vec(),
            values(&future.targets),
        );
        add(
            "actions",
            batch.actions.dims().to_vec(),
            values(&batch.actions),
        );
        let state = inputs.proprioception.as_ref()?;
        for (name, rows) in [
            ("state", state),
            ("goal", &inputs.goal),
            ("between", &future.between),
        ] {
            add(name, rows.dims().to_vec(), values(rows));
        }
        Some(tensors)
    }

    /// What others need beside the tensors, as JSON.
    pub fn description(&self) -> String {
        let batch = self.batches.first();
        let future = batch.and_then(|batch| batch.future.as_ref());
        serde_json::json!({
            "network": self.network,
            "train": {
                "adamw": self.train.adamw,
                "learning_rate": LEARNING_RATE,
                "clip": self.train.clip,
                "average_decay": self.train.average.max,
                "noise_draws": self.train.noise_draws,
                "foresight_weight": self.train.foresight_weight,
                "inverse_dynamics_weight": self.train.inverse_dynamics_weight,
                "alignment_weight": self.train.alignment_weight,
            },
            "case": {
                "told": batch.map(|batch| batch.told),
                "future_row": future.map(|future| future.first_row),
            },
        })
        .to_string()
    }
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    host::values(tensor.clone().inner())
}

/// Noise, seen and done.
fn demonstration(network: &MdtConfig, rng: &mut impl Rng) -> Trajectory {
    let d = &network.denoiser;
    let cameras = network.cameras().map(|camera| CameraTrack {
        name: camera.name.clone(),
        size: camera.size,
        frames: (0..MOMENTS * camera.size * camera.size * 3)
            .map(|_| rng.random())
            .collect(),
    });
    Trajectory {
        task: "task".into(),
        instruction: INSTRUCTION.into(),
        cameras: cameras.into_iter().collect(),
        proprioception: normals(MOMENTS * d.proprioception, rng),
        actions: normals(MOMENTS * d.action_dim, rng),
        action_dim: d.action_dim,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::training::tests::{settings, tiny};

    #[test]
    fn steps_learn_and_can_be_told_to_others() {
        let train = TrainConfig {
            shards: 1,
            ..settings(1)
        };
        let mut case = StepCase::new(tiny(), train).unwrap();
        let tensors = case.tensors().unwrap();
        let learned = tensors.iter().filter(|(key, _)| !key.starts_with("case."));
        let count = learned
            .map(|(_, tensor)| tensor.values.len())
            .sum::<usize>();
        assert_eq!(count, case.parameters());
        let first = case.step().unwrap();
        let losses = (0..4).map(|_| case.step().unwrap().loss);
        assert!(losses.last().unwrap() < first.loss);
    }
}
