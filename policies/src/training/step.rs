//! The loss of one batch.

use burn::tensor::Tensor;
use rand::{Rng, RngExt};

use super::batch::Batch;
use super::config::TrainConfig;
use super::gradients::GradientSet;
use super::metrics::Losses;
use crate::host;
use crate::mdt::loss::{ActionNoise, action_loss};
use crate::mdt::model::{Inputs, Views};
use crate::mdt::{Mdt, MdtConfig};

/// Numbers of one step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// Losses before the step.
    pub losses: Losses,
    /// Norm of the gradient, before clipping.
    pub grad_norm: f32,
}

impl Step {
    /// No gradients and a loss that is not finite, so that the step is skipped.
    pub(super) fn failed() -> (GradientSet, Self) {
        let mut step = Self::default();
        step.losses.total = f32::NAN;
        (GradientSet::default(), step)
    }
}

/// Weighted sum of the action loss and the auxiliary losses (equation 8 of the paper, with inverse
/// dynamics added and without the contrastive term, which needs image goals).
pub fn batch_loss(
    model: &Mdt,
    network: &MdtConfig,
    train: &TrainConfig,
    batch: Batch,
    rng: &mut impl Rng,
) -> (Tensor<1>, Step) {
    let [rows, horizon, width] = batch.actions.dims();
    let noise = ActionNoise::draw(
        &network.diffusion,
        rows,
        train.noise_draws,
        horizon * width,
        rng,
    );
    // Later observations share the encoders' pass.
    let later = batch
        .future
        .as_ref()
        .filter(|_| train.inverse_dynamics_weight > 0.0 && model.inverse_dynamics.is_some());
    let (views, later) = match later {
        Some(future) => {
            let all = model.views(&joined(&batch.inputs, &future.inputs));
            let count = future.inputs.goal.dims()[0];
            (part(&all, 0, rows), Some(part(&all, rows, count)))
        }
        None => (model.views(&batch.inputs), None),
    };
    let tokens = Mdt::tokens(&batch.inputs, views.clone());
    let action = action_loss(
        model.denoiser(),
        &network.diffusion,
        tokens,
        batch.actions,
        &noise,
    );
    let mut total = action.per_sample.mean();
    let mut parts = vec![total.clone()];
    let mut step = Step::default();

    if let (Some(head), Some(future), Some(later)) = (&model.inverse_dynamics, &batch.future, later)
    {
        let count = future.between.dims()[0];
        let before = part(&views, 0, count).joined();
        let loss = head
            .loss(before, later.joined(), future.between.clone())
            .mean();
        total = total + loss.clone() * train.inverse_dynamics_weight;
        parts.push(loss);
        step.losses.inverse_dynamics = 1.0;
    }
    if let (Some(decoder), Some(future), true) =
        (&model.gen_img, batch.future, train.foresight_weight > 0.0)
    {
        let [count, ..] = future.targets.dims();
        let uniforms = (0..count * decoder.patches())
            .map(|_| rng.random::<f32>())
            .collect::<Vec<_>>();
        let context = action.context.narrow(0, 0, count);
        let loss = decoder
            .forward(context, future.targets, decoder.mask(&uniforms))
            .loss
            .mean();
        total = total + loss.clone() * train.foresight_weight;
        parts.push(loss);
        step.losses.foresight = 1.0;
    }

    // One read for all numbers; the marks above say which of them there are.
    let numbers = Tensor::cat(parts.into_iter().chain([total.clone()]).collect(), 0);
    let mut values = host::values(numbers).into_iter();
    let mut next = || values.next().unwrap_or(f32::NAN);
    step.losses.action = next();
    if step.losses.inverse_dynamics > 0.0 {
        step.losses.inverse_dynamics = next();
    }
    if step.losses.foresight > 0.0 {
        step.losses.foresight = next();
    }
    step.losses.total = next();
    (total, step)
}

fn joined(first: &Inputs, second: &Inputs) -> Inputs {
    let images = |a: &Tensor<4>, b: &Tensor<4>| Tensor::cat(vec![a.clone(), b.clone()], 0);
    Inputs {
        static_images: images(&first.static_images, &second.static_images),
        gripper_images: images(&first.gripper_images, &second.gripper_images),
        goal: Tensor::cat(vec![first.goal.clone(), second.goal.clone()], 0),
        proprioception: None,
    }
}

fn part(views: &Views, start: usize, count: usize) -> Views {
    Views {
        static_view: views.static_view.clone().narrow(0, start, count),
        gripper_view: views.gripper_view.clone().narrow(0, start, count),
    }
}
