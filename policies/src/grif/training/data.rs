//! Batches of demonstrations.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use cerebellum_messages::TCP_DELTA_DIM;
use rand::{Rng, RngExt};
use rayon::prelude::*;

use super::config::GrifTraining;
use crate::error::CheckpointError;
use crate::grif::data::actions::ActionStatistics;
use crate::grif::data::augment::AugmentDraws;
use crate::grif::data::goals::GoalDraws;
use crate::grif::inputs::{Eyes, stacked};
use crate::grif::loss::Batch;
use crate::grif::model::Scene;
use crate::grif::policy_config::GrifPolicyConfig;
use crate::grif::task_encoder::{Picture, TaskInput};
use crate::mdt::Statistics;
use crate::training::dataset::{DemoDataset, Moment};

/// Mean and spread of all actions, of which none counts as smaller than this.
const LEAST_SPREAD: f32 = 1e-2;

/// Statistics of the demonstrations' actions.
pub fn action_statistics(data: &DemoDataset) -> ActionStatistics {
    let numbers = data.episodes().iter();
    let numbers = numbers.flat_map(|episode| episode.actions.iter().copied());
    let found = Statistics::of(numbers, TCP_DELTA_DIM);
    ActionStatistics {
        mean: found.proprioception_mean,
        std: found
            .proprioception_std
            .into_iter()
            .map(|std| std.max(LEAST_SPREAD))
            .collect(),
    }
}

/// Why a policy cannot learn from demonstrations, if so.
pub fn problem(data: &DemoDataset, config: &GrifPolicyConfig) -> Option<String> {
    if data.is_empty() {
        return Some("there are no demonstrations".into());
    }
    data.episodes()
        .iter()
        .enumerate()
        .find_map(|(index, episode)| {
            let unfit = |reason: String| Some(format!("demonstration {index}: {reason}"));
            if episode.action_dim != TCP_DELTA_DIM {
                return unfit(format!("{} numbers per action", episode.action_dim));
            }
            let states = episode.steps() * config.network.proprioception;
            if states > 0 && episode.proprioception.len() != states {
                return unfit("proprioception of another width than the network's".into());
            }
            config.cameras.iter().find_map(|camera| {
                let size = episode.tracks.get(camera).map(|track| track.size);
                if size == Some(config.side()) {
                    return None;
                }
                unfit(format!(
                    "camera `{camera}` has {} pixels, the network wants {}",
                    size.map_or_else(|| "no".into(), |size| size.to_string()),
                    config.side()
                ))
            })
        })
}

/// Makes batches.
pub(super) struct Batcher<'a> {
    pub(super) data: &'a DemoDataset,
    pub(super) config: &'a GrifPolicyConfig,
    pub(super) statistics: &'a Statistics,
    /// Vectors of the sentences that may be used.
    pub(super) sentences: &'a BTreeMap<String, Vec<f32>>,
    pub(super) train: &'a GrifTraining,
}

/// One sample.
struct Row {
    now: Vec<f32>,
    first: Vec<u8>,
    goal: Vec<u8>,
    sentence: Option<Vec<f32>>,
    state: Vec<f32>,
    actions: Vec<f32>,
}

impl Batcher<'_> {
    /// The given moments; those before `told` may keep their sentence.
    ///
    /// # Errors
    /// If a picture cannot be read.
    pub(super) fn batch(
        &self,
        moments: &[usize],
        told: usize,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Result<Batch, CheckpointError> {
        let chances = moments
            .iter()
            .map(|_| {
                let goal = GoalDraws::draw(rng);
                (goal, AugmentDraws::independent(&self.train.augment, rng))
            })
            .collect::<Vec<_>>();
        let rows = moments
            .par_iter()
            .zip(chances)
            .enumerate()
            .map(|(row, (&moment, chance))| self.row(moment, row < told, chance))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.stack(rows, device))
    }

    fn row(
        &self,
        index: usize,
        told: bool,
        (goal, change): (GoalDraws, AugmentDraws),
    ) -> Result<Row, CheckpointError> {
        let missing = || CheckpointError::Format {
            path: "demonstrations".into(),
            reason: format!("there is no moment {index} in {}", self.data.len()),
        };
        let moment = self.data.moment(index).ok_or_else(missing)?;
        let beginning = Moment { step: 0, ..moment };
        let instruction = &moment.episode.instruction;
        let sentence = self.sentences.get(instruction).filter(|_| told);
        let steps = moment.episode.steps();
        let choice = self
            .train
            .goals
            .choose(goal, moment.step, steps, sentence.is_some());
        let mut rgb = Vec::new();
        let side = self.config.side();
        let mut see = |moment: Moment<'_>, camera: &str, ahead: usize| {
            moment.image(camera, ahead, &mut rgb)?;
            Ok::<_, CheckpointError>(self.train.augment.apply(&rgb, side, &change))
        };
        let cameras = self.config.cameras.iter();
        let views = cameras.map(|camera| see(moment, camera, 0));
        let views = views.collect::<Result<Vec<_>, _>>()?;
        let views = views.iter().map(Vec::as_slice).collect::<Vec<_>>();
        let mut now = Vec::with_capacity(views.len() * 3 * side * side);
        stacked(&views, &mut now);
        let camera = self.config.cameras.first().map_or("", String::as_str);
        // A transition's goal is the picture after it.
        let ahead = choice.transition + 1 - moment.step;
        let mut actions = Vec::with_capacity(self.config.chunk * TCP_DELTA_DIM);
        moment.actions(self.config.chunk, &mut actions);
        for action in actions.chunks_exact_mut(TCP_DELTA_DIM) {
            self.config.actions.normalize(action);
        }
        let mut state = Vec::new();
        if let Some(raw) = moment.proprioception(self.config.network.proprioception) {
            self.statistics.normalise(raw, &mut state);
        }
        Ok(Row {
            now,
            first: see(beginning, camera, 0)?,
            goal: see(moment, camera, ahead)?,
            sentence: sentence.filter(|_| choice.keeps_sentence).cloned(),
            state,
            actions,
        })
    }

    fn stack(&self, rows: Vec<Row>, device: &Device) -> Batch {
        let count = rows.len();
        let network = &self.config.network;
        let eyes = Eyes::of(network);
        let width = self.sentences.values().map(Vec::len).max().unwrap_or(1);
        let mut nobody = vec![0.0; width];
        nobody[0] = 1.0;
        let (mut now, mut states, mut actions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut firsts, mut goals, mut sentences) = (Vec::new(), Vec::new(), Vec::new());
        let mut labelled = Vec::with_capacity(count);
        for row in rows {
            now.extend(row.now);
            states.extend(row.state);
            actions.extend(row.actions);
            firsts.push(row.first);
            goals.push(row.goal);
            labelled.push(row.sentence.is_some());
            // A row without a sentence is left out of every loss of sentences.
            sentences.extend(row.sentence.as_ref().unwrap_or(&nobody));
        }
        let matrix = |values: Vec<f32>| -> Tensor<2> {
            let shape = [count, values.len() / count.max(1)];
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        Batch {
            scene: Scene {
                now: Picture {
                    bytes: eyes.bytes(now, count, device),
                    normal: None,
                },
                first: eyes.picture(&firsts, device),
                proprioception: (!states.is_empty()).then(|| matrix(states)),
            },
            goals: Some(eyes.goal(&goals, device)),
            sentences: Some(TaskInput::Embedding(matrix(sentences))),
            labelled,
            actions: matrix(actions),
            action_weights: vec![1.0; count],
            blocked: None,
        }
    }
}

/// `count` of `from`, with repetition.
pub(super) fn pick(from: &[usize], count: usize, rng: &mut impl Rng) -> Vec<usize> {
    let draw = |_| from.get(rng.random_range(0..from.len().max(1))).copied();
    (0..count).filter_map(draw).collect()
}
