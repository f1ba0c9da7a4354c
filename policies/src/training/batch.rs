//! Batches of demonstrations as network inputs.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::augment::{AugmentConfig, Augmentation};
use super::dataset::DemoDataset;
use crate::error::CheckpointError;
use crate::images::{Normaliser, resize};
use crate::mdt::model::Inputs;
use crate::mdt::{MdtConfig, Statistics};

/// Goal vectors by instruction.
pub type GoalTable = BTreeMap<String, Vec<f32>>;

/// The order of samples: every epoch is a permutation that depends on the seed and the epoch alone,
/// so that a resumed run sees what an uninterrupted one would.
#[derive(Clone, Debug)]
pub struct Order {
    seed: u64,
    epoch: u64,
    permutation: Vec<u32>,
}

impl Order {
    /// Over `samples` samples.
    pub fn new(samples: usize, seed: u64) -> Self {
        let mut order = Self {
            seed,
            epoch: 0,
            permutation: (0..samples as u32).collect(),
        };
        order.shuffle(0);
        order
    }

    fn shuffle(&mut self, epoch: u64) {
        // Streams of steps count up from 0, those of epochs down from the end.
        let mut rng = stream(self.seed, u64::MAX - epoch);
        self.permutation.sort_unstable();
        self.permutation.shuffle(&mut rng);
        self.epoch = epoch;
    }

    /// Samples of batch `step`, `size` of them.
    pub fn batch(&mut self, step: u64, size: usize) -> Vec<usize> {
        let count = self.permutation.len() as u64;
        if count == 0 {
            return Vec::new();
        }
        (0..size as u64)
            .map(|i| {
                let position = step * size as u64 + i;
                let epoch = position / count;
                if epoch != self.epoch {
                    self.shuffle(epoch);
                }
                self.permutation[(position % count) as usize] as usize
            })
            .collect()
    }
}

/// Random numbers of one step, or of whatever `stream` counts.
pub fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// A batch on the device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Inputs of all rows.
    pub inputs: Inputs,
    /// Actions, `[rows, horizon, action_dim]`.
    pub actions: Tensor<3>,
    /// Later observations of the first rows.
    pub future: Option<Future>,
}

/// Observations `lookahead` steps later.
#[derive(Clone, Debug)]
pub struct Future {
    /// Network inputs (images augmented independently of the first ones).
    pub inputs: Inputs,
    /// Reconstruction targets, not augmented: `[rows, 2, side, side, 3]`.
    pub targets: Tensor<5>,
    /// Executed actions in between, `[rows, lookahead * action_dim]`.
    pub between: Tensor<2>,
}

/// Makes batches.
pub struct Batcher<'a> {
    /// Where from.
    pub dataset: &'a DemoDataset,
    /// For which network.
    pub config: &'a MdtConfig,
    /// Statistics of proprioception.
    pub statistics: &'a Statistics,
    /// Goal vectors; instructions that are not in it count as zero vectors.
    pub goals: &'a GoalTable,
    /// Change of images.
    pub augment: AugmentConfig,
}

struct Row {
    images: [Vec<f32>; 2],
    goal: Vec<f32>,
    state: Vec<f32>,
    actions: Vec<f32>,
    future: Option<FutureRow>,
}

struct FutureRow {
    images: [Vec<f32>; 2],
    targets: Vec<f32>,
    between: Vec<f32>,
}

impl Row {
    /// For an index beyond the data.
    fn blank(config: &MdtConfig) -> Self {
        let d = &config.denoiser;
        Self {
            images: config
                .cameras()
                .map(|camera| vec![0.0; camera.size * camera.size * 3]),
            goal: vec![0.0; d.goal_dim],
            state: vec![0.0; d.proprioception],
            actions: vec![0.0; d.horizon * d.action_dim],
            future: None,
        }
    }
}

impl Batcher<'_> {
    /// The given moments; the first `future_rows` of them with what comes after. Random numbers for
    /// the augmentation are drawn in a fixed order.
    ///
    /// # Errors
    /// If a picture cannot be read.
    pub fn batch(
        &self,
        moments: &[usize],
        future_rows: usize,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Result<Batch, CheckpointError> {
        let changes = moments
            .iter()
            .map(|_| [(); 4].map(|()| self.augment.draw(rng)))
            .collect::<Vec<_>>();
        let normaliser = Normaliser::default();
        let rows = moments
            .par_iter()
            .zip(changes)
            .enumerate()
            .map(|(row, (&moment, changes))| {
                self.row(moment, row < future_rows, changes, &normaliser)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.stack(rows, device))
    }

    fn row(
        &self,
        index: usize,
        future: bool,
        changes: [Augmentation; 4],
        normaliser: &Normaliser,
    ) -> Result<Row, CheckpointError> {
        let d = &self.config.denoiser;
        let Some(moment) = self.dataset.moment(index) else {
            return Ok(Row::blank(self.config));
        };
        let lookahead = self.lookahead();
        let mut rgb = Vec::new();
        let mut image = |camera: usize, ahead: usize, change: Augmentation| {
            let camera = self.config.cameras()[camera];
            moment.image(&camera.name, ahead, &mut rgb)?;
            let mut values = Vec::with_capacity(rgb.len());
            normaliser.apply(&change.apply(&rgb, camera.size), &mut values);
            Ok::<_, CheckpointError>(values)
        };
        let [first, second, third, fourth] = changes;
        let images = [image(0, 0, first)?, image(1, 0, second)?];
        let mut later = None;
        if future {
            let mut targets = Vec::new();
            if let Some(foresight) = &self.config.foresight {
                for camera in 0..2 {
                    let size = self.config.cameras()[camera].size;
                    let whole = image(camera, lookahead, Augmentation::NONE)?;
                    targets.extend(resize(&whole, 3, size, foresight.resolution));
                }
            }
            let mut between = Vec::with_capacity(lookahead * d.action_dim);
            moment.actions(lookahead, &mut between);
            later = Some(FutureRow {
                images: [image(0, lookahead, third)?, image(1, lookahead, fourth)?],
                targets,
                between,
            });
        }
        let mut actions = Vec::with_capacity(d.horizon * d.action_dim);
        moment.actions(d.horizon, &mut actions);
        let mut state = Vec::with_capacity(d.proprioception);
        if let Some(vector) = moment.proprioception(d.proprioception) {
            self.statistics.normalise(vector, &mut state);
        }
        let goal = self.goals.get(&moment.episode.instruction).cloned();
        Ok(Row {
            images,
            goal: goal.unwrap_or_else(|| vec![0.0; d.goal_dim]),
            state,
            actions,
            future: later,
        })
    }

    /// Steps between an observation and its future.
    fn lookahead(&self) -> usize {
        self.config
            .foresight
            .as_ref()
            .map_or(1, |f| f.lookahead as usize)
    }

    fn stack(&self, rows: Vec<Row>, device: &Device) -> Batch {
        let d = &self.config.denoiser;
        let count = rows.len();
        let mut images = [Vec::new(), Vec::new()];
        let mut later = [Vec::new(), Vec::new()];
        let (mut goals, mut states, mut actions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut targets, mut between) = (Vec::new(), Vec::new());
        let mut futures = 0;
        for row in rows {
            for (all, one) in images.iter_mut().zip(row.images) {
                all.extend(one);
            }
            goals.extend(row.goal);
            states.extend(row.state);
            actions.extend(row.actions);
            if let Some(future) = row.future {
                futures += 1;
                for (all, one) in later.iter_mut().zip(future.images) {
                    all.extend(one);
                }
                targets.extend(future.targets);
                between.extend(future.between);
            }
        }
        let side = self.config.foresight.as_ref().map_or(0, |f| f.resolution);
        let inputs = self.inputs(images, goals, states, count, device);
        let future = (futures > 0).then(|| Future {
            targets: Tensor::from_data(
                TensorData::new(targets, [futures, 2, side, side, 3]),
                device,
            ),
            between: Tensor::from_data(
                TensorData::new(between, [futures, self.lookahead() * d.action_dim]),
                device,
            ),
            inputs: Inputs {
                goal: inputs.goal.clone().narrow(0, 0, futures),
                // The encoders do not read it, and no context is made of later observations.
                proprioception: None,
                ..self.inputs(
                    later,
                    vec![0.0; futures * d.goal_dim],
                    Vec::new(),
                    futures,
                    device,
                )
            },
        });
        Batch {
            actions: Tensor::from_data(
                TensorData::new(actions, [count, d.horizon, d.action_dim]),
                device,
            ),
            inputs,
            future,
        }
    }

    fn inputs(
        &self,
        [static_images, gripper_images]: [Vec<f32>; 2],
        goals: Vec<f32>,
        states: Vec<f32>,
        rows: usize,
        device: &Device,
    ) -> Inputs {
        let d = &self.config.denoiser;
        let [static_size, gripper_size] = self.config.cameras().map(|camera| camera.size);
        let images = |values: Vec<f32>, size: usize| {
            Tensor::from_data(TensorData::new(values, [rows, size, size, 3]), device)
        };
        Inputs {
            static_images: images(static_images, static_size),
            gripper_images: images(gripper_images, gripper_size),
            goal: Tensor::from_data(TensorData::new(goals, [rows, d.goal_dim]), device),
            proprioception: (!states.is_empty()).then(|| {
                Tensor::from_data(TensorData::new(states, [rows, d.proprioception]), device)
            }),
        }
    }
}
