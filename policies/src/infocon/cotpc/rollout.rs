//! Acting: the history of an episode and the next action.

use burn::tensor::Device;

use super::config::CotpcConfig;
use super::network::Cotpc;
use crate::host;
use crate::infocon::error::InfoConError;
use crate::infocon::history::History;
use crate::infocon::window::Windows;

/// An episode of the policy.
#[derive(Clone, Debug)]
pub struct Rollout {
    config: CotpcConfig,
    history: History,
}

/// What to do now, and where it should lead.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The action, `action_dim` numbers.
    pub action: Vec<f32>,
    /// Predicted key states by the last predictor, `state_dim` numbers per concept; empty for a
    /// policy without.
    pub key_states: Vec<f32>,
}

impl Rollout {
    /// An episode that has not begun.
    pub const fn new(config: CotpcConfig) -> Self {
        Self {
            history: History::new(config.state_dim, config.action_dim, config.context),
            config,
        }
    }

    /// What was seen and done.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Takes the next state, and the action that led to it (`None` for the first).
    ///
    /// # Errors
    /// As [`History::push`].
    pub fn push(&mut self, action: Option<&[f32]>, state: &[f32]) -> Result<(), InfoConError> {
        self.history.push(action, state)
    }

    /// The window, one row.
    ///
    /// # Errors
    /// If no state was seen yet.
    pub fn windows(&self, device: &Device) -> Result<Windows, InfoConError> {
        let (states, actions) = self.history.tensors(device)?;
        let start = self.history.position(self.config.max_timestep);
        self.config.windows(states, actions, vec![start])
    }

    /// The next action.
    ///
    /// # Errors
    /// If no state was seen yet.
    pub fn decide(&self, network: &Cotpc, device: &Device) -> Result<Decision, InfoConError> {
        let found = network.newest(&self.windows(device)?);
        let key_states = found.key_states.into_iter().next_back();
        Ok(Decision {
            action: host::values(found.actions),
            key_states: key_states.map_or_else(Vec::new, host::values),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn episodes_may_be_longer_than_any_before() -> Result<(), InfoConError> {
        let config = CotpcConfig {
            context: 3,
            width: 8,
            heads: 2,
            layers: 1,
            hidden: 4,
            key_states: 2,
            key_state_hidden: 4,
            ..CotpcConfig::published(2, 1, 4)
        };
        let device = Device::flex();
        let network = Cotpc::new(&config, &device)?;
        let mut rollout = Rollout::new(config);
        assert!(rollout.decide(&network, &device).is_err(), "no state yet");
        rollout.push(None, &[0.0, 0.0])?;
        for _ in 0..20 {
            rollout.push(Some(&[1.0]), &[0.0, 0.0])?;
        }
        let decision = rollout.decide(&network, &device)?;
        assert_eq!((decision.action.len(), decision.key_states.len()), (1, 4));
        Ok(())
    }
}
