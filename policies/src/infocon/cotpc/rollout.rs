//! Acting: the history of an episode and the next action.

use burn::tensor::{Device, Tensor, TensorData};

use super::config::CotpcConfig;
use super::network::{Cotpc, Horizon};
use crate::infocon::error::InfoConError;
use crate::infocon::window::Windows;

/// The newest states and actions of an episode, as many as the context holds.
#[derive(Clone, Debug)]
pub struct Rollout {
    config: CotpcConfig,
    states: Vec<f32>,
    actions: Vec<f32>,
    start: usize,
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
            config,
            states: Vec::new(),
            actions: Vec::new(),
            start: 0,
        }
    }

    /// The step of the episode at which the window starts.
    pub const fn start(&self) -> usize {
        self.start
    }

    /// States in the window.
    pub fn len(&self) -> usize {
        self.states.len() / self.config.state_dim.max(1)
    }

    /// Whether no state was seen yet.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Takes the next state, and the action that led to it (`None` for the first).
    ///
    /// # Errors
    /// If a width does not fit, or an action is missing or too many.
    pub fn push(&mut self, action: Option<&[f32]>, state: &[f32]) -> Result<(), InfoConError> {
        let (state_dim, action_dim) = (self.config.state_dim, self.config.action_dim);
        if state.len() != state_dim {
            let expected = state_dim.to_string();
            return Err(InfoConError::input(
                "numbers of a state",
                state.len(),
                expected,
            ));
        }
        match action {
            Some(action) if !self.is_empty() && action.len() == action_dim => {
                self.actions.extend_from_slice(action);
            }
            None if self.is_empty() => (),
            action => {
                let expected = if self.is_empty() {
                    "none before the first state".to_owned()
                } else {
                    format!("{action_dim} between two states")
                };
                let found = action.map_or(0, <[f32]>::len);
                return Err(InfoConError::input("numbers of an action", found, expected));
            }
        }
        self.states.extend_from_slice(state);
        if self.len() > self.config.context {
            self.states.drain(..state_dim);
            self.actions.drain(..action_dim);
            self.start += 1;
        }
        Ok(())
    }

    /// The window, one row. Episodes longer than any in training keep the last position.
    ///
    /// # Errors
    /// If no state was seen yet.
    pub fn windows(&self, device: &Device) -> Result<Windows, InfoConError> {
        let steps = self.len();
        let tensor = |values: &[f32], rows: usize, width: usize| -> Tensor<3> {
            Tensor::from_data(TensorData::new(values.to_vec(), [1, rows, width]), device)
        };
        let states = tensor(&self.states, steps, self.config.state_dim);
        let actions = (self.config.actions && steps > 1)
            .then(|| tensor(&self.actions, steps - 1, self.config.action_dim));
        let start = self.start.min(self.config.max_timestep.saturating_sub(1));
        self.config.windows(states, actions, vec![start])
    }

    /// The next action.
    ///
    /// # Errors
    /// If no state was seen yet.
    pub fn decide(&self, network: &Cotpc, device: &Device) -> Result<Decision, InfoConError> {
        let found = network.forward(&self.windows(device)?, Horizon::Newest);
        let last = self.len() - 1;
        let values = |tensor: Tensor<3>| tensor.into_data().iter::<f32>().collect::<Vec<_>>();
        Ok(Decision {
            action: values(found.actions.narrow(1, last, 1)),
            key_states: found
                .key_states
                .into_iter()
                .next_back()
                .map_or_else(Vec::new, values),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> CotpcConfig {
        CotpcConfig {
            context: 3,
            width: 8,
            heads: 2,
            layers: 1,
            hidden: 4,
            key_states: 2,
            key_state_hidden: 4,
            ..CotpcConfig::published(2, 1, 4)
        }
    }

    #[test]
    fn the_window_slides() -> Result<(), InfoConError> {
        let mut rollout = Rollout::new(config());
        rollout.push(None, &[0.0, 0.5])?;
        for step in 1..5u8 {
            let step = f32::from(step);
            rollout.push(Some(&[step * 10.0]), &[step, step + 0.5])?;
        }
        assert_eq!((rollout.len(), rollout.start()), (3, 2));
        let windows = rollout.windows(&Device::flex())?;
        let states = windows.states().into_data();
        assert_eq!(
            states.iter::<f32>().collect::<Vec<_>>(),
            [2.0, 2.5, 3.0, 3.5, 4.0, 4.5]
        );
        let actions = windows.past_actions().map(Tensor::into_data);
        let actions = actions.map(|data| data.iter::<f32>().collect::<Vec<_>>());
        assert_eq!(actions, Some(vec![30.0, 40.0]));
        Ok(())
    }

    #[test]
    fn episodes_may_be_longer_than_any_before() -> Result<(), InfoConError> {
        let device = Device::flex();
        let network = Cotpc::new(&config(), &device)?;
        let mut rollout = Rollout::new(config());
        assert!(rollout.decide(&network, &device).is_err(), "no state yet");
        rollout.push(None, &[0.0, 0.0])?;
        for _ in 0..20 {
            rollout.push(Some(&[1.0]), &[0.0, 0.0])?;
        }
        let decision = rollout.decide(&network, &device)?;
        assert_eq!((decision.action.len(), decision.key_states.len()), (1, 4));
        Ok(())
    }

    #[test]
    fn wrong_inputs_are_refused() -> Result<(), InfoConError> {
        let mut rollout = Rollout::new(config());
        assert!(rollout.push(Some(&[1.0]), &[0.0, 0.0]).is_err());
        assert!(rollout.push(None, &[0.0]).is_err());
        rollout.push(None, &[0.0, 0.0])?;
        assert!(rollout.push(None, &[0.0, 0.0]).is_err());
        assert!(rollout.push(Some(&[1.0, 2.0]), &[0.0, 0.0]).is_err());
        assert_eq!(rollout.len(), 1);
        Ok(())
    }
}
