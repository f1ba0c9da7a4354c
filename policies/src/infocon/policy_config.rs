//! What an InfoCon policy is made of.

use burn::module::Module;
use burn::tensor::Device;
use cerebellum_messages::{ActionSpace, GoalKind, TCP_DELTA_DIM};
use serde::{Deserialize, Serialize};

use super::config::InfoConConfig;
use super::cotpc::{Cotpc, CotpcConfig};
use super::error::InfoConError;
use super::model::InfoCon;
use crate::mdt::config::TABLETOP_PROPRIOCEPTION;
use crate::policy::{PolicySpec, scales_problem};

/// A policy of one task: what discovers its concepts, and what acts on their key states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfoConPolicyConfig {
    /// Name for logs and reports.
    pub name: String,
    /// The task that it was trained on.
    pub task: String,
    /// Numbers of the world's true state, behind the proprioception vector
    /// ([`crate::mdt::inputs::proprioception`]) in a state.
    pub world: usize,
    /// The discovery model.
    pub discovery: InfoConConfig,
    /// The network that acts.
    pub policy: CotpcConfig,
    /// Steps that the task usually takes.
    pub expected_steps: usize,
    /// Concepts in the order in which the demonstrations go through them: the goal that stands for
    /// the task itself.
    pub order: Vec<u32>,
    /// Ticks from an observation to the action that is decided on in it: as long as a plan takes to
    /// reach the robot. The actions before it were decided on earlier.
    pub delay: usize,
    /// Actions per chunk, more than `delay`. The policy decides on one action per observation, as in
    /// the papers; the chunk repeats it after that, for the case that the next one is late.
    pub horizon: usize,
    /// Actions per second for which the policy was trained.
    pub rate_hz: f64,
    /// Metres of tool motion per tick at action value 1.
    pub translation_scale: f64,
    /// Radians of tool rotation per tick at action value 1.
    pub rotation_scale: f64,
}

/// The networks of a policy.
#[derive(Module, Debug)]
pub struct InfoConNetworks {
    /// Reads concepts.
    pub discovery: InfoCon,
    /// Acts.
    pub policy: Cotpc,
}

impl InfoConNetworks {
    /// Fresh networks.
    ///
    /// # Errors
    /// If the sizes do not go together.
    pub fn new(config: &InfoConPolicyConfig, device: &Device) -> Result<Self, InfoConError> {
        Ok(Self {
            discovery: InfoCon::new(&config.discovery, device)?,
            policy: Cotpc::new(&config.policy, device)?,
        })
    }
}

impl InfoConPolicyConfig {
    /// Numbers of a state.
    pub const fn state_dim(&self) -> usize {
        TABLETOP_PROPRIOCEPTION + self.world
    }

    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        let parts = [self.discovery.check(), self.policy.check()];
        if let Some(error) = parts.into_iter().find_map(Result::err) {
            return Some(error.to_string());
        }
        let state_dim = self.state_dim();
        let widths = [
            (self.discovery.state_dim, self.discovery.action_dim),
            (self.policy.state_dim, self.policy.action_dim),
        ];
        if let Some(found) = widths.iter().find(|&&w| w != (state_dim, TCP_DELTA_DIM)) {
            return Some(format!(
                "a network takes states and actions of {found:?} numbers, expected {:?}",
                (state_dim, TCP_DELTA_DIM)
            ));
        }
        if self.horizon <= self.delay || self.expected_steps == 0 {
            return Some("horizon must be more than delay, and expected_steps positive".into());
        }
        let concepts = self.discovery.concepts;
        if self.order.is_empty() || self.order.iter().any(|&id| id as usize >= concepts) {
            return Some(format!(
                "order: at least one concept, each below {concepts}, expected"
            ));
        }
        scales_problem([self.rate_hz, self.translation_scale, self.rotation_scale])
    }

    /// What the policy needs and gives.
    pub fn spec(&self) -> PolicySpec {
        PolicySpec {
            name: self.name.clone(),
            family: "infocon".into(),
            cameras: Vec::new(),
            proprioception: true,
            world: self.world,
            goals: vec![GoalKind::Concept],
            action_space: ActionSpace::TcpDelta,
            action_dim: TCP_DELTA_DIM,
            horizon: self.horizon,
            rate_hz: self.rate_hz,
            translation_scale: self.translation_scale,
            rotation_scale: self.rotation_scale,
        }
    }
}
