//! What discovery minimises.

use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::batch::DiscoveryBatch;
use super::codebook::{Assignment, Codebook, Quantised};
use super::error::InfoConError;
use super::losses::{against, mask_worst, next_turn, step_errors};
use super::model::InfoCon;
use super::prototypes::Prototypes;
use super::sa_net::{Discrimination, ScoreActionNet};
use super::schedules::{confidence, future_weight, masked_share};
use super::segments::Segments;
use super::window::Windows;
use crate::host;

/// Which losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All.
    #[default]
    Goal,
    /// Reconstruction and clustering alone: the pre-training that keeps concepts from collapsing.
    Reconstruction,
}

/// Weights of the losses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveConfig {
    /// Which losses.
    pub mode: Mode,
    /// Of the clustering losses.
    pub cluster_weight: f64,
    /// Of reconstruction, in [`Mode::Goal`].
    pub reconstruction_weight: f64,
    /// Whether steps with bad action predictions are left out of the clustering losses, fewer and
    /// fewer of them (an option of the authors' code, off in their scripts).
    pub mask_worst: bool,
}

impl ObjectiveConfig {
    /// The weights of the authors' scripts.
    pub const PUBLISHED: Self = Self {
        mode: Mode::Goal,
        cluster_weight: 1e-3,
        reconstruction_weight: 0.1,
        mask_worst: false,
    };
}

/// Where a run is.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// From 0 to 1.
    pub progress: f64,
    /// The concept whose classifier was trained last; 0 at the start.
    pub turn: usize,
}

/// Everything that the losses of one batch were made of.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// What is minimised, one number.
    pub total: Tensor<1>,
    /// Keys before the codebook, `[batch, steps, key_dim]`.
    pub keys: Tensor<3>,
    /// Concepts by the prototypes before they moved.
    pub assignment: Assignment,
    /// Where the prototypes moved.
    pub moved: Prototypes,
    /// Weights, keys and parameters by the moved prototypes.
    pub quantised: Quantised,
    /// One where the own concept's weight is still pushed up, `[batch, steps]`.
    pub unsure: Tensor<2>,
    /// Reconstructed states, `[batch, steps, state_dim]`.
    pub reconstruction: Tensor<3>,
    /// Loss of reconstruction.
    pub reconstruction_loss: Tensor<1>,
    /// Loss of clustering.
    pub cluster_loss: Tensor<1>,
    /// The rest, in [`Mode::Goal`].
    pub goal: Option<GoalParts>,
}

/// The parts of the two goals.
#[derive(Clone, Debug)]
pub struct GoalParts {
    /// The state in which every step's segment ends, `[batch, steps, state_dim]`.
    pub key_states: Tensor<3>,
    /// One where that end was seen, `[batch, steps]`.
    pub closed: Tensor<2>,
    /// Predicted key states; `None` while their weight is 0.
    pub future: Option<Tensor<3>>,
    /// Weight of their loss.
    pub future_weight: f64,
    /// Loss of key states.
    pub future_loss: Tensor<1>,
    /// Scores, their gradients, and actions.
    pub discrimination: Discrimination,
    /// Loss of actions.
    pub action_loss: Tensor<1>,
    /// Share of steps that [`ObjectiveConfig::mask_worst`] leaves out, and the mask, `[batch,
    /// steps]`.
    pub masked: Option<(f64, Tensor<2>)>,
    /// Loss of scores under the steps' own concepts.
    pub own_loss: Tensor<1>,
    /// The concept whose classifier was trained.
    pub turn: usize,
    /// Its score of every step, flipped where the step belongs to another, `[batch, steps]`.
    pub turn_score: Tensor<2>,
    /// Loss of the classifier.
    pub turn_loss: Tensor<1>,
    /// Loss of next states, which is only watched; `None` for windows of one step.
    pub transition_loss: Option<Tensor<1>>,
}

/// Losses of a batch.
///
/// # Errors
/// If the batch does not fit.
pub fn discover(
    model: &InfoCon,
    batch: &DiscoveryBatch,
    config: &ObjectiveConfig,
    stage: Stage,
) -> Result<Discovery, InfoConError> {
    batch.check()?;
    let [state_features, action_features] = model.key_net.features(&batch.windows);
    let keys = model.key_net.key_predictor.forward(state_features);
    let book = &model.key_book;
    let prototypes = book.prototypes();
    let mut assignment = book.assign(keys.clone(), &batch.times, &prototypes);
    let moved = book.moved(&prototypes, &assignment);
    if let Some(draws) = &batch.draws {
        assignment = book.drawn(assignment, &moved, draws);
    }
    let quantised = book.quantise(&assignment, &moved);

    let reconstruction = model.rec_net.forward(quantised.keys.clone());
    let states = batch.windows.states();
    let errors = step_errors(reconstruction.clone(), states, &batch.lengths);
    let reconstruction_loss = errors.mean();

    let limit = confidence(stage.progress);
    let own_weight = quantised.log_own_weight.clone().detach().exp();
    let unsure = own_weight.lower_scalar(limit).float();
    let mut cluster = -quantised.log_own_weight.clone() * unsure.clone() * quantised.rarity.clone();

    let goal = match config.mode {
        Mode::Goal => Some(goals(
            model,
            batch,
            config,
            stage,
            (&assignment, &quantised, action_features),
        )?),
        Mode::Reconstruction => None,
    };
    if let Some((_, mask)) = goal.as_ref().and_then(|goal| goal.masked.as_ref()) {
        cluster = cluster * mask.clone();
    }
    let cluster_loss = cluster.sum() / prototypes.len() as f64;
    let total = match &goal {
        None => reconstruction_loss.clone() + cluster_loss.clone() * config.cluster_weight,
        Some(goal) => {
            let clustering = cluster_loss.clone() + goal.own_loss.clone() + goal.turn_loss.clone();
            goal.action_loss.clone()
                + goal.future_loss.clone() * goal.future_weight
                + reconstruction_loss.clone() * config.reconstruction_weight
                + clustering * config.cluster_weight
        }
    };
    Ok(Discovery {
        total,
        keys,
        assignment,
        moved,
        quantised,
        unsure,
        reconstruction,
        reconstruction_loss,
        cluster_loss,
        goal,
    })
}

fn goals(
    model: &InfoCon,
    batch: &DiscoveryBatch,
    config: &ObjectiveConfig,
    stage: Stage,
    (assignment, quantised, action_features): (&Assignment, &Quantised, Tensor<3>),
) -> Result<GoalParts, InfoConError> {
    let windows = &batch.windows;
    let [rows, steps] = windows.shape();
    let device = windows.device();
    let concepts = assignment.concepts.as_slice();
    let (key_states, closed) = key_states(windows, concepts);

    let weight = future_weight(stage.progress);
    let future = (weight > 0.0).then(|| model.future_net.forward(windows, quantised.keys.clone()));
    let future_loss = match &future {
        Some(future) => {
            let errors = step_errors(future.clone(), key_states.clone(), &batch.lengths);
            (errors * closed.clone()).mean()
        }
        None => Tensor::zeros([1], &device),
    };

    let discrimination = model.sa_net.forward(
        windows,
        quantised.parameters.clone(),
        Some(key_states.clone()),
    );
    let actions = windows.actions().map_or_else(
        || discrimination.actions.zeros_like(),
        |actions| actions.clone().narrow(1, 0, steps),
    );
    let action_errors = step_errors(discrimination.actions.clone(), actions, &batch.lengths);
    let masked = config.mask_worst.then(|| {
        let share = masked_share(stage.progress);
        let mask = mask_worst(&host::values(action_errors.clone().detach()), share);
        let mask = Tensor::from_data(TensorData::new(mask, [rows, steps]), &device);
        (share, mask)
    });
    let kept = |loss: Tensor<2>| match &masked {
        Some((_, mask)) => loss * mask.clone(),
        None => loss,
    };

    let logit = discrimination.score.logit.clone().reshape([rows, steps]);
    let own = kept(against(logit)) * quantised.rarity.clone();
    let turn = next_turn(stage.turn, model.key_book.concepts(), concepts)
        .ok_or_else(|| InfoConError::input("number of steps", 0, "at least 1"))?;
    let (turn_score, turn_logit) =
        classified(&model.sa_net, &model.key_book, windows, concepts, turn);
    let turn_loss = kept(against(turn_logit)).mean();

    let transition_loss = model.key_net.next_states(action_features).map(|next| {
        let lengths = batch.lengths.iter().map(|length| length.saturating_sub(1));
        let target = windows.states().narrow(1, 1, steps - 1);
        step_errors(next, target, &lengths.collect::<Vec<_>>()).mean()
    });
    Ok(GoalParts {
        key_states,
        closed,
        future,
        future_weight: weight,
        future_loss,
        discrimination,
        action_loss: action_errors.mean(),
        masked,
        own_loss: own.sum() / model.key_book.concepts() as f64,
        turn,
        turn_score,
        turn_loss,
        transition_loss,
    })
}

/// Where every step's segment ends (`[batch, steps, state_dim]`), and one where that was seen
/// (`[batch, steps]`). Concepts are row-major.
pub fn key_states(windows: &Windows, concepts: &[usize]) -> (Tensor<3>, Tensor<2>) {
    let [rows, steps] = windows.shape();
    let device = windows.device();
    let mut ends = Vec::with_capacity(rows * steps);
    let mut closed = Vec::with_capacity(rows * steps);
    for (row, concepts) in concepts.chunks_exact(steps).enumerate() {
        let segments = Segments::of(concepts);
        ends.extend(segments.ends.iter().map(|end| (row * steps + end) as i64));
        closed.extend(segments.closed.iter().map(|&closed| f32::from(closed)));
    }
    let states = windows.states();
    let [_, _, width] = states.dims();
    let ends: Tensor<1, Int> = Tensor::from_data(TensorData::new(ends, [rows * steps]), &device);
    let states = states.reshape([rows * steps, width]).select(0, ends);
    let closed = Tensor::from_data(TensorData::new(closed, [rows, steps]), &device);
    (states.reshape([rows, steps, width]), closed)
}

/// Scores of all steps under one concept, flipped where a step belongs to another, and their
/// logits, each `[batch, steps]`. The concept's parameters get gradients here only.
pub fn classified(
    sa_net: &ScoreActionNet,
    key_book: &Codebook,
    windows: &Windows,
    concepts: &[usize],
    concept: usize,
) -> (Tensor<2>, Tensor<2>) {
    let [rows, steps] = windows.shape();
    let states = windows.states();
    let [_, _, width] = states.dims();
    let score = sa_net.hyper_score().score(
        states.reshape([rows * steps, width]),
        key_book.parameters_of(concept),
    );
    let signs = concepts
        .iter()
        .map(|&own| if own == concept { 1.0f32 } else { -1.0 });
    let signs = TensorData::new(signs.collect::<Vec<_>>(), [rows, steps]);
    // One minus a sigmoid is the sigmoid of the negative.
    let logit = score.logit.reshape([rows, steps]) * Tensor::from_data(signs, &windows.device());
    (burn::tensor::activation::sigmoid(logit.clone()), logit)
}
