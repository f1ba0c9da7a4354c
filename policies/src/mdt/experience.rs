//! Losses that an MDT follows on recent experience, one number per moment.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use cerebellum_messages::{Goal, GoalKind};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::MdtConfig;
use super::denoiser::GoalHead;
use super::goals::{GoalVectors, PreparedGoal};
use super::inputs::{GoalVector, InputBatch, foresight_targets, pixels};
use super::model::{Inputs, Mdt};
use super::statistics::Statistics;
use crate::error::{LearnError, PolicyError};
use crate::images::Normaliser;
use crate::online::ExperienceBatch;

/// A batch of moments before a network.
pub(super) struct Experienced<'a> {
    config: &'a MdtConfig,
    statistics: &'a Statistics,
    model: &'a Mdt,
    batch: &'a ExperienceBatch,
    device: &'a Device,
    vectors: Vec<GoalVector>,
    /// Network inputs of the moments.
    pub(super) inputs: Inputs,
}

impl<'a> Experienced<'a> {
    /// Encodes the goals and puts the inputs on `device`, where `model` is.
    ///
    /// # Errors
    /// If the batch is empty, or a moment lacks an input or has a goal that the policy cannot take.
    pub(super) fn new(
        (config, statistics): (&'a MdtConfig, &'a Statistics),
        model: &'a Mdt,
        goals: &GoalVectors,
        batch: &'a ExperienceBatch,
        device: &'a Device,
    ) -> Result<Self, LearnError> {
        if batch.moments.is_empty() {
            return Err(LearnError::Batch("it is empty".into()));
        }
        let vectors = encoded(goals.clone(), model, batch, device)?;
        let mut now = InputBatch::new(config, statistics);
        for (moment, vector) in batch.moments.iter().zip(&vectors) {
            now.push(&moment.observation, vector)?;
        }
        let inputs = now.finish(device);
        Ok(Self {
            config,
            statistics,
            model,
            batch,
            device,
            vectors,
            inputs,
        })
    }

    /// Masked generative foresight, `[moments]`; `None` if the network has no decoder for it.
    pub(super) fn foresight(&self) -> Result<Option<Tensor<1>>, LearnError> {
        let (Some(decoder), Some(config)) = (&self.model.gen_img, &self.config.foresight) else {
            return Ok(None);
        };
        self.refuse_noise()?;
        let moments = &self.batch.moments;
        let future = moments.iter().map(|moment| &moment.future);
        let targets = foresight_targets(future, self.config, config.resolution, self.device)?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.batch.seed);
        let uniforms = (0..moments.len() * decoder.patches())
            .map(|_| rng.random::<f32>())
            .collect::<Vec<_>>();
        let context = self.model.context(&self.inputs, None);
        // A policy at work has been trained.
        let mask = decoder.choose(&context, &targets, &uniforms, 1.0);
        Ok(Some(decoder.forward(context, targets, mask).loss))
    }

    /// Inverse dynamics over `lookahead` ticks, `[moments]`; `None` if the network has no head for
    /// it.
    pub(super) fn inverse_dynamics(
        &self,
        lookahead: usize,
    ) -> Result<Option<Tensor<1>>, LearnError> {
        let Some(head) = &self.model.inverse_dynamics else {
            return Ok(None);
        };
        let moments = &self.batch.moments;
        let width = lookahead * self.config.denoiser.action_dim;
        let mut actions = Vec::with_capacity(moments.len() * width);
        let mut later = InputBatch::new(self.config, self.statistics);
        for (index, (moment, vector)) in moments.iter().zip(&self.vectors).enumerate() {
            let executed = moment.actions.get(..width).ok_or_else(|| {
                LearnError::Batch(format!(
                    "moment {index} has {} action numbers, inverse dynamics needs {width}",
                    moment.actions.len()
                ))
            })?;
            actions.extend_from_slice(executed);
            later.push(&moment.future, vector)?;
        }
        let before = self.model.views(&self.inputs).joined();
        let after = self.model.views(&later.finish(self.device)).joined();
        let shape = [moments.len(), width];
        let actions = Tensor::from_data(TensorData::new(actions, shape), self.device);
        Ok(Some(head.loss(before, after, actions)))
    }

    /// Contrastive alignment, `[moments]`, with each later picture as the goal that is shown;
    /// `None` if the network is not aligned.
    ///
    /// Moments that were not told their goal have the loss 0. The others' is scaled so that the mean
    /// over the batch is their mean; with fewer than two of them there is nothing to tell apart.
    pub(super) fn alignment(&self) -> Result<Option<Tensor<1>>, LearnError> {
        let (Some(scale), Some(encoder), Some(config)) = (
            &self.model.logit_scale,
            &self.model.goal_encoder,
            &self.config.alignment,
        ) else {
            return Ok(None);
        };
        self.refuse_noise()?;
        let moments = &self.batch.moments;
        let told = (0..moments.len())
            .filter(|&index| moments[index].goal.kind() == GoalKind::Language)
            .collect::<Vec<_>>();
        if told.len() < 2 {
            return Ok(Some(scale.val().repeat_dim(0, moments.len()) * 0.0));
        }
        let camera = &self.config.static_camera;
        let normaliser = Normaliser::default();
        let mut shown = Vec::new();
        for &index in &told {
            normaliser.apply(pixels(&moments[index].future, camera)?, &mut shown);
        }
        let shape = [told.len(), camera.size, camera.size, 3];
        let shown = Tensor::from_data(TensorData::new(shown, shape), self.device);

        let rows = told.iter().map(|&index| index as i64).collect::<Vec<_>>();
        let rows = Tensor::from_data(TensorData::new(rows, [told.len()]), self.device);
        let by_text = self.inputs.select(&rows);
        let views = self.model.views(&by_text);
        let by_image = Inputs {
            goal: encoder.forward(by_text.static_images.clone(), shown),
            ..by_text.clone()
        };
        let again = if self.config.cameras_see_goal() {
            self.model.views(&by_image)
        } else {
            views.clone()
        };
        let denoiser = self.model.denoiser();
        let texts = denoiser.policy_context(Mdt::tokens(&by_text, views), None);
        let images = denoiser.context(Mdt::tokens(&by_image, again), GoalHead::Language, None);
        let Some(contrast) = self.model.contrast(config, images, texts) else {
            return Ok(None);
        };
        let losses = contrast.symmetric() * (moments.len() as f64 / told.len() as f64);
        let silent = Tensor::<1>::zeros([1], self.device);
        let all = (0..moments.len()).map(|index| match told.binary_search(&index) {
            Ok(pair) => losses.clone().narrow(0, pair, 1),
            Err(_) => silent.clone(),
        });
        Ok(Some(Tensor::cat(all.collect(), 0)))
    }

    fn refuse_noise(&self) -> Result<(), LearnError> {
        if self.model.denoiser().context_has_noise() {
            return Err(LearnError::Batch(
                "this network's context depends on a noise level".into(),
            ));
        }
        Ok(())
    }
}

/// The vector of every moment's goal. A goal that is in force at several moments is prepared once.
fn encoded(
    mut goals: GoalVectors,
    model: &Mdt,
    batch: &ExperienceBatch,
    device: &Device,
) -> Result<Vec<GoalVector>, PolicyError> {
    let mut known = BTreeMap::<u64, (&Goal, PreparedGoal)>::new();
    let mut vectors = Vec::with_capacity(batch.moments.len());
    for moment in &batch.moments {
        let goal = &moment.goal;
        let prepared = match known.remove(&goal.id) {
            Some((same, prepared)) if same == goal => prepared,
            _ => goals.prepare(goal, model, device)?,
        };
        vectors.push(goals.vector(&prepared, &moment.observation, model, device)?);
        known.insert(goal.id, (goal, prepared));
    }
    Ok(vectors)
}
