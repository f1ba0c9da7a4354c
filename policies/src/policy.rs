//! The seam that the runtime sees: any learned policy, whatever is inside.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cerebellum_messages::{ActionChunk, ActionSpace, Goal, GoalKind, LatentSample, Observation};
use serde::{Deserialize, Serialize};

use crate::error::PolicyError;

/// One camera that a policy looks through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraSpec {
    /// Name of the camera.
    pub name: String,
    /// Columns that the policy expects.
    pub width: u32,
    /// Rows that the policy expects.
    pub height: u32,
}

/// What a policy needs and what it gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    /// Name for logs and reports, for example `mdt-tabletop`.
    pub name: String,
    /// Family, for example `mdt`.
    pub family: String,
    /// Cameras.
    pub cameras: Vec<CameraSpec>,
    /// Whether the joint state (and the tool pose) is an input.
    pub proprioception: bool,
    /// Numbers of the world's true state that are an input; 0 where none are.
    #[serde(default)]
    pub world: usize,
    /// Kinds of goals taken.
    pub goals: Vec<GoalKind>,
    /// Meaning of the actions.
    pub action_space: ActionSpace,
    /// Numbers per action.
    pub action_dim: usize,
    /// Actions per chunk.
    pub horizon: usize,
    /// Actions per second for which the policy was trained.
    pub rate_hz: f64,
    /// For [`ActionSpace::TcpDelta`]: metres of tool motion per tick at action value 1.
    pub translation_scale: f64,
    /// For [`ActionSpace::TcpDelta`]: radians of tool rotation per tick at action value 1.
    pub rotation_scale: f64,
}

/// Why rate and scales of a policy's actions cannot be used, if so.
pub(crate) fn scales_problem(scales: [f64; 3]) -> Option<String> {
    let positive = |scale: &f64| scale.is_finite() && *scale > 0.0;
    (!scales.iter().all(positive)).then(|| "rate_hz and the scales must be positive".into())
}

/// A vector of one observation that is worth watching.
pub(crate) fn latent(
    observation: &Observation,
    generation: u64,
    name: &str,
    values: Vec<f32>,
) -> LatentSample {
    LatentSample {
        stamp: observation.stamp,
        tick: observation.tick,
        generation,
        name: name.into(),
        shape: vec![values.len() as u32],
        values,
    }
}

/// How much a plan may cost. Planning is an anytime computation: it stops at whichever bound comes
/// first and returns the best chunk so far.
#[derive(Clone, Copy, Debug)]
pub struct PlanBudget {
    /// When the chunk must be ready; `None` for no bound (lockstep, offline evaluation).
    pub deadline: Option<Instant>,
    /// Most denoising steps (or refinement steps of another kind).
    pub max_steps: u32,
    /// Seed of all noise that the plan draws, so that a log can be replayed bit for bit.
    pub seed: u64,
}

/// What a call of [`Policy::plan`] gives.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The actions. `goal_id`, `observed` and `stamp` are copied from the inputs.
    pub chunk: ActionChunk,
    /// Vectors worth watching.
    pub latents: Vec<LatentSample>,
    /// Time spent on encoding the inputs.
    pub encode: Duration,
    /// Time spent on refinement.
    pub refine: Duration,
}

/// A set of named tensors: weights as they travel between learner, inference and disk.
///
/// Cheap to clone. Little-endian f32, row-major, under the module's own key names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// Tensors by key, sorted.
    pub tensors: Arc<BTreeMap<String, WeightTensor>>,
    /// Generation; 0 is what was trained offline.
    pub generation: u64,
}

/// One tensor of [`Weights`].
#[derive(Clone, Debug, PartialEq)]
pub struct WeightTensor {
    /// Shape.
    pub shape: Vec<usize>,
    /// Values, row-major; `shape` multiplies to their number.
    pub values: Vec<f32>,
}

/// What the runtime needs of any policy. Called from one thread, which owns the device's stream.
pub trait Policy: Send {
    /// What the policy needs and gives.
    fn spec(&self) -> &PolicySpec;

    /// Takes a new goal and forgets the last plan.
    ///
    /// # Errors
    /// If the policy does not take goals of this kind, or the goal's content does not fit.
    fn reset(&mut self, goal: &Goal) -> Result<(), PolicyError>;

    /// Plans a chunk from an observation towards the goal of the last [`Policy::reset`].
    ///
    /// # Errors
    /// If no goal is set, an input is missing or of the wrong size, or an output is not finite.
    fn plan(&mut self, observation: &Observation, budget: PlanBudget) -> Result<Plan, PolicyError>;

    /// Replaces the weights. Called between plans only.
    ///
    /// # Errors
    /// If a key is missing or unknown or a shape differs; the old weights stay in force then.
    fn load(&mut self, weights: &Weights) -> Result<(), PolicyError>;

    /// The weights in force.
    fn weights(&self) -> Weights;
}
