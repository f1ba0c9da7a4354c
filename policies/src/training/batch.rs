//! Batches of demonstrations as network inputs.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use rayon::prelude::*;

use super::augment::{AugmentConfig, Augmentation};
use super::config::TrainConfig;
use super::dataset::DemoDataset;
use super::goal_frames::GoalFrames;
use super::order::Draw;
use crate::error::CheckpointError;
use crate::images::{Normaliser, resize};
use crate::mdt::denoiser::GoalHead;
use crate::mdt::model::Inputs;
use crate::mdt::{MdtConfig, Statistics};

/// Goal vectors by instruction.
pub type GoalTable = BTreeMap<String, Vec<f32>>;

/// A batch on the device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Inputs of all rows. The goal vectors are those of the instructions in the first `told` rows
    /// and zero in the others.
    pub inputs: Inputs,
    /// Rows whose goal is told; that of the others is shown.
    pub told: usize,
    /// Goal pictures, if the network takes them.
    pub shown: Option<Shown>,
    /// Actions, `[rows, horizon, action_dim]`.
    pub actions: Tensor<3>,
    /// Later observations of some rows.
    pub future: Option<Future>,
}

/// Goal pictures.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The first row that has one; all after it have one too.
    pub first_row: usize,
    /// Normalised and augmented, `[rows - first_row, size, size, 3]`.
    pub images: Tensor<4>,
}

/// Observations `lookahead` steps later.
#[derive(Clone, Debug)]
pub struct Future {
    /// The first row that they belong to; the others follow it. The rows lie around the border of
    /// told and shown goals, so that there are as many of both as can be.
    pub first_row: usize,
    /// Network inputs (images augmented independently of the first ones), without goals.
    pub inputs: Inputs,
    /// Reconstruction targets, not augmented: `[rows, 2, side, side, 3]`.
    pub targets: Tensor<5>,
    /// Executed actions in between, `[rows, lookahead * action_dim]`.
    pub between: Tensor<2>,
}

/// What a batch is to hold beside observations, actions and goals.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras {
    /// Rows with later observations.
    pub future_rows: usize,
    /// Told rows that have goal pictures too: the last ones.
    pub shown_told: usize,
}

impl Extras {
    /// What training of a network needs in a shard of which `told` rows have told goals.
    pub fn of(network: &MdtConfig, train: &TrainConfig, told: usize) -> Self {
        Self {
            future_rows: train.auxiliary_rows(),
            shown_told: match &network.alignment {
                Some(_) => train.aligned_rows(told),
                None => 0,
            },
        }
    }
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
    /// Where goal pictures lie.
    pub goal_frames: GoalFrames,
}

/// Random numbers of one row.
struct Chance {
    /// Of the two images, the two later ones and the goal picture.
    changes: [Augmentation; 5],
    /// Steps to the goal picture.
    goal_ahead: usize,
}

/// What one row is to hold.
#[derive(Clone, Copy)]
struct Wanted {
    told: bool,
    shown: bool,
    future: bool,
}

struct Row {
    images: [Vec<f32>; 2],
    goal: Vec<f32>,
    state: Vec<f32>,
    actions: Vec<f32>,
    shown: Option<Vec<f32>>,
    future: Option<FutureRow>,
}

struct FutureRow {
    images: [Vec<f32>; 2],
    targets: Vec<f32>,
    between: Vec<f32>,
}

impl Batcher<'_> {
    /// The given moments. Random numbers are drawn in a fixed order.
    ///
    /// # Errors
    /// If a picture cannot be read.
    pub fn batch(
        &self,
        draw: &Draw,
        extras: Extras,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Result<Batch, CheckpointError> {
        let moments = draw.moments().collect::<Vec<_>>();
        let chances = moments
            .iter()
            .map(|_| Chance {
                changes: [(); 5].map(|()| self.augment.draw(rng)),
                goal_ahead: self.goal_frames.draw(rng),
            })
            .collect::<Vec<_>>();
        let told = draw.told.len();
        let first_shown = told.saturating_sub(extras.shown_told);
        let future_rows = extras.future_rows.min(moments.len());
        let first_future = told
            .saturating_sub(future_rows / 2)
            .min(moments.len() - future_rows);
        let future = first_future..first_future + future_rows;
        let normaliser = Normaliser::default();
        let rows = moments
            .par_iter()
            .zip(chances)
            .enumerate()
            .map(|(row, (&moment, chance))| {
                let wanted = Wanted {
                    told: row < told,
                    shown: self.config.goal_encoder.is_some() && row >= first_shown,
                    future: future.contains(&row),
                };
                self.row(moment, wanted, &chance, &normaliser)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.stack(rows, told, [first_shown, first_future], device))
    }

    fn row(
        &self,
        index: usize,
        wanted: Wanted,
        chance: &Chance,
        normaliser: &Normaliser,
    ) -> Result<Row, CheckpointError> {
        let d = &self.config.denoiser;
        let moment = self
            .dataset
            .moment(index)
            .ok_or_else(|| CheckpointError::Format {
                path: "demonstrations".into(),
                reason: format!("there is no moment {index} in {}", self.dataset.len()),
            })?;
        let lookahead = self.lookahead();
        let mut rgb = Vec::new();
        let mut image = |camera: usize, ahead: usize, change: &Augmentation| {
            let camera = self.config.cameras()[camera];
            moment.image(&camera.name, ahead, &mut rgb)?;
            let mut values = Vec::with_capacity(rgb.len());
            normaliser.apply(&change.apply(&rgb, camera.size), &mut values);
            Ok::<_, CheckpointError>(values)
        };
        let [first, second, third, fourth, fifth] = &chance.changes;
        let images = [image(0, 0, first)?, image(1, 0, second)?];
        let mut later = None;
        if wanted.future {
            let mut targets = Vec::new();
            if let Some(foresight) = &self.config.foresight {
                for camera in 0..2 {
                    let size = self.config.cameras()[camera].size;
                    let whole = image(camera, lookahead, &Augmentation::NONE)?;
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
        // What moved is told by where it is in both pictures: they are shifted alike.
        let goal_change = Augmentation {
            offset: first.offset,
            ..*fifth
        };
        let shown = wanted
            .shown
            .then(|| image(0, chance.goal_ahead, &goal_change))
            .transpose()?;
        let mut actions = Vec::with_capacity(d.horizon * d.action_dim);
        moment.actions(d.horizon, &mut actions);
        let mut state = Vec::with_capacity(d.proprioception);
        if let Some(vector) = moment.proprioception(d.proprioception) {
            self.statistics.normalise(vector, &mut state);
        }
        let goal = wanted
            .told
            .then(|| self.goals.get(&moment.episode.instruction).cloned())
            .flatten();
        Ok(Row {
            images,
            goal: goal.unwrap_or_else(|| vec![0.0; d.goal_dim]),
            state,
            actions,
            shown,
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

    fn stack(
        &self,
        rows: Vec<Row>,
        told: usize,
        [first_shown, first_future]: [usize; 2],
        device: &Device,
    ) -> Batch {
        let d = &self.config.denoiser;
        let count = rows.len();
        let mut images = [Vec::new(), Vec::new()];
        let mut later = [Vec::new(), Vec::new()];
        let (mut goals, mut states, mut actions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut targets, mut between) = (Vec::new(), Vec::new());
        let (mut shown, mut shows) = (Vec::new(), 0);
        let mut futures = 0;
        for row in rows {
            for (all, one) in images.iter_mut().zip(row.images) {
                all.extend(one);
            }
            goals.extend(row.goal);
            states.extend(row.state);
            actions.extend(row.actions);
            if let Some(picture) = row.shown {
                shows += 1;
                shown.extend(picture);
            }
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
        let told_rows = (0..count).map(|row| row < told).collect::<Vec<_>>();
        let inputs = Inputs {
            head: GoalHead::of(&told_rows, device),
            ..self.inputs(images, goals, states, count, device)
        };
        let size = self.config.static_camera.size;
        let shown = (shows > 0).then(|| Shown {
            first_row: first_shown,
            images: Tensor::from_data(TensorData::new(shown, [shows, size, size, 3]), device),
        });
        let future = (futures > 0).then(|| Future {
            first_row: first_future,
            targets: Tensor::from_data(
                TensorData::new(targets, [futures, 2, side, side, 3]),
                device,
            ),
            between: Tensor::from_data(
                TensorData::new(between, [futures, self.lookahead() * d.action_dim]),
                device,
            ),
            // No context is made of later observations.
            inputs: self.inputs(
                later,
                vec![0.0; futures * d.goal_dim],
                Vec::new(),
                futures,
                device,
            ),
        });
        Batch {
            actions: Tensor::from_data(
                TensorData::new(actions, [count, d.horizon, d.action_dim]),
                device,
            ),
            inputs,
            told,
            shown,
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
            head: GoalHead::default(),
            static_images: images(static_images, static_size),
            gripper_images: images(gripper_images, gripper_size),
            goal: Tensor::from_data(TensorData::new(goals, [rows, d.goal_dim]), device),
            proprioception: (!states.is_empty()).then(|| {
                Tensor::from_data(TensorData::new(states, [rows, d.proprioception]), device)
            }),
        }
    }
}
