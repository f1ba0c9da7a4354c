//! What the robot is asked to achieve.

use serde::{Deserialize, Serialize};

use crate::Frame;

/// Kinds of goals; a policy names those it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum GoalKind {
    /// An instruction in natural language.
    Language = 0,
    /// A picture of the wanted outcome.
    Image = 1,
    /// A wanted joint or world state.
    State = 2,
    /// Samples of a reward function.
    Reward = 3,
    /// Discovered concepts to go through in order.
    Concept = 4,
}

/// The content of a goal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GoalSpec {
    /// An instruction, UTF-8.
    Language {
        /// The instruction.
        text: String,
    },
    /// A picture of the wanted outcome.
    Image {
        /// The picture; its camera name says which view it is.
        frame: Frame,
    },
    /// A wanted state vector, in the policy's state order.
    State {
        /// The state.
        values: Vec<f32>,
    },
    /// Reward samples, paired with state vectors of equal width.
    Reward {
        /// `rewards.len()` states, row-major.
        states: Vec<f32>,
        /// One reward per state.
        rewards: Vec<f32>,
    },
    /// Concept ids in the order to reach them.
    Concept {
        /// The ids.
        ids: Vec<u32>,
    },
}

/// A goal with the identity by which actions and logs refer to it (`cerebellum_msgs/Goal`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// Chosen by the sender; a new id starts a new goal even if the content is equal.
    pub id: u64,
    /// What to achieve.
    pub spec: GoalSpec,
}

impl Goal {
    /// The goal's kind.
    pub const fn kind(&self) -> GoalKind {
        match self.spec {
            GoalSpec::Language { .. } => GoalKind::Language,
            GoalSpec::Image { .. } => GoalKind::Image,
            GoalSpec::State { .. } => GoalKind::State,
            GoalSpec::Reward { .. } => GoalKind::Reward,
            GoalSpec::Concept { .. } => GoalKind::Concept,
        }
    }
}
