//! What a HILP policy is made of.

use cerebellum_messages::{ActionSpace, GoalKind, TCP_DELTA_DIM};
use serde::{Deserialize, Serialize};

use super::ObservationShape;
use super::variant::VariantConfig;
use crate::mdt::config::TABLETOP_PROPRIOCEPTION;
use crate::policy::{CameraSpec, PolicySpec, scales_problem};

/// What the networks read of an observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum InputConfig {
    /// The proprioception vector ([`crate::mdt::inputs::proprioception`]), normalised. A state goal
    /// is such a vector, not normalised: tool position (3), two columns of its rotation matrix (6),
    /// gripper opening (1), arm joints (7).
    Proprioception,
    /// That, and behind it what a tracking system reports of the thing on the table
    /// ([`super::inputs::tracked_state`]), normalised. A state goal is such a vector, not
    /// normalised.
    Tracked,
    /// Square pictures, their channels one camera after the other. An image goal holds a picture of
    /// each of these cameras, side by side from left to right, and names them joined by `+`.
    Cameras {
        /// Names of the cameras.
        names: Vec<String>,
        /// Rows and columns of each picture.
        size: usize,
    },
}

impl InputConfig {
    /// What an observation becomes.
    pub const fn shape(&self) -> ObservationShape {
        match self {
            Self::Proprioception => ObservationShape::State {
                width: TABLETOP_PROPRIOCEPTION,
            },
            Self::Tracked => ObservationShape::State {
                width: TABLETOP_PROPRIOCEPTION + THING + OFFSET,
            },
            Self::Cameras { names, size } => ObservationShape::Image {
                height: *size,
                width: *size,
                channels: 3 * names.len(),
            },
        }
    }

    /// Numbers of the normalised vector; 0 for pictures.
    pub const fn statistics(&self) -> usize {
        match self {
            Self::Proprioception | Self::Tracked => self.shape().len(),
            Self::Cameras { .. } => 0,
        }
    }

    /// Whether observations become vectors.
    pub const fn is_vector(&self) -> bool {
        matches!(self, Self::Proprioception | Self::Tracked)
    }
}

/// Numbers that a tracking system reports of a thing.
pub const THING: usize = 15;
/// Numbers of the way from the tool to it.
pub const OFFSET: usize = 3;

/// Midpoint planning ([`super::planning`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MidpointConfig {
    /// States of the training data that the package keeps as candidates.
    pub candidates: usize,
    /// Candidates whose mean is a midpoint.
    pub nearest: usize,
    /// How often the goal is replaced.
    pub recursions: usize,
}

impl Default for MidpointConfig {
    fn default() -> Self {
        Self {
            candidates: 5000,
            nearest: 50,
            recursions: 3,
        }
    }
}

/// A HILP policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HilpConfig {
    /// Name for logs and reports.
    pub name: String,
    /// What the networks read.
    pub inputs: InputConfig,
    /// The networks.
    pub network: VariantConfig,
    /// Midpoint planning; `None` to go straight.
    pub midpoints: Option<MidpointConfig>,
    /// Actions per chunk. The policy decides on one action per observation, as in the paper; the
    /// chunk repeats it, so that the robot is not left without actions while the next is planned.
    pub horizon: usize,
    /// Actions per second for which the policy was trained.
    pub rate_hz: f64,
    /// Metres of tool motion per tick at action value 1.
    pub translation_scale: f64,
    /// Radians of tool rotation per tick at action value 1.
    pub rotation_scale: f64,
}

impl HilpConfig {
    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        if let Some(problem) = self.network.problem() {
            return Some(problem);
        }
        if let InputConfig::Cameras { names, .. } = &self.inputs {
            if names.is_empty() {
                return Some("inputs: no camera is named".into());
            }
            if names
                .iter()
                .any(|name| name.is_empty() || name.contains('+'))
            {
                return Some("inputs: names of cameras are not empty and hold no `+`".into());
            }
        }
        let (found, expected) = (self.network.observation(), self.inputs.shape());
        if found != expected {
            return Some(format!(
                "the network takes {found:?}, but its inputs are {expected:?}"
            ));
        }
        if self.network.action_dim() != TCP_DELTA_DIM {
            return Some(format!(
                "actions of {} numbers, expected {TCP_DELTA_DIM}",
                self.network.action_dim()
            ));
        }
        if self.horizon == 0 {
            return Some("horizon must be positive".into());
        }
        if self.goals().is_empty() {
            return Some(
                "it can be prompted with nothing: features `concat` reach no goals, and rewards \
                 need features `state`"
                    .into(),
            );
        }
        let scales = [self.rate_hz, self.translation_scale, self.rotation_scale];
        if let Some(problem) = scales_problem(scales) {
            return Some(problem);
        }
        if matches!(self.network, VariantConfig::Baseline(_)) && self.midpoints.is_some() {
            return Some("midpoints: a baseline has no distances to plan with".into());
        }
        match self.midpoints {
            Some(m) if m.candidates == 0 || m.nearest == 0 || m.recursions == 0 => {
                Some("midpoints: candidates, nearest and recursions must be positive".into())
            }
            Some(m) if m.nearest > m.candidates => {
                Some("midpoints: nearest is more than candidates".into())
            }
            _ => None,
        }
    }

    /// Kinds of goals taken.
    pub fn goals(&self) -> Vec<GoalKind> {
        let mut goals = Vec::new();
        let vector = self.inputs.is_vector();
        if self.network.reaches_goals() {
            goals.push(if vector {
                GoalKind::State
            } else {
                GoalKind::Image
            });
        }
        // Samples of a reward come with states, which are vectors.
        if vector && self.network.takes_rewards() {
            goals.push(GoalKind::Reward);
        }
        goals
    }

    /// What the policy needs and gives.
    pub fn spec(&self) -> PolicySpec {
        let cameras = match &self.inputs {
            InputConfig::Proprioception | InputConfig::Tracked => Vec::new(),
            InputConfig::Cameras { names, size } => names
                .iter()
                .map(|name| CameraSpec {
                    name: name.clone(),
                    width: *size as u32,
                    height: *size as u32,
                })
                .collect(),
        };
        PolicySpec {
            name: self.name.clone(),
            family: "hilp".into(),
            cameras,
            proprioception: self.inputs.is_vector(),
            world: 0,
            goals: self.goals(),
            action_space: ActionSpace::TcpDelta,
            action_dim: TCP_DELTA_DIM,
            horizon: self.horizon,
            rate_hz: self.rate_hz,
            translation_scale: self.translation_scale,
            rotation_scale: self.rotation_scale,
        }
    }
}
