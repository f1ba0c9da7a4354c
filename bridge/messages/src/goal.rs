//! What the robot is asked to achieve.

use serde::{Deserialize, Serialize};

use crate::invalid::Check;
use crate::{Frame, Invalid};

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
    /// Chosen by the sender, never 0, which means no goal; a new id starts a new goal even if the
    /// content is equal.
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

    /// Checks that the goal has an id and says something, that all numbers are finite and that rewards divide
    /// their states evenly.
    ///
    /// # Errors
    /// [`Invalid`], naming the field.
    pub fn validate(&self) -> Result<(), Invalid> {
        let check = Check("Goal");
        check.filled("id", usize::from(self.id != 0))?;
        match &self.spec {
            GoalSpec::Language { text } => check.filled("text", text.trim().len()),
            GoalSpec::Image { frame } => frame.validate(),
            GoalSpec::State { values } => {
                check.filled("values", values.len())?;
                check.finite("values", values)
            }
            GoalSpec::Reward { states, rewards } => {
                check.filled("rewards", rewards.len())?;
                check.filled("states", states.len())?;
                let width = states.len().div_ceil(rewards.len());
                check.length("states", states.len(), width * rewards.len())?;
                check.finite("states", states)?;
                check.finite("rewards", rewards)
            }
            GoalSpec::Concept { ids } => check.filled("ids", ids.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_must_say_something() {
        let valid = |spec| Goal { id: 1, spec }.validate();
        let text = |text: &str| GoalSpec::Language {
            text: text.to_owned(),
        };
        assert_eq!(valid(text("push the red cube")), Ok(()));
        let spec = text("push the red cube");
        assert!(Goal { id: 0, spec }.validate().is_err());
        assert!(valid(text(" ")).is_err());
        let reward = |states, rewards| GoalSpec::Reward {
            states: vec![0.0; states],
            rewards: vec![1.0; rewards],
        };
        assert_eq!(valid(reward(6, 3)), Ok(()));
        assert!(valid(reward(7, 3)).is_err());
        assert!(valid(reward(6, 0)).is_err());
        assert!(valid(reward(0, 3)).is_err());
        let values = vec![f32::NAN];
        assert!(valid(GoalSpec::State { values }).is_err());
        assert!(valid(GoalSpec::Concept { ids: vec![] }).is_err());
    }
}
