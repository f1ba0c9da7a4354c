//! The loss of one batch.

use burn::tensor::Tensor;
use rand::{Rng, RngExt};

use super::batch::Batch;
use super::config::TrainConfig;
use super::gradients::GradientSet;
use super::metrics::Losses;
use crate::host;
use crate::mdt::denoiser::{GoalHead, Tokens};
use crate::mdt::loss::{ActionLoss, ActionNoise, action_loss};
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

/// Where a loss is reported.
type Slot = fn(&mut Losses) -> &mut f32;

/// Weighted sum of the action loss and the auxiliary losses (equation 8 of the paper, with inverse
/// dynamics added).
///
/// Half of the rows have told and half have shown goals, so that their mean is the mean of the
/// authors' two datasets. `progress` in [0, 1] says how much of the training is done.
pub fn batch_loss(
    model: &Mdt,
    network: &MdtConfig,
    train: &TrainConfig,
    (batch, progress): (Batch, f64),
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
    let goals = Goals::of(model, &batch);
    let told = batch.told;
    let aligned = goals.aligned.filter(|_| train.alignment_weight > 0.0);
    let inputs = Inputs {
        goal: goals.policy.clone(),
        ..batch.inputs
    };

    // All pictures share the encoders' pass: the observations, later ones, and, where the encoders
    // see the goal, those with told goals once more with the shown ones.
    let future = batch.future.map(|mut future| {
        let count = future.inputs.goal.dims()[0];
        future.inputs.goal = goals.policy.narrow(0, future.first_row, count);
        future
    });
    let later = future
        .as_ref()
        .filter(|_| train.inverse_dynamics_weight > 0.0 && model.inverse_dynamics.is_some())
        .map(|future| future.inputs.clone());
    let again = aligned.clone().filter(|_| network.cameras_see_goal());
    let (views, later, again) = encode(model, &inputs, later, again.as_ref());

    let action = action_loss(
        model.denoiser(),
        &network.diffusion,
        Mdt::tokens(&inputs, views.clone()),
        batch.actions,
        &noise,
    );
    let loss = action.per_sample.clone().mean();
    let mut total = loss.clone();
    let mut parts: Vec<(Slot, Tensor<1>)> = vec![(|losses| &mut losses.action, loss)];

    if let (Some(head), Some(future), Some(later)) = (&model.inverse_dynamics, &future, later) {
        let count = future.between.dims()[0];
        let before = views.narrow(future.first_row, count).joined();
        let loss = head
            .loss(before, later.joined(), future.between.clone())
            .mean();
        total = total + loss.clone() * train.inverse_dynamics_weight;
        parts.push((|losses| &mut losses.inverse_dynamics, loss));
    }
    if let (Some(decoder), Some(future), true) =
        (&model.gen_img, future, train.foresight_weight > 0.0)
    {
        let [count, ..] = future.targets.dims();
        let uniforms = (0..count * decoder.patches())
            .map(|_| rng.random::<f32>())
            .collect::<Vec<_>>();
        let context = action.context.clone().narrow(0, future.first_row, count);
        let mask = decoder.choose(&context, &future.targets, &uniforms, progress);
        let loss = decoder.forward(context, future.targets, mask).loss.mean();
        total = total + loss.clone() * train.foresight_weight;
        parts.push((|losses| &mut losses.foresight, loss));
    }
    if let Some(aligned) = aligned {
        let views = again.unwrap_or_else(|| views.narrow(aligned.first_row, aligned.count()));
        let shown = Mdt::tokens(&aligned.shown(&inputs), views);
        if let Some(loss) = alignment(model, network, &action, aligned.first_row, shown) {
            // The other half of the batch has no such loss.
            let share = told as f32 / rows as f32;
            total = total + loss.clone() * (train.alignment_weight * share);
            parts.push((|losses| &mut losses.alignment, loss));
        }
    }
    parts.push((|losses| &mut losses.total, total.clone()));
    (total, report(parts))
}

/// Goal vectors of a batch.
struct Goals {
    /// What the policy is conditioned on, `[rows, goal_dim]`: told ones, then shown ones.
    policy: Tensor<2>,
    /// Told rows with shown goals too.
    aligned: Option<Aligned>,
}

/// Told rows whose contexts are aligned with those of shown goals.
#[derive(Clone)]
struct Aligned {
    /// The first of them; the others follow it up to the last told row.
    first_row: usize,
    /// Their shown goals, `[rows, goal_dim]`.
    goals: Tensor<2>,
}

impl Aligned {
    fn count(&self) -> usize {
        self.goals.dims()[0]
    }

    /// The rows' inputs with shown goals in place of the told ones.
    fn shown(&self, inputs: &Inputs) -> Inputs {
        Inputs {
            goal: self.goals.clone(),
            ..inputs.narrow(self.first_row, self.count())
        }
    }
}

impl Goals {
    fn of(model: &Mdt, batch: &Batch) -> Self {
        let texts = &batch.inputs.goal;
        let (Some(encoder), Some(shown)) = (&model.goal_encoder, &batch.shown) else {
            return Self {
                policy: texts.clone(),
                aligned: None,
            };
        };
        let count = shown.images.dims()[0];
        let present = batch.inputs.static_images.clone();
        let present = present.narrow(0, shown.first_row, count);
        let images = encoder.forward(present, shown.images.clone());
        let skipped = batch.told - shown.first_row.min(batch.told);
        let own = images.clone().narrow(0, skipped, count - skipped);
        Self {
            policy: match batch.told {
                0 => own,
                told => Tensor::cat(vec![texts.clone().narrow(0, 0, told), own], 0),
            },
            aligned: (skipped > 0).then(|| Aligned {
                first_row: shown.first_row,
                goals: images.narrow(0, 0, skipped),
            }),
        }
    }
}

/// Contrast between the contexts of some told rows, from `first_row` on, and those of the same rows
/// with shown goals, whose encoder inputs are `shown`.
fn alignment(
    model: &Mdt,
    network: &MdtConfig,
    action: &ActionLoss,
    first_row: usize,
    shown: Tokens,
) -> Option<Tensor<1>> {
    let config = network.alignment.as_ref()?;
    let count = shown.goal.dims()[0];
    let noise = action.noise.clone().narrow(0, first_row, count);
    let images = model
        .denoiser()
        .context(shown, GoalHead::Language, Some(&noise));
    let texts = action.context.clone().narrow(0, first_row, count);
    let contrast = model.contrast(config, images, texts)?;
    Some(contrast.symmetric().mean())
}

/// Encodes the pictures of a batch, later ones, and some of the batch towards other goals `again`, in
/// one pass.
fn encode(
    model: &Mdt,
    first: &Inputs,
    later: Option<Inputs>,
    again: Option<&Aligned>,
) -> (Views, Option<Views>, Option<Views>) {
    if later.is_none() && again.is_none() {
        return (model.views(first), None, None);
    }
    // Rows from the first on need not be there twice: see `ResNet::forward`.
    let (again_first, again_apart) = match again {
        Some(again) if again.first_row == 0 => (Some(&again.goals), None),
        Some(again) => (None, Some(again.shown(first))),
        None => (None, None),
    };
    let all = || std::iter::once(first).chain(&later).chain(&again_apart);
    let images =
        |of: fn(&Inputs) -> &Tensor<4>| Tensor::cat(all().map(|i| of(i).clone()).collect(), 0);
    let goals = all().map(|inputs| &inputs.goal).chain(again_first);
    let views = model.views(&Inputs {
        static_images: images(|inputs| &inputs.static_images),
        gripper_images: images(|inputs| &inputs.gripper_images),
        goal: Tensor::cat(goals.cloned().collect(), 0),
        // The image encoders do not read what follows.
        head: GoalHead::default(),
        proprioception: None,
    });
    let mut start = 0;
    let mut next = |goals: &Tensor<2>| {
        let count = goals.dims()[0];
        start += count;
        views.narrow(start - count, count)
    };
    let own = next(&first.goal);
    let later = later.map(|later| next(&later.goal));
    (own, later, again.map(|again| next(&again.goals)))
}

/// Reads all numbers from the device at once.
fn report(parts: Vec<(Slot, Tensor<1>)>) -> Step {
    let (slots, tensors): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let values = host::values(Tensor::cat(tensors, 0));
    let mut step = Step::default();
    for (slot, value) in slots.into_iter().zip(values) {
        *slot(&mut step.losses) = value;
    }
    step
}
