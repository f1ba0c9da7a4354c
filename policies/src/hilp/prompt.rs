//! From what is asked to φ of a goal, or to a skill.

use burn::tensor::Device;
use cerebellum_messages::{Goal, GoalSpec};

use super::config::{HilpConfig, InputConfig};
use super::inputs::InputRows;
use super::statistics::host;
use super::variant::Acting;
use crate::error::PolicyError;
use crate::mdt::Statistics;

/// What the policy follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompt {
    /// The way to a state with this φ.
    Towards(Vec<f32>),
    /// A skill.
    Along(Vec<f32>),
}

impl Prompt {
    /// The prompt of a goal under given networks.
    ///
    /// # Errors
    /// If the policy does not take goals of this kind, or its content does not fit.
    pub fn of(
        goal: &Goal,
        config: &HilpConfig,
        statistics: &Statistics,
        acting: &Acting,
        device: &Device,
    ) -> Result<Self, PolicyError> {
        let accepted = config.goals();
        if !accepted.contains(&goal.kind()) {
            return Err(PolicyError::GoalKind {
                policy: config.name.clone(),
                accepted,
                found: goal.kind(),
            });
        }
        let refuse = |reason: String| PolicyError::GoalContent {
            id: goal.id,
            reason,
        };
        goal.validate()
            .map_err(|invalid| refuse(invalid.to_string()))?;
        let width = config.inputs.shape().len();
        let mut rows = InputRows::new(&config.inputs, statistics);
        match (&goal.spec, &config.inputs) {
            (GoalSpec::State { values }, inputs) if inputs.is_vector() => {
                if values.len() != width {
                    return Err(refuse(format!(
                        "its state has {} numbers, expected {width}: tool position (3), two \
                         columns of its rotation matrix (6), gripper opening (1), arm joints (7), \
                         and of a policy that reads a tracking system the thing (18)",
                        values.len()
                    )));
                }
                rows.push_states(values);
            }
            (GoalSpec::Image { frame }, InputConfig::Cameras { .. }) => {
                rows.push_goal_picture(frame).map_err(refuse)?;
            }
            (GoalSpec::Reward { states, rewards }, inputs) if inputs.is_vector() => {
                if states.len() != width * rewards.len() {
                    return Err(refuse(format!(
                        "{} rewards with {} numbers of states, expected {width} numbers each",
                        rewards.len(),
                        states.len()
                    )));
                }
                rows.push_states(states);
                let phi = acting.phi(rows.finish(device));
                let skill = config.network.skill_of_rewards(phi, rewards);
                if skill.iter().all(|value| *value == 0.0) {
                    return Err(refuse(
                        "its rewards single out no states: they are all zero, or no linear \
                         function of φ"
                            .into(),
                    ));
                }
                return finite(skill, goal.id).map(Self::Along);
            }
            _ => {
                return Err(PolicyError::GoalKind {
                    policy: config.name.clone(),
                    accepted,
                    found: goal.kind(),
                });
            }
        }
        finite(host(acting.phi(rows.finish(device))), goal.id).map(Self::Towards)
    }
}

fn finite(vector: Vec<f32>, id: u64) -> Result<Vec<f32>, PolicyError> {
    if vector.iter().all(|value| value.is_finite()) {
        return Ok(vector);
    }
    Err(PolicyError::GoalContent {
        id,
        reason: "its vector is not finite".into(),
    })
}
